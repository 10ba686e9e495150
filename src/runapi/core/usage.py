"""What a request consumed. The kinds are disjoint: each token is counted in exactly one of them."""

from enum import StrEnum

import msgspec

MOST_TOKENS = 10_000_000
"""A count above this is not believed (reliability rule F-32): no model's context is near it."""


class UsageSource(StrEnum):
    """Where the counts come from."""

    REPORTED = "reported"  # the upstream said so
    ESTIMATED = "estimated"  # counted here: the upstream did not say, or said nonsense
    NONE = "none"  # nothing was delivered, nothing is counted


class Usage(msgspec.Struct, frozen=True):
    """Disjoint token counts of one request; `reasoning` alone is a part of `output`, kept for display."""

    input: int = 0  # uncached input
    cached: int = 0  # input read from the upstream's prompt cache
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def all_input(self) -> int:
        """Every input token, cached or not: what decides the long-context tier."""
        return self.input + self.cached + self.cache_write

    @property
    def total(self) -> int:
        return self.all_input + self.output
