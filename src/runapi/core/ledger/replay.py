"""Check the books from their rows alone, trusting no balance, no hash and no operation that made them.

Written apart from `apply` on purpose: what one of them gets wrong, the other finds.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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
from runapi.core.ledger.faults import Area, Fault, Faults
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


class Opened(NamedTuple):
    """A hold that is open at this point of the rows."""

    number: int
    amount: int
    price_version: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the rows: all of it must follow from them."""

    seq: int
    tail: bytes
    balances: Mapping[int, Balance]
    holds: Mapping[str, tuple[int, int]]  # number and amount, by request


class Replay:
    """Takes the rows in order, any number at a time, and then what stands beside them."""

    def __init__(self, faults: Faults | None = None) -> None:
        """Begin before the first row; what is wrong is noted in `faults`."""
        self.seq = 0
        self.rows = 0
        self.tail = FIRST_HASH
        self.faults = faults or Faults()
        self._posted: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._open: dict[str, Opened] = {}
        self._owed: tuple[str, int] | None = None  # the write-off that the next row must be

    def feed(self, rows: Iterable[Sequence[Any]]) -> None:
        """Check further rows, each as the columns of Transfer in their order."""
        for row in rows:
            self._check_place(row)
            kind = row[3]
            if self._owed is not None and kind != TransferKind.WRITE_OFF:
                self._blame_owed(row[0] - 1, self._owed[1])
            if self._is_sound(row):
                self._follow(row)

    def finish(self, seen: Seen) -> list[Fault]:
        """Compare what follows from the rows with what stands beside them; give all faults found."""
        if self._owed is not None:
            self._blame_owed(self.seq, self._owed[1])
        if (seen.seq, seen.tail) != (self.seq, self.tail):
            self._blame(
                Area.CHAIN,
                None,
                f"the tail names row {seen.seq} with the hash {seen.tail.hex()}, "
                f"the last row is {self.seq} with the hash {self.tail.hex()}",
            )
        for number in sorted(self._posted.keys() | self._held.keys() | seen.balances.keys()):
            self._check_balance(number, seen.balances.get(number))
        for request_id in sorted(self._open.keys() | seen.holds.keys(), key=str):
            self._check_hold(request_id, seen.holds.get(request_id))
        for mode in MODES:
            total = sum(b.posted for number, b in seen.balances.items() if mode_of(number) == mode)
            if total:
                self._blame(Area.SUMS, None, f"the {mode} balances sum to {total} instead of 0")
        return self.faults.kept

    def _check_place(self, row: Sequence[Any]) -> None:
        """Check the row's number and that its hash covers it and the one before."""
        seq, sealed = row[0], row[17]
        if seq != self.seq + 1:
            missing = (
                f"row {self.seq + 1} is" if seq == self.seq + 2 else f"rows {self.seq + 1} to {seq - 1} are"
            )
            self._blame(Area.CHAIN, seq, f"{missing} missing before it")
        try:
            is_right = row_hash(self.tail, tuple(row)) == sealed
        except ValueError:
            is_right = False
        if not is_right:
            self._blame(
                Area.CHAIN,
                seq,
                "its hash does not follow from it and the row before: one of them was changed",
            )
        self.seq, self.tail = seq, sealed if type(sealed) is bytes else b""
        self.rows += 1

    def _is_sound(self, row: Sequence[Any]) -> bool:
        """Whether the row may exist at all, whatever was before it."""
        seq, _, mode, kind, debit, credit, amount, request_id, price_version, cost_pico = row[:10]
        numbers = (debit, credit, amount, price_version, cost_pico)
        if set(map(type, numbers)) != {int} or type(request_id) is not str:  # a bit fell over in the file
            self._blame(Area.RULES, seq, f"its numbers are {numbers}, its request is {request_id!r}")
            return False
        if amount < 0 or cost_pico < 0:
            self._blame(Area.RULES, seq, f"its amount is {amount}, its cost {cost_pico}")
            return False
        try:
            sides = kind_of(debit), kind_of(credit)
        except ValueError as fault:
            self._blame(Area.RULES, seq, str(fault))
            return False
        if sides not in SIDES.get(kind, ()):
            self._blame(Area.RULES, seq, f"a {kind} goes from {sides[0]} to {sides[1]}")
            return False
        if not mode_of(debit) == mode_of(credit) == mode:
            self._blame(
                Area.RULES,
                seq,
                f"a {mode} row moves between accounts {debit} and {credit} of another mode",
            )
        return True

    def _follow(self, row: Sequence[Any]) -> None:
        """Do what the row says."""
        seq, _, _, kind, debit, credit, amount, request_id, price_version, cost_pico = row[:10]
        match kind:
            case TransferKind.HOLD:
                if request_id in self._open:
                    self._blame(Area.RULES, seq, f"a second hold for {request_id}")
                self._open[request_id] = Opened(debit, amount, price_version)
                self._hold(seq, debit, amount)
            case TransferKind.EXTEND:
                opened = self._opened(seq, request_id, debit, price_version)
                self._open[request_id] = Opened(debit, opened + amount, price_version)
                self._hold(seq, debit, amount)
            case TransferKind.SETTLE:
                opened = self._opened(seq, request_id, debit, price_version)
                self._end(request_id, debit, opened)
                self._move(debit, credit, amount)
                self._check_charge(seq, request_id, (amount, cost_pico, opened))
            case TransferKind.VOID | TransferKind.EXPIRE:
                opened = self._opened(seq, request_id, debit, price_version)
                self._end(request_id, debit, opened)
                if amount != opened:
                    self._blame(Area.RULES, seq, f"it releases {amount} of a hold of {opened}")
            case TransferKind.WRITE_OFF if request_id:
                self._move(debit, credit, amount)
                if self._owed != (request_id, amount) or row[12] != OVER_HOLD:
                    self._blame(
                        Area.RULES, seq, f"a write-off of {amount} for {request_id} that nothing called for"
                    )
                self._owed = None
            case TransferKind.ADJUST if kind_of(debit) is _CUSTOMER:
                self._move(debit, credit, amount)
                self._check_guard(seq, debit)
            case _:
                self._move(debit, credit, amount)

    def _opened(self, seq: int, request_id: str, number: int, price_version: int) -> int:
        """The amount of the hold that a row is about: it must be open, on that account, at those prices."""
        opened = self._open.get(request_id)
        if opened is None:
            self._blame(Area.RULES, seq, f"{request_id} has no open hold")
            return 0
        if opened.number != number:
            self._blame(
                Area.RULES, seq, f"the hold of {request_id} is on account {opened.number}, not {number}"
            )
        if opened.price_version != price_version:
            self._blame(
                Area.RULES,
                seq,
                f"{request_id} was held at price version {opened.price_version}, and this row has {price_version}",
            )
        return opened.amount

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
            self._blame(Area.RULES, seq, f"it leaves account {number} with {left}")

    def _check_charge(self, seq: int, request_id: str, charge: tuple[int, int, int]) -> None:
        amount, cost_pico, opened = charge
        due = nano_from_pico(cost_pico)
        if amount != min(due, opened):
            self._blame(Area.RULES, seq, f"it charges {amount} for a cost of {due} under a hold of {opened}")
        elif due > opened:
            self._owed = request_id, due - opened

    def _check_balance(self, number: int, seen: Balance | None) -> None:
        posted, held = self._posted.get(number, 0), self._held.get(number, 0)
        if seen is None:
            self._blame(
                Area.BALANCES,
                None,
                f"account {number} is missing; its rows say posted {posted}, held {held}",
            )
            return
        if (seen.posted, seen.held) != (posted, held):
            self._blame(
                Area.BALANCES,
                None,
                f"account {number} says posted {seen.posted}, held {seen.held}; its rows say posted {posted}, held {held}",
            )
        should = _is_customer(number) and posted >= held
        if seen.guarded != should:
            self._blame(
                Area.BALANCES,
                None,
                f"account {number} is{' not' if should else ''} guarded, and should be otherwise",
            )

    def _check_hold(self, request_id: str, seen: tuple[int, int] | None) -> None:
        opened = self._open.get(request_id)
        said = None if opened is None else opened[:2]
        if said == seen:
            return
        if seen is None:
            fault = f"the open hold of {request_id} is missing; its rows say account and amount {said}"
        elif said is None:
            fault = f"the hold of {request_id} is kept open; its rows say it is not"
        else:
            fault = f"the hold of {request_id} says account and amount {seen}; its rows say {said}"
        self._blame(Area.HOLDS, None, fault)

    def _blame_owed(self, seq: int, amount: int) -> None:
        self._owed = None
        self._blame(Area.RULES, seq, f"cost {amount} above its hold, which was not written off")

    def _blame(self, area: Area, seq: int | None, text: str) -> None:
        self.faults.blame(area, seq, text)


def _is_customer(number: int) -> bool:
    try:
        return kind_of(number) is _CUSTOMER
    except ValueError:  # no account has this number: `_check_balance` says so where it has a balance
        return False
