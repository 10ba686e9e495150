"""What the books are made of: numbered accounts, open holds, and rows that each move one amount.

Amounts are nano-dollars in signed 64 bits. `posted` is credit-positive, so that over all accounts of a mode it sums to
zero: a customer's is what they have, that of `cash` is minus what was paid in.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from runapi.core.keys import Mode

MOST_NANO: Final = 10**18
"""The largest amount of one operation, a billion dollars: a slip of the pen beyond it is refused."""

MOST_STORED: Final = 2**63 - 1
FIRST_HASH: Final = bytes(32)
"""What the first row is chained to."""

OVER_HOLD: Final = "over hold"
"""The reason of a write-off that a request caused by costing more than its hold."""


class AccountKind(StrEnum):
    """Whose an account is: a customer's, or one of the house's own, which each mode has once."""

    CUSTOMER = "customer"
    CASH = "cash"  # money outside: payments come from here, refunds go back to it
    REVENUE = "revenue"
    PROMO = "promo"  # credit given away, the play money of test mode included
    WRITE_OFF = "write_off"  # what the house loses: cost above a hold, debts that are let go
    UPSTREAM_COST = "upstream_cost"
    ADJUST = "adjust"  # corrections by hand


class TransferKind(StrEnum):
    """What a row is. The first five belong to a request; HOLD, EXTEND, VOID and EXPIRE move no `posted`."""

    HOLD = "hold"  # customer -> revenue, pending: raises `held`
    EXTEND = "extend"
    SETTLE = "settle"  # customer -> revenue, moves its amount and releases the whole hold
    VOID = "void"  # releases the whole hold, which is its amount
    EXPIRE = "expire"
    TOPUP = "topup"  # cash -> customer
    PROMO = "promo"  # promo -> customer
    REFUND = "refund"  # customer -> cash; a chargeback is one too
    ADJUST = "adjust"  # between adjust and customer, either way
    WRITE_OFF = "write_off"  # write_off -> customer, or -> revenue for what a request cost above its hold


ENDINGS: Final = frozenset({TransferKind.SETTLE, TransferKind.VOID, TransferKind.EXPIRE})
HOUSE: Final = tuple(kind for kind in AccountKind if kind is not AccountKind.CUSTOMER)
MODES: Final = (Mode.LIVE, Mode.TEST)

_FIRST_CUSTOMER: Final = 16  # room for the house's accounts, which have the numbers 2 to 13


def house_number(kind: AccountKind, mode: Mode) -> int:
    """The number of the house's account of this kind. The number's lowest bit is the mode: 1 is test."""
    return 2 * (1 + HOUSE.index(kind)) + (mode == Mode.TEST)


def customer_number(account_id: int, mode: Mode) -> int:
    """The number of a customer's account in this mode: found by arithmetic, so that no look-up can mix modes."""
    return _FIRST_CUSTOMER + 2 * account_id + (mode == Mode.TEST)


def mode_of(number: int) -> Mode:
    """The mode of a numbered account."""
    return Mode.TEST if number & 1 else Mode.LIVE


def kind_of(number: int) -> AccountKind:
    """Whose a numbered account is.

    Raises:
        ValueError: no account can have this number.
    """
    if number > _FIRST_CUSTOMER + 1:
        return AccountKind.CUSTOMER
    place = number // 2 - 1
    if not 0 <= place < len(HOUSE):
        raise ValueError(f"no ledger account has the number {number}")
    return HOUSE[place]


class Balance(msgspec.Struct, gc=False):
    """What one numbered account has. `guarded`: `posted - held` may not fall below zero.

    The house's accounts are not guarded. A customer's is, except while a refund or a chargeback has left it below zero:
    it is frozen then, and guarded again as soon as it is not.
    """

    posted: int = 0
    held: int = 0
    guarded: bool = True

    @property
    def available(self) -> int:
        """What may still be held or taken."""
        return self.posted - self.held


class Hold(msgspec.Struct, gc=False):
    """An open hold, as far as the rules need to know it."""

    number: int  # the customer's numbered account
    amount: int
    price_version: int
    progress_pico: int = 0  # cost delivered so far, by the last checkpoint
    usage: str = ""


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a request ended."""

    kind: TransferKind
    amount: int


class Transfer(NamedTuple):
    """One row. "" and 0 stand for nothing, so that a row has exactly one form; enumerations stand as plain text."""

    seq: int
    tid: bytes
    mode: str
    kind: str
    debit: int
    credit: int
    amount: int
    request_id: str
    price_version: int
    cost_pico: int
    usage: str
    usage_source: str
    reason: str
    reference: str
    node: int
    epoch: int
    at_us: int
    hash: bytes
