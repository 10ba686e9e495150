"""Apply operations to the books. Pure: the same state and operations give the same answers and the same rows."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from runapi.core.keys import Mode
from runapi.core.ledger.books import (
    MOST_NANO,
    MOST_STORED,
    OVER_HOLD,
    AccountKind,
    Balance,
    Ending,
    Hold,
    TransferKind,
    customer_number,
    house_number,
)
from runapi.core.ledger.operations import (
    Checkpoint,
    CheckpointOutcome,
    Expire,
    ExtendHold,
    Frozen,
    Held,
    HoldOutcome,
    Insufficient,
    Invalid,
    Noted,
    OpenHold,
    Operation,
    Outcome,
    Post,
    Posted,
    PostOutcome,
    Released,
    ReleaseOutcome,
    Settle,
    Settled,
    SettleOutcome,
    UnknownAccount,
    Void,
    end_tid,
    extension_tid,
    hold_tid,
    write_off_tid,
)
from runapi.core.ledger.working_copy import REVENUE, BooksState, Changes, WorkingCopy
from runapi.core.money import nano_from_pico

_UNKNOWN_ACCOUNT, _NOTED = UnknownAccount(), Noted()
# Plain text for the rows: a StrEnum member costs the database driver far more than a str.
_HOLD, _EXTEND, _SETTLE = TransferKind.HOLD.value, TransferKind.EXTEND.value, TransferKind.SETTLE.value
_WRITE_OFF = TransferKind.WRITE_OFF.value
_LOSSES = tuple(house_number(AccountKind.WRITE_OFF, mode) for mode in (Mode.LIVE, Mode.TEST))
COUNTERPART = {
    TransferKind.TOPUP: AccountKind.CASH,
    TransferKind.PROMO: AccountKind.PROMO,
    TransferKind.REFUND: AccountKind.CASH,
    TransferKind.ADJUST: AccountKind.ADJUST,
    TransferKind.WRITE_OFF: AccountKind.WRITE_OFF,
}
"""The house's side of each kind that can be posted."""


def apply(state: BooksState, operations: Sequence[Operation]) -> tuple[list[Outcome], Changes]:
    """Answer each operation in turn; give the answers and what is to be written. `state` is left as it was."""
    books = _Books(state)
    outcomes = [books.answer(operation) for operation in operations]
    return outcomes, books.changes()


class _Books(WorkingCopy):
    """What each operation does."""

    __slots__ = ()

    def answer(self, operation: Operation) -> Outcome:
        match operation:
            case OpenHold():
                return self._open(operation)
            case Settle():
                return self._settle(operation)
            case Void():
                return self._release(operation, TransferKind.VOID)
            case Checkpoint():
                return self._note(operation)
            case ExtendHold():
                return self._extend(operation)
            case Expire():
                return self._release(operation, TransferKind.EXPIRE)
            case Post():
                return self._post(operation)
            case _:
                assert_never(operation)

    def _open(self, asked: OpenHold) -> HoldOutcome:
        if not asked.request_id or not _are_amounts(asked.least_nano, asked.amount_nano):
            return Invalid("a hold needs a request id and 0 <= least_nano <= amount_nano <= 10^18")
        tid = hold_tid(asked.request_id)
        if tid in self.known:
            return self.again(asked.request_id, tid)
        number = customer_number(asked.account_id, asked.mode)
        balance = self.touch(number) if asked.account_id > 0 else None
        if balance is None:
            return _UNKNOWN_ACCOUNT
        refusal = _refusal(balance, asked.least_nano)
        if refusal is not None:
            return refusal
        hold = Hold(number, min(asked.amount_nano, balance.available), asked.price_version)
        balance.held += hold.amount
        self.append_pending(_HOLD, tid, asked, hold, hold.amount)
        self.holds[asked.request_id] = hold
        self.opened[asked.request_id] = asked, hold
        return Held(self.seq, hold.amount, balance.available)

    def _extend(self, asked: ExtendHold) -> HoldOutcome:
        if not _are_amounts(asked.least_nano, asked.amount_nano):
            return Invalid("an extension needs 0 <= least_nano <= amount_nano <= 10^18")
        tid = extension_tid(asked.request_id, asked.number)
        if tid in self.known:
            return self.again(asked.request_id, tid)
        hold = self.holds.get(asked.request_id)
        if hold is None:
            return self.why_not_open(asked.request_id)
        balance = self.customer_of(hold)
        refusal = _refusal(balance, asked.least_nano)
        if refusal is not None:
            return refusal
        granted = min(asked.amount_nano, balance.available)
        balance.held += granted
        self.append_pending(_EXTEND, tid, asked, hold, granted)
        self.change(asked.request_id, msgspec.structs.replace(hold, amount=hold.amount + granted))
        return Held(self.seq, granted, balance.available)

    def _note(self, noted: Checkpoint) -> CheckpointOutcome:
        if not _is_number(noted.progress_pico, MOST_STORED):
            return Invalid("a checkpoint's progress_pico is a whole number >= 0 in 64 bits")
        hold = self.holds.get(noted.request_id)
        if hold is None:
            return self.why_not_open(noted.request_id)
        changed = msgspec.structs.replace(hold, progress_pico=noted.progress_pico, usage=noted.usage)
        self.change(noted.request_id, changed)
        return _NOTED

    def _settle(self, asked: Settle) -> SettleOutcome:
        if (
            not _is_number(asked.cost_pico, MOST_STORED)
            or type(asked.amount_nano) is not int
            or asked.amount_nano != nano_from_pico(asked.cost_pico)
        ):
            return Invalid("a settlement's amount_nano is its cost_pico (>= 0, 64 bits) rounded up")
        hold = self.holds.get(asked.request_id)
        if hold is None:
            return self.why_not_open(asked.request_id)
        test = hold.number & 1
        revenue = self.house(REVENUE[test])
        if revenue.posted + asked.amount_nano > MOST_STORED:
            return Invalid("the house's revenue would exceed 64 bits")
        charged = min(asked.amount_nano, hold.amount)
        over = asked.amount_nano - charged
        balance = self.customer_of(hold)
        balance.posted -= charged
        balance.held -= hold.amount
        balance.guarded = balance.posted >= balance.held
        revenue.posted += charged
        self.append(
            _SETTLE,
            end_tid(asked.request_id),
            (hold.number, REVENUE[test], charged),
            asked.at_us,
            request_id=asked.request_id,
            price_version=hold.price_version,
            cost_pico=asked.cost_pico,
            usage=asked.usage,
            usage_source=asked.usage_source.value,
            reason=asked.reason,
        )
        outcome = Settled(self.seq, charged, over, balance.available)
        record = asked.record
        if over:
            self._write_off(asked, hold, over)
            if record is not None:  # its row says what the customer is charged
                record = msgspec.structs.replace(record, cost_nano=charged)
        self.end(asked.request_id, Ending(TransferKind.SETTLE, charged), record)
        if asked.receipt is not None:
            self.receipts.append(asked.receipt)
        if asked.answer is not None:
            self.answers.append(asked.answer)
        if asked.stored is not None:
            self.stored.append(asked.stored)
        return outcome

    def _write_off(self, asked: Settle, hold: Hold, over: int) -> None:
        test = hold.number & 1
        self.house(_LOSSES[test]).posted -= over
        self.house(REVENUE[test]).posted += over
        self.append(
            _WRITE_OFF,
            write_off_tid(asked.request_id),
            (_LOSSES[test], REVENUE[test], over),
            asked.at_us,
            request_id=asked.request_id,
            price_version=hold.price_version,
            reason=OVER_HOLD,
        )

    def _release(self, asked: Void | Expire, kind: TransferKind) -> ReleaseOutcome:
        hold = self.holds.get(asked.request_id)
        if hold is None:
            return self.why_not_open(asked.request_id)
        balance = self.customer_of(hold)
        balance.held -= hold.amount
        balance.guarded = balance.posted >= balance.held
        tid = end_tid(asked.request_id)
        self.append_pending(kind.value, tid, asked, hold, hold.amount)
        self.end(asked.request_id, Ending(kind, hold.amount), asked.record)
        return Released(self.seq, hold.amount, balance.available)

    def _post(self, asked: Post) -> PostOutcome:
        counterpart = COUNTERPART.get(asked.kind)
        amount = asked.amount_nano
        if counterpart is None or len(asked.tid) != 16:
            return Invalid("a posting is a topup, promo, refund, adjust or write_off with a tid of 16 bytes")
        if type(amount) is not int or not 0 < abs(amount) <= MOST_NANO:
            return Invalid("an amount is a whole number of nano-dollars, not zero, up to 10^18")
        if amount < 0 and asked.kind is not TransferKind.ADJUST:
            return Invalid("only an adjustment may be negative")
        if asked.tid in self.known:
            return self.known[asked.tid]
        number, house = customer_number(asked.account_id, asked.mode), house_number(counterpart, asked.mode)
        balance = self.touch(number) if asked.account_id > 0 else None
        if balance is None:
            return _UNKNOWN_ACCOUNT
        change = -amount if asked.kind is TransferKind.REFUND else amount
        if change < 0 and asked.kind is TransferKind.ADJUST and balance.available < -change:
            return Insufficient(balance.available)
        other = self.house(house)
        if abs(balance.posted + change) > MOST_STORED or abs(other.posted - change) > MOST_STORED:
            return Invalid("a balance would exceed 64 bits")
        balance.posted += change
        balance.guarded = balance.posted >= balance.held
        other.posted -= change
        sides = (house, number) if change > 0 else (number, house)
        self.append(
            asked.kind.value,
            asked.tid,
            (*sides, abs(change)),
            asked.at_us,
            reason=asked.reason,
            reference=asked.reference,
        )
        return Posted(self.seq, balance.available)


def _is_number(value: int, most: int) -> bool:
    return type(value) is int and 0 <= value <= most  # neither bool nor float


def _are_amounts(least: int, most: int) -> bool:
    return type(least) is int and type(most) is int and 0 <= least <= most <= MOST_NANO


def _refusal(balance: Balance, least: int) -> Frozen | Insufficient | None:
    available = balance.posted - balance.held
    if not balance.guarded:
        return Frozen(available)
    return Insufficient(available, balance.held) if available < least else None
