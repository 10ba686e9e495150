"""Check the books from their rows alone, trusting no balance, no hash and no operation that made them.

Written apart from `apply` on purpose: what one of them gets wrong, the other finds.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from runapi.core.ledger.books import (
    FIRST_HASH,
    MODES,
    OVER_HOLD,
    AccountKind,
    Balance,
    TransferKind,
    kind_of,
    mode_of,
)
from runapi.core.ledger.chain import row_hash
from runapi.core.money import nano_from_pico

_CUSTOMER = AccountKind.CUSTOMER
_REQUEST_SIDES = {(_CUSTOMER, AccountKind.REVENUE)}
SIDES: Mapping[str, set[tuple[AccountKind, AccountKind]]] = {
    TransferKind.HOLD: _REQUEST_SIDES,
    TransferKind.EXTEND: _REQUEST_SIDES,
    TransferKind.SETTLE: _REQUEST_SIDES,
    TransferKind.VOID: _REQUEST_SIDES,
    TransferKind.EXPIRE: _REQUEST_SIDES,
    TransferKind.TOPUP: {(AccountKind.CASH, _CUSTOMER)},
    TransferKind.PROMO: {(AccountKind.PROMO, _CUSTOMER)},
    TransferKind.REFUND: {(_CUSTOMER, AccountKind.CASH)},
    TransferKind.ADJUST: {(AccountKind.ADJUST, _CUSTOMER), (_CUSTOMER, AccountKind.ADJUST)},
    TransferKind.WRITE_OFF: {
        (AccountKind.WRITE_OFF, _CUSTOMER),
        (AccountKind.WRITE_OFF, AccountKind.REVENUE),
    },
}
"""Between whom a row of each kind moves: debit, credit."""

MOST_FAULTS = 1_000  # are kept in words; all are counted


class Fault(msgspec.Struct, frozen=True):
    """Something in the books that cannot be: in row `seq`, or in what stands beside the rows."""

    seq: int | None
    text: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the rows: all of it must follow from them."""

    seq: int
    tail: bytes
    balances: Mapping[int, Balance]
    holds: Mapping[str, tuple[int, int]]  # number and amount, by request


class Replay:
    """Takes the rows in order, any number at a time, and then what stands beside them."""

    def __init__(self) -> None:
        """Begin before the first row."""
        self.seq = 0
        self.rows = 0
        self.tail = FIRST_HASH
        self.faults: list[Fault] = []
        self.fault_count = 0
        self._posted: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._open: dict[str, tuple[int, int]] = {}
        self._owed: tuple[str, int] | None = None  # the write-off that the next row must be

    def feed(self, rows: Iterable[Sequence[Any]]) -> None:
        """Check further rows, each as the columns of Transfer in their order."""
        for row in rows:
            self._check_place(row)
            kind = row[3]
            if self._owed is not None and kind != TransferKind.WRITE_OFF:
                self.blame(row[0] - 1, f"cost {self._owed[1]} above its hold, which was not written off")
                self._owed = None
            if self._is_sound(row):
                self._follow(row)

    def finish(self, seen: Seen) -> list[Fault]:
        """Compare what follows from the rows with what stands beside them; give all faults found."""
        if self._owed is not None:
            self.blame(self.seq, f"cost {self._owed[1]} above its hold, which was not written off")
        if (seen.seq, seen.tail) != (self.seq, self.tail):
            self.blame(
                None,
                f"the tail names row {seen.seq} with the hash {seen.tail.hex()}, "
                f"the last row is {self.seq} with the hash {self.tail.hex()}",
            )
        for number in sorted(self._posted.keys() | self._held.keys() | seen.balances.keys()):
            self._check_balance(number, seen.balances.get(number))
        for request_id in sorted(self._open.keys() | seen.holds.keys()):
            self._check_hold(request_id, seen.holds.get(request_id))
        for mode in MODES:
            total = sum(b.posted for number, b in seen.balances.items() if mode_of(number) == mode)
            if total:
                self.blame(None, f"the {mode} balances sum to {total} instead of 0")
        return self.faults

    def _check_place(self, row: Sequence[Any]) -> None:
        """Check the row's number and that its hash covers it and the one before."""
        seq, sealed = row[0], row[17]
        if seq != self.seq + 1:
            missing = (
                f"row {self.seq + 1} is" if seq == self.seq + 2 else f"rows {self.seq + 1} to {seq - 1} are"
            )
            self.blame(seq, f"{missing} missing before it")
        try:
            is_right = row_hash(self.tail, tuple(row)) == sealed
        except ValueError:
            is_right = False
        if not is_right:
            self.blame(seq, "its hash does not follow from it and the row before: one of them was changed")
        self.seq, self.tail = seq, sealed
        self.rows += 1

    def _is_sound(self, row: Sequence[Any]) -> bool:
        """Whether the row may exist at all, whatever was before it."""
        seq, _, mode, kind, debit, credit, amount = row[:7]
        if type(amount) is not int or amount < 0:
            self.blame(seq, f"its amount is {amount}")
            return False
        try:
            sides = kind_of(debit), kind_of(credit)
        except (TypeError, ValueError) as fault:
            self.blame(seq, str(fault))
            return False
        if sides not in SIDES.get(kind, ()):
            self.blame(seq, f"a {kind} goes from {sides[0]} to {sides[1]}")
            return False
        if not mode_of(debit) == mode_of(credit) == mode:
            self.blame(seq, f"a {mode} row moves between accounts {debit} and {credit} of another mode")
        return True

    def _follow(self, row: Sequence[Any]) -> None:
        """Do what the row says."""
        seq, _, _, kind, debit, credit, amount, request_id, _, cost_pico = row[:10]
        match kind:
            case TransferKind.HOLD:
                if request_id in self._open:
                    self.blame(seq, f"a second hold for {request_id}")
                self._open[request_id] = debit, amount
                self._hold(seq, debit, amount)
            case TransferKind.EXTEND:
                opened = self._opened(seq, request_id, debit)
                self._open[request_id] = debit, opened + amount
                self._hold(seq, debit, amount)
            case TransferKind.SETTLE:
                opened = self._opened(seq, request_id, debit)
                self._end(request_id, debit, opened)
                self._move(debit, credit, amount)
                self._check_charge(seq, request_id, (amount, cost_pico, opened))
            case TransferKind.VOID | TransferKind.EXPIRE:
                opened = self._opened(seq, request_id, debit)
                self._end(request_id, debit, opened)
                if amount != opened:
                    self.blame(seq, f"it releases {amount} of a hold of {opened}")
            case TransferKind.WRITE_OFF if request_id:
                self._move(debit, credit, amount)
                if self._owed != (request_id, amount) or row[12] != OVER_HOLD:
                    self.blame(seq, f"a write-off of {amount} for {request_id} that nothing called for")
                self._owed = None
            case TransferKind.ADJUST if kind_of(debit) is _CUSTOMER:
                self._move(debit, credit, amount)
                self._check_guard(seq, debit)
            case _:
                self._move(debit, credit, amount)

    def _opened(self, seq: int, request_id: str, number: int) -> int:
        opened = self._open.get(request_id)
        if opened is None:
            self.blame(seq, f"{request_id} has no open hold")
            return 0
        if opened[0] != number:
            self.blame(seq, f"the hold of {request_id} is on account {opened[0]}, not {number}")
        return opened[1]

    def _end(self, request_id: str, number: int, opened: int) -> None:
        self._open.pop(request_id, None)
        self._held[number] = self._held.get(number, 0) - opened

    def _hold(self, seq: int, number: int, amount: int) -> None:
        self._held[number] = self._held.get(number, 0) + amount
        self._check_guard(seq, number)

    def _move(self, debit: int, credit: int, amount: int) -> None:
        self._posted[debit] = self._posted.get(debit, 0) - amount
        self._posted[credit] = self._posted.get(credit, 0) + amount

    def _check_guard(self, seq: int, number: int) -> None:
        left = self._posted.get(number, 0) - self._held.get(number, 0)
        if left < 0:
            self.blame(seq, f"it leaves account {number} with {left}")

    def _check_charge(self, seq: int, request_id: str, charge: tuple[int, int, int]) -> None:
        amount, cost_pico, opened = charge
        due = nano_from_pico(cost_pico)
        if amount != min(due, opened):
            self.blame(seq, f"it charges {amount} for a cost of {due} under a hold of {opened}")
        elif due > opened:
            self._owed = request_id, due - opened

    def _check_balance(self, number: int, seen: Balance | None) -> None:
        posted, held = self._posted.get(number, 0), self._held.get(number, 0)
        if seen is None:
            self.blame(None, f"account {number} is missing; it has posted {posted} and held {held}")
            return
        if (seen.posted, seen.held) != (posted, held):
            self.blame(
                None,
                f"account {number} says posted {seen.posted}, held {seen.held}; its rows say posted {posted}, held {held}",
            )
        should = number > 1 and kind_of(number) is _CUSTOMER and posted >= held
        if seen.guarded != should:
            self.blame(
                None, f"account {number} is{' not' if should else ''} guarded, and should be otherwise"
            )

    def _check_hold(self, request_id: str, seen: tuple[int, int] | None) -> None:
        opened = self._open.get(request_id)
        if seen is None:
            self.blame(
                None, f"the open hold of {request_id} is missing; its rows say account and amount {opened}"
            )
        elif opened is None:
            self.blame(None, f"the hold of {request_id} is kept open; its rows say it is not")
        elif opened != seen:
            self.blame(
                None, f"the hold of {request_id} says account and amount {seen}; its rows say {opened}"
            )

    def blame(self, seq: int | None, text: str) -> None:
        """Note a fault, in row `seq` or beside the rows."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(seq, text))
