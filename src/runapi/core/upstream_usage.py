"""What an upstream says that it served, and what our rows say of the same days.

Days are UTC. `input_tokens` counts every input token, cached or not; `cached_tokens` is a part of it.
"""

from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from runapi.core.pricing import Rates

MOST_COUNT: Final = 10**15
MOST_COST_NANO: Final = 10**18
LONGEST_MODEL: Final = 256
MOST_ROWS: Final = 20_000  # of an export: days and models
MOST_DAYS: Final = 400
NEAR_MIDNIGHT_S: Final = 600

Count = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
Cost = Annotated[int, Meta(ge=0, le=MOST_COST_NANO)]
ModelName = Annotated[str, Meta(min_length=1, max_length=LONGEST_MODEL)]


class ExportRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an upstream says it served of one model on one day (UTC)."""

    day: date
    model: ModelName
    requests: Count
    input_tokens: Count
    cached_tokens: Count
    output_tokens: Count
    cost_nano: Cost | None = None  # what it billed


class UsageExport(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream says of some days, each of which is covered even where it has no row."""

    first_day: date
    last_day: date
    rows: tuple[ExportRow, ...]
    partial_days: tuple[date, ...] = ()  # covered in part
    goes_on: bool = False  # there are further pages


class OurRow(msgspec.Struct, frozen=True, kw_only=True):
    """Our requests of one day and model that reached an upstream."""

    day: date
    upstream_model: str  # the name it was called by there
    model: str  # ours
    requests: int  # those with usage; tokens and cost are theirs
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_nano: int  # what they cost the operator, by the official price and the upstream's ratio
    estimated: int  # of them, counted here
    failed: int  # of them, failed after a part of the answer
    cancelled: int  # the client left, with usage or without
    uncounted: int  # ended without usage, and were not cancelled
    more_attempts: int  # calls before the one that these rows are about
    near_begin: int  # began shortly after the day did
    near_end: int  # ended shortly before the day did, or after it


class Interrupted(msgspec.Struct, frozen=True):
    """Requests that a crash of this server cut off: nobody knows which upstream had them."""

    day: date
    model: str  # ours
    requests: int


class Counts(msgspec.Struct, frozen=True):
    """What one side says."""

    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def minus(self, other: "Counts") -> "Counts":
        return Counts(
            self.requests - other.requests,
            self.input_tokens - other.input_tokens,
            self.cached_tokens - other.cached_tokens,
            self.output_tokens - other.output_tokens,
        )

    def plus(self, other: "Counts") -> "Counts":
        return self.minus(Counts().minus(other))

    def official_pico(self, rates: Rates) -> int:
        """What they cost at the official standard rates."""
        uncached = self.input_tokens - self.cached_tokens
        return uncached * rates.input + self.cached_tokens * rates.cached + self.output_tokens * rates.output
