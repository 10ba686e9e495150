"""What can be wrong with the books, by where, and what an operator does about it."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

import msgspec

MOST_FAULTS = 1_000  # are kept in words; all are counted


class Area(StrEnum):
    """Which rule of the books is broken."""

    CHAIN = "chain"  # rows follow each other, each sealed to the one before, up to the tail
    RULES = "rules"  # each row may do what it does, after what was before it
    PRICES = "prices"  # each charge is its usage times its pinned price
    REQUESTS = "requests"  # each request's own row says what it was charged; it ends once
    BALANCES = "balances"  # each account has what its rows say
    HOLDS = "holds"  # what is held is what is open
    SUMS = "sums"  # nothing is made from nothing


class Fault(msgspec.Struct, frozen=True):
    """Something in the books that cannot be: in row `seq`, or in what stands beside the rows."""

    seq: int | None
    text: str
    area: Area


class Faults:
    """Every fault is counted; the first thousand are kept in words."""

    def __init__(self) -> None:
        """Begin with none."""
        self.kept: list[Fault] = []
        self.counts: Counter[Area] = Counter()

    @property
    def count(self) -> int:
        return self.counts.total()

    def blame(self, area: Area, seq: int | None, text: str) -> None:
        """Note a fault, in row `seq` or beside the rows."""
        self.counts[area] += 1
        if len(self.kept) < MOST_FAULTS:
            # What was read may be no text at all, where a bit fell over.
            self.kept.append(Fault(seq, text.encode("utf-8", "backslashreplace").decode(), area))


_RESTORE = "stop the server and restore the newest backup that `runapi ledger verify` finds right"
REMEDIES: Mapping[Area, str] = {
    Area.CHAIN: f"somebody or the disk changed the file: {_RESTORE}",
    Area.RULES: f"no RunAPI writes such a row: {_RESTORE}, and find out who wrote it",
    Area.PRICES: (
        "compare the row with `runapi prices show --model MODEL`; put a wrong charge right with `runapi accounts adjust`"
    ),
    Area.REQUESTS: (
        "the transfers count: what the customer paid stands there; take the request's row from a backup"
    ),
    Area.BALANCES: f"the rows count, the balance was changed beside them: {_RESTORE}",
    Area.HOLDS: f"the rows count, the hold was changed beside them: {_RESTORE}",
    Area.SUMS: f"a balance was changed without its counterpart: {_RESTORE}",
}
"""What to do about a fault, by where it is."""
