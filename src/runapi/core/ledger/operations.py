"""What can be asked of the ledger and what it answers. Refusals are answers, not exceptions."""

from hashlib import blake2b

import msgspec

from runapi.core.idempotency import KeptAnswer
from runapi.core.keys import Mode
from runapi.core.ledger.books import Ending, TransferKind
from runapi.core.receipts import ReceiptSource
from runapi.core.records import RequestRecord
from runapi.core.stored_responses import StoredResponse
from runapi.core.usage import UsageSource


def make_tid(*parts: str) -> bytes:
    """The 16 bytes that let a transfer happen once: a BLAKE2b of what it is.

    Use ("topup", provider, payment id) for a payment, so that webhook, polling and a click cannot credit it twice.
    """
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(text.encode(), digest_size=16).digest()


def _request_tid(what: bytes, request_id: str) -> bytes:
    """The tid of something that happens to a request: half of it a hash of the request, half of it of both.

    Ids that begin with the time, as ours do (`req_` and 32 hexadecimal digits), give the half in place of its hash, so
    that rows of one time lie together in the index; a commit writes a few of its pages instead of one for each row.
    """
    try:
        near = bytes.fromhex(request_id[4:20])
    except ValueError:
        near = b""
    if len(near) != 8 or len(request_id) != 36:
        near = blake2b(request_id.encode(), digest_size=8).digest()
    return near + blake2b(what + request_id.encode(), digest_size=8).digest()


def hold_tid(request_id: str) -> bytes:
    """The tid of a request's hold."""
    return _request_tid(b"hold:", request_id)


def extension_tid(request_id: str, number: int) -> bytes:
    """The tid of a request's extension of this number."""
    return _request_tid(b"extend %d:" % number, request_id)


def end_tid(request_id: str) -> bytes:
    """The tid of a request's ending, whichever kind it is: there is only one."""
    return _request_tid(b"end:", request_id)


def write_off_tid(request_id: str) -> bytes:
    """The tid of what a request cost above its hold."""
    return _request_tid(b"write_off:", request_id)


class OpenHold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Set money aside for a request: `amount_nano`, or what there is if that is at least `least_nano`."""

    request_id: str
    account_id: int
    mode: Mode
    amount_nano: int
    least_nano: int
    key_id: int
    price_version: int
    at_us: int
    # For the request's row, should this process die before it can write one:
    endpoint: str = ""
    model: str = ""
    stream: bool = False


class ExtendHold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Set more aside for a running request. `number` counts its extensions, so that each happens once."""

    request_id: str
    number: int
    amount_nano: int
    least_nano: int
    at_us: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Note what a running request has cost so far: what it is settled at should this process die."""

    request_id: str
    progress_pico: int
    usage: str
    at_us: int


class Settle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a request and charge it, never more than its hold; the rest is written off.

    `amount_nano` is `cost_pico` rounded up. The request's row, what its receipt is made from, the answer that its
    idempotency key repeats, and the one that is kept to be asked for, are written in the same commit.
    """

    request_id: str
    amount_nano: int
    cost_pico: int
    usage: str  # JSON, as it is to be shown
    usage_source: UsageSource
    at_us: int
    reason: str = ""
    record: RequestRecord | None = None
    receipt: ReceiptSource | None = None
    answer: KeptAnswer | None = None
    stored: StoredResponse | None = None


class Void(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a request without a charge. Its row is written in the same commit."""

    request_id: str
    reason: str
    at_us: int
    record: RequestRecord | None = None


class Expire(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a request that nobody looks after any more, without a charge."""

    request_id: str
    reason: str
    at_us: int
    record: RequestRecord | None = None


class Post(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Move money between a customer and the house: TOPUP, PROMO, WRITE_OFF to the customer, REFUND from them.

    ADJUST goes to the customer or, with a negative amount, from them. A REFUND alone may take more than there is.
    """

    kind: TransferKind
    mode: Mode
    account_id: int
    amount_nano: int
    tid: bytes
    at_us: int
    reason: str = ""
    reference: str = ""


Operation = OpenHold | ExtendHold | Checkpoint | Settle | Void | Expire | Post


class Held(msgspec.Struct, frozen=True, gc=False):
    """The money is set aside. `available_nano` is what is left beside it, here and below."""

    seq: int
    granted_nano: int
    available_nano: int


class Insufficient(msgspec.Struct, frozen=True, gc=False):
    """There is less than the least that was asked for. `held_nano` of the balance is set aside for running requests."""

    available_nano: int
    held_nano: int = 0


class Frozen(msgspec.Struct, frozen=True, gc=False):
    """A refund or a chargeback left the account below zero; it must be topped up first."""

    available_nano: int


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """It happened before, as row `seq` with this amount; nothing was changed now. A hold is still open."""

    seq: int
    amount_nano: int


class Noted(msgspec.Struct, frozen=True, gc=False):
    """The checkpoint is kept."""


class Settled(msgspec.Struct, frozen=True, gc=False):
    """The request is charged and its hold released. `written_off_nano`: what it cost above its hold."""

    seq: int
    charged_nano: int
    written_off_nano: int
    available_nano: int


class Released(msgspec.Struct, frozen=True, gc=False):
    """The hold is gone, nothing was charged."""

    seq: int
    released_nano: int
    available_nano: int


class Posted(msgspec.Struct, frozen=True, gc=False):
    """The money was moved."""

    seq: int
    available_nano: int


class AlreadyEnded(msgspec.Struct, frozen=True, gc=False):
    """The request ended before; nothing was changed now."""

    ending: Ending


class UnknownHold(msgspec.Struct, frozen=True, gc=False):
    """The request never had a hold."""


class UnknownAccount(msgspec.Struct, frozen=True, gc=False):
    """There is no such customer."""


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """The operation makes no sense: a bug of the caller, or input that should have been refused before."""

    reason: str


HoldOutcome = Held | Insufficient | Frozen | Duplicate | AlreadyEnded | UnknownHold | UnknownAccount | Invalid
CheckpointOutcome = Noted | AlreadyEnded | UnknownHold | Invalid
SettleOutcome = Settled | AlreadyEnded | UnknownHold | Invalid
ReleaseOutcome = Released | AlreadyEnded | UnknownHold | Invalid
PostOutcome = Posted | Duplicate | Insufficient | UnknownAccount | Invalid
Outcome = HoldOutcome | CheckpointOutcome | SettleOutcome | ReleaseOutcome | PostOutcome
