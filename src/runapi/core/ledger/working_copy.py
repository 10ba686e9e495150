"""The books while operations are applied to them: a copy of what they touch, and the rows that are made."""

from typing import Any

import msgspec

from runapi.core.idempotency import KeptAnswer
from runapi.core.keys import Mode
from runapi.core.ledger.books import AccountKind, Balance, Ending, Hold, house_number
from runapi.core.ledger.chain import row_hash
from runapi.core.ledger.operations import (
    AlreadyEnded,
    Duplicate,
    Expire,
    ExtendHold,
    OpenHold,
    UnknownHold,
    Void,
)
from runapi.core.receipts import ReceiptSource
from runapi.core.records import RequestRecord
from runapi.core.stored_responses import StoredResponse

REVENUE = tuple(house_number(AccountKind.REVENUE, mode) for mode in (Mode.LIVE, Mode.TEST))
"""The numbers of the house's revenue, by the lowest bit of a customer's number."""

_UNKNOWN_HOLD = UnknownHold()
_MODE_TEXT = (Mode.LIVE.value, Mode.TEST.value)  # plain: a StrEnum member costs a database driver far more


class BooksState(msgspec.Struct, kw_only=True):
    """The part of the books that some operations touch. What is not in here does not exist."""

    seq: int  # of the last row
    tail: bytes  # its hash
    node: int
    epoch: int
    balances: dict[int, Balance]
    holds: dict[str, Hold]  # open, by request
    endings: dict[str, Ending]  # by request
    known: dict[bytes, Duplicate]  # by tid


class Delta(msgspec.Struct, gc=False):
    """What is added to one account, and whether it is guarded afterwards."""

    posted: int
    held: int
    guarded: bool


class Changes(msgspec.Struct):
    """What is to be written, all of it in one commit."""

    seq: int
    tail: bytes
    rows: list[tuple[Any, ...]]  # in the order of Transfer's fields
    deltas: dict[int, Delta]
    opened: dict[str, tuple[OpenHold, Hold]]
    changed: dict[str, Hold]  # opened before these operations
    closed: list[str]  # opened before these operations
    records: list[RequestRecord]
    receipts: list[ReceiptSource]
    answers: list[KeptAnswer]
    stored: list[StoredResponse]


class WorkingCopy:
    """What `apply` works on. The state that it was made of is left as it was."""

    __slots__ = (
        *("state", "balances", "holds", "endings", "known", "seq", "tail"),
        *("rows", "opened", "changed", "closed", "records", "receipts", "answers", "stored"),
    )

    def __init__(self, state: BooksState) -> None:
        self.state = state
        self.balances: dict[int, Balance] = {}  # the touched ones, copied
        self.holds = state.holds.copy()
        self.endings = state.endings.copy()
        self.known = state.known.copy()
        self.seq, self.tail = state.seq, state.tail
        self.rows: list[tuple[Any, ...]] = []
        self.opened: dict[str, tuple[OpenHold, Hold]] = {}
        self.changed: dict[str, Hold] = {}
        self.closed: list[str] = []
        self.records: list[RequestRecord] = []
        self.receipts: list[ReceiptSource] = []
        self.answers: list[KeptAnswer] = []
        self.stored: list[StoredResponse] = []

    def changes(self) -> Changes:
        before = self.state.balances
        deltas = {}
        for number, now in self.balances.items():
            was = before[number]
            if now != was:
                deltas[number] = Delta(now.posted - was.posted, now.held - was.held, now.guarded)
        return Changes(
            *(self.seq, self.tail, self.rows, deltas, self.opened, self.changed),
            *(self.closed, self.records, self.receipts, self.answers, self.stored),
        )

    def touch(self, number: int) -> Balance | None:
        """The account's balance, to be changed; None when there is no such account."""
        touched = self.balances.get(number)
        if touched is None:
            found = self.state.balances.get(number)
            if found is None:
                return None
            touched = self.balances[number] = Balance(found.posted, found.held, found.guarded)
        return touched

    def customer_of(self, hold: Hold) -> Balance:
        balance = self.touch(hold.number)
        if balance is None:
            raise LookupError(f"a hold is open on account {hold.number}, which was not loaded")
        return balance

    def house(self, number: int) -> Balance:
        balance = self.touch(number)
        if balance is None:
            raise LookupError(f"the house's account {number} was not loaded")
        return balance

    def again(self, request_id: str, tid: bytes) -> AlreadyEnded | Duplicate:
        ending = self.endings.get(request_id)
        return self.known[tid] if ending is None else AlreadyEnded(ending)

    def why_not_open(self, request_id: str) -> AlreadyEnded | UnknownHold:
        ending = self.endings.get(request_id)
        return _UNKNOWN_HOLD if ending is None else AlreadyEnded(ending)

    def change(self, request_id: str, hold: Hold) -> None:
        self.holds[request_id] = hold
        if request_id in self.opened:
            self.opened[request_id] = self.opened[request_id][0], hold
        else:
            self.changed[request_id] = hold

    def end(self, request_id: str, ending: Ending, record: RequestRecord | None) -> None:
        del self.holds[request_id]
        self.endings[request_id] = ending
        self.changed.pop(request_id, None)
        if self.opened.pop(request_id, None) is None:
            self.closed.append(request_id)
        if record is not None:
            self.records.append(record)

    def append_pending(
        self, kind: str, tid: bytes, asked: OpenHold | ExtendHold | Void | Expire, hold: Hold, amount: int
    ) -> None:
        """Make a row that raises or releases `held` and moves nothing."""
        self.append(
            kind,
            tid,
            (hold.number, REVENUE[hold.number & 1], amount),
            asked.at_us,
            request_id=asked.request_id,
            price_version=hold.price_version,
            reason=asked.reason if isinstance(asked, Void | Expire) else "",
        )

    def append(
        self,
        kind: str,
        tid: bytes,
        move: tuple[int, int, int],
        at_us: int,
        *,
        request_id: str = "",
        price_version: int = 0,
        cost_pico: int = 0,
        usage: str = "",
        usage_source: str = "",
        reason: str = "",
        reference: str = "",
    ) -> None:
        """Make a row and seal it to the last one. `move` is debit, credit and amount."""
        debit, credit, amount = move
        if (debit ^ credit) & 1:
            raise ValueError("a transfer stays inside one mode")
        seq = self.seq = self.seq + 1
        unsealed = (
            seq,
            tid,
            _MODE_TEXT[debit & 1],
            kind,
            debit,
            credit,
            amount,
            request_id,
            price_version,
            cost_pico,
            usage,
            usage_source,
            reason,
            reference,
            self.state.node,
            self.state.epoch,
            at_us,
        )
        self.tail = row_hash(self.tail, unsealed)
        self.rows.append((*unsealed, self.tail))
        self.known[tid] = Duplicate(seq, amount)
