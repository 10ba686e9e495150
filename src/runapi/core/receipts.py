"""Receipts: what one request was and what it cost, in a form that anybody can check without us.

A receipt is canonical JSON (RFC 8785): members sorted by name, no spaces, UTF-8, no fractions; amounts are decimal strings.
The service signs it with Ed25519. What is here neither reads a clock nor keeps a key.
"""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runapi.core.keys import Mode
from runapi.core.ledger.books import Transfer, TransferKind
from runapi.core.merkle import leaf_hash
from runapi.core.money import nano_from_pico, usd
from runapi.core.pricing import Rates
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource

VERSION = 1
RECEIPT_SEAL = (
    b"runapi receipt 1\n"  # what is signed begins so: no signature can be moved to another kind of text
)
ROOT_SEAL = b"runapi receipt root 1\n"
NO_ROOT = bytes(32)  # what the first day's root follows
MOST_BYTES = 1024 * 1024  # of a receipt's file
KINDS = (
    "input",
    "cached",
    "cache_write",
    "output",
)  # the kinds of tokens that are charged, and the lines' order

Digits = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,29})\Z")]
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Signature = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]
Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of arithmetic: tokens x rate = pico, in pico-dollars."""

    kind: str
    tokens: int
    rate_pico: Digits
    pico: Digits


class TransferRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the ledger that belongs to the request; `hash` ties it to all rows before it."""

    seq: int
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    kind: str
    amount_nano: Digits
    hash: Hash

    @classmethod
    def of(cls, row: Transfer) -> "TransferRef":
        """The reference to a row."""
        return cls(row.seq, row.tid.hex(), row.kind, str(row.amount), row.hash.hex())


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed."""

    version: int
    request_id: str
    at: str  # when the request arrived: ISO 8601, UTC, microseconds
    account: str  # opaque; the same for all receipts of an account
    key: str  # the visible prefix
    mode: Mode
    endpoint: str
    model: str
    upstream_model: str | None
    outcome: Outcome
    request_sha256: Hash  # of the body as the client sent it
    response_sha256: Hash  # of the body as it was sent to the client
    upstream_usage: str | None  # the JSON text of the upstream, verbatim
    usage: Usage
    usage_source: UsageSource
    service_tier: str | None
    price_version: int
    lines: tuple[Line, ...]  # empty where nothing was charged
    total_pico: Digits
    charged_nano: Digits
    charged_usd: str
    written_off_nano: Digits  # what went beyond the hold, and the customer does not pay
    transfers: tuple[TransferRef, ...]


class RootStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed once a day: one hash over all receipts of the day, tied to the day before."""

    count: int
    day: Day
    previous: Hash  # the root before; zeros for the first
    root: Hash
    version: int = VERSION


class SignedRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day's statement with its signature."""

    statement: RootStatement
    signature: Signature


class Inclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The proof that a receipt is among those of a day's root."""

    index: int
    path: tuple[Hash, ...]
    day: SignedRoot


class SignedReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that a customer keeps."""

    receipt: Receipt
    public_key: Hash
    signature: Signature
    inclusion: Inclusion | None  # None until the day's root has been made


class ReceiptSource(msgspec.Struct, frozen=True):
    """What a receipt needs beyond the request's row and transfers; stored in the commit that settles the request."""

    request_id: str
    ended_us: int
    request_sha256: bytes
    response_sha256: bytes
    upstream_usage: str | None
    price_version: int
    rates: Rates


class ReceiptImpossible(ValueError):  # noqa: N818 - what is the case
    """The stored numbers do not add up: nothing may be signed."""


def canonical(value: msgspec.Struct) -> bytes:
    """The one JSON text of `value`."""
    return msgspec.json.encode(value, order="sorted")


def make_receipt(
    record: RequestRecord, source: ReceiptSource, transfers: Sequence[Transfer], *, account: str, key: str
) -> Receipt:
    """Build the receipt of a request, with every line of its arithmetic.

    Raises:
        ReceiptImpossible: tokens x rates are not what was charged.
    """
    lines = _lines(record.usage, source.rates) if record.cost_pico else ()
    total = sum(int(line.pico) for line in lines)
    written_off_nano = sum(row.amount for row in transfers if row.kind == TransferKind.WRITE_OFF)
    if total != record.cost_pico or nano_from_pico(total) != record.cost_nano + written_off_nano:
        raise ReceiptImpossible(
            f"Request {record.id}: tokens x rates give {total} pico-dollars, but its row says {record.cost_pico} "
            f"pico-dollars and {record.cost_nano} nano-dollars, {written_off_nano} more were written off."
        )
    return Receipt(
        version=VERSION,
        request_id=record.id,
        at=utc(record.at_us),
        account=account,
        key=key,
        mode=record.mode,
        endpoint=record.endpoint,
        model=record.model,
        upstream_model=record.upstream_model,
        outcome=record.outcome,
        request_sha256=source.request_sha256.hex(),
        response_sha256=source.response_sha256.hex(),
        upstream_usage=source.upstream_usage,
        usage=record.usage,
        usage_source=record.usage_source,
        service_tier=record.service_tier,
        price_version=source.price_version,
        lines=lines,
        total_pico=str(total),
        charged_nano=str(record.cost_nano),
        charged_usd=usd(record.cost_nano),
        written_off_nano=str(written_off_nano),
        transfers=tuple(map(TransferRef.of, transfers)),
    )


def sign_receipt(receipt: Receipt, key: Ed25519PrivateKey, inclusion: Inclusion | None) -> SignedReceipt:
    """Sign a receipt; the same receipt and key give the same signature."""
    signature = key.sign(RECEIPT_SEAL + canonical(receipt))
    return SignedReceipt(receipt, public_key_of(key).hex(), signature.hex(), inclusion)


def sign_root(statement: RootStatement, key: Ed25519PrivateKey) -> SignedRoot:
    """Sign a day's root."""
    return SignedRoot(statement, key.sign(ROOT_SEAL + canonical(statement)).hex())


def signature_fits(public_key: bytes, signature: str, signed: bytes) -> bool:
    """Whether the key's owner signed exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes by which anybody can check the key's signatures."""
    return key.public_key().public_bytes_raw()


def receipt_leaf(receipt: Receipt) -> bytes:
    """The receipt's leaf in the tree of its day."""
    return leaf_hash(canonical(receipt))


def opaque_account(account_id: int, pepper: bytes) -> str:
    """A name for an account that says nothing of it, and is the same in all its receipts."""
    return f"acct_{hmac.digest(pepper, b'receipt account %d' % account_id, 'sha256').hex()[:24]}"


def utc(at_us: int) -> str:
    """Unix microseconds as ISO 8601 in UTC: 2026-11-22T09:30:00.000000Z."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _lines(usage: Usage, rates: Rates) -> tuple[Line, ...]:
    return tuple(
        Line(
            kind,
            getattr(usage, kind),
            str(getattr(rates, kind)),
            str(getattr(usage, kind) * getattr(rates, kind)),
        )
        for kind in KINDS
    )
