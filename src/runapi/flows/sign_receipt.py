"""Give signed receipts, and bind each day's receipts into one signed root.

A root covers every receipt that ended by the end of its day and is in no root before, so that none is left out, and
names the root before it: who keeps the newest can tell whether an older one was changed.
"""

from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from runapi.core.merkle import inclusion_path, leaf_hash, root
from runapi.core.receipts import (
    NO_ROOT,
    Inclusion,
    Receipt,
    ReceiptImpossible,
    ReceiptSource,
    RootStatement,
    SignedReceipt,
    SignedRoot,
    make_receipt,
    opaque_account,
    public_key_of,
    receipt_leaf,
    sign_receipt,
    sign_root,
)
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import quoted
from runapi.flows.payment_rows import KeyShown, RootRow
from runapi.store import receipts
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.customers import read_transfers
from runapi.store.meta import read_meta, write_meta
from runapi.store.receipts import Leaf
from runapi.store.requests import find_request

KEY_NAME = "receipt.key"
"""The `meta` row that holds the sealed signing key, and the place it is sealed for."""

SEED_BYTES = 32
GRACE_US = 3600 * 1_000_000  # after midnight, for what is being committed
PAGE = 50  # receipts a transaction: the writer is not kept from others for long
MOST_LISTED = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger("runapi.receipts")


class ShowReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class ShowKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ListRoots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 30


def give_receipt(
    connection: Connection, office: Office, request_id: str, account_id: int | None = None
) -> SignedReceipt:
    """Sign the receipt of a request; with `account_id` only where it is that account's.

    Raises:
        NotFound: there is no such request, it is another account's, or it has no receipt.
        ReceiptImpossible: what is stored does not add up; nothing is signed.
    """
    found = receipts.find_source(connection, request_id)
    receipt = None if found is None else _make(connection, office, found[0], account_id)
    if found is None or receipt is None:
        raise NotFound(f"There is no receipt for the request {quoted(request_id)}.")
    inclusion = None if found[1] is None else _inclusion(connection, found[1])
    return sign_receipt(receipt, signing_key(connection, office), inclusion)


def show_receipt(connection: Connection, office: Office, asked: ShowReceipt) -> SignedReceipt:
    """One request's receipt, of whatever account."""
    try:
        return give_receipt(connection, office, asked.id)
    except ReceiptImpossible as fault:
        raise CommandRefused(f"No receipt can be signed. {fault}") from None


def show_key(connection: Connection, office: Office, _asked: ShowKey) -> KeyShown:
    """The public key by which receipts are checked."""
    return KeyShown(public_key=public_key_of(signing_key(connection, office)).hex())


def list_roots(connection: Connection, _office: Office, asked: ListRoots) -> list[RootRow]:
    """The newest daily roots, newest first."""
    if not 1 <= asked.limit <= MOST_LISTED:
        raise CommandRefused(f"--limit must be from 1 to {MOST_LISTED}, not {asked.limit}.")
    return [_root_row(signed) for signed in receipts.list_roots(connection, asked.limit)]


def signing_key(connection: Connection, office: Office) -> Ed25519PrivateKey:
    """Unseal the key that signs receipts, or make it the first time."""
    sealed = read_meta(connection, KEY_NAME)
    if sealed is not None:
        return Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex(office.vault.open(bytes.fromhex(sealed), KEY_NAME))
        )
    seed = office.random_bytes(SEED_BYTES)
    write_meta(connection, KEY_NAME, office.vault.seal(seed.hex(), KEY_NAME).hex())
    return Ed25519PrivateKey.from_private_bytes(seed)


async def close_day(database: Database, office: Office) -> SignedRoot | None:
    """Make the root of the last day that is over, if it has none; None where there was nothing to do.

    Call it at the start and once an hour. One that was broken off is taken up again.
    """
    over = _EPOCH + timedelta(microseconds=office.now_us() - GRACE_US)
    midnight = over.replace(hour=0, minute=0, second=0, microsecond=0)
    before_us = (midnight - _EPOCH) // timedelta(microseconds=1)
    day = (midnight - timedelta(days=1)).date().isoformat()
    if await database.run(receipts.find_root, day) is not None:
        return None
    first = await database.run(receipts.count_leaves, day)
    while sealed := await database.run(_seal_page, office, day, before_us, first):
        first += sealed
    return await database.run(_make_root, office, day)


def _seal_page(connection: Connection, office: Office, day: str, before_us: int, first: int) -> int:
    """Give the next receipts their leaves, from position `first` on; give how many."""
    page = receipts.list_unsealed(connection, before_us, PAGE)
    leaves = [(source.request_id, _leaf(connection, office, source)) for source in page]
    receipts.seal_leaves(connection, day, first, leaves)
    return len(page)


def _leaf(connection: Connection, office: Office, source: ReceiptSource) -> bytes:
    try:
        receipt = _make(connection, office, source, None)
    except ReceiptImpossible as fault:
        _log.error("no receipt can be signed", reason=str(fault))
        receipt = None
    if receipt is not None:
        return receipt_leaf(receipt)
    return leaf_hash(b"no receipt " + source.request_id.encode())  # the day goes on without it


def _make_root(connection: Connection, office: Office, day: str) -> SignedRoot | None:
    leaves = receipts.list_leaves(connection, day)
    if not leaves:
        return None
    newest = receipts.list_roots(connection, 1)
    previous = newest[0].statement.root if newest else NO_ROOT.hex()
    statement = RootStatement(len(leaves), day, previous, root(leaves).hex())
    signed = sign_root(statement, signing_key(connection, office))
    receipts.insert_root(connection, signed, office.now_us())
    return signed


def _make(
    connection: Connection, office: Office, source: ReceiptSource, account_id: int | None
) -> Receipt | None:
    record = find_request(connection, source.request_id)
    if record is None or account_id not in {None, record.account_id}:
        return None
    return make_receipt(
        record,
        source,
        read_transfers(connection, source.request_id),
        account=opaque_account(record.account_id, office.vault.pepper),
        key=receipts.key_prefix(connection, record.key_id),
    )


def _inclusion(connection: Connection, leaf: Leaf) -> Inclusion | None:
    signed = receipts.find_root(connection, leaf.day)
    if signed is None:
        return None
    path = inclusion_path(receipts.list_leaves(connection, leaf.day), leaf.position)
    return Inclusion(leaf.position, tuple(node.hex() for node in path), signed)


def _root_row(signed: SignedRoot) -> RootRow:
    statement = signed.statement
    return RootRow(
        day=statement.day,
        count=statement.count,
        root=statement.root,
        previous=statement.previous,
        version=statement.version,
        signature=signed.signature,
    )
