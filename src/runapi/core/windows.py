"""How much a key has used of what it may: spending in calendar windows (UTC), requests and tokens a minute.

State machines in whole numbers; the clock comes in as an argument. Calendar windows go by the wall clock and never back;
minutes go by a monotonic one, so that setting the clock neither opens nor closes anything.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)
_NEVER_US = 2**63 - 1


class Span(StrEnum):
    """The calendar windows of spending limits."""

    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    TOTAL = "total"


def bounds(span: Span, at_us: int) -> tuple[int, int]:
    """The first microsecond of the window that holds `at_us`, and that of the next window."""
    day = _EPOCH + timedelta(days=at_us // DAY_US)
    match span:
        case Span.DAY:
            first, following = day, day + timedelta(days=1)
        case Span.WEEK:
            first = day - timedelta(days=day.weekday())
            following = first + timedelta(days=7)
        case Span.MONTH:
            first = day.replace(day=1)
            following = (first + timedelta(days=31)).replace(day=1)
        case Span.TOTAL:
            return 0, _NEVER_US
    return _us(first), _us(following)


class SpendWindow:
    """What was spent in the present window, and what is set aside for requests that run.

    A charge counts in the window in which its request was admitted, as it does in a sum over the request rows.
    """

    __slots__ = ("end_us", "limit_nano", "reserved_nano", "span", "spent_nano", "start_us")

    def __init__(self, span: Span, limit_nano: int, now_us: int, spent_nano: int = 0) -> None:
        self.span = span
        self.limit_nano = limit_nano
        self.spent_nano = spent_nano
        self.reserved_nano = 0
        self.start_us, self.end_us = bounds(span, now_us)

    @property
    def resets_us(self) -> int | None:
        """When spending begins anew; None: never."""
        return None if self.span is Span.TOTAL else self.end_us

    def roll(self, now_us: int) -> None:
        """Begin the window that `now_us` is in, if it is a later one."""
        if now_us >= self.end_us:
            self.start_us, self.end_us = bounds(self.span, now_us)
            self.spent_nano = self.reserved_nano = 0

    def room_nano(self) -> int:
        """What may still be set aside; below 0 once a limit was lowered below what is spent."""
        return self.limit_nano - self.spent_nano - self.reserved_nano

    def reserve(self, amount_nano: int, admitted_us: int) -> None:
        """Set aside more (or, below 0, less) for a request, if it was admitted in this window."""
        if admitted_us >= self.start_us:
            self.reserved_nano += amount_nano

    def settle(self, reserved_nano: int, charged_nano: int, admitted_us: int) -> None:
        """End a reservation by a charge; one from an earlier window changes nothing in this one."""
        if admitted_us >= self.start_us:
            self.reserved_nano -= reserved_nano
            self.spent_nano += charged_nano


class PerMinute:
    """A limit per minute by GCRA: at most `limit` at once, and then as they flow back, one every minute / `limit`.

    All in units of 1/limit microseconds, in which the time that one unit takes is whole: nothing is ever rounded.
    """

    __slots__ = ("_full_at", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._full_at = 0  # when everything that was taken will have flowed back

    def wait_us(self, cost: int, ticks_us: int) -> int:
        """How long until `cost` may be taken: 0 if now. More than the limit counts as the limit."""
        cost = min(cost, self.limit)
        now = ticks_us * self.limit
        early = max(self._full_at, now) + cost * MINUTE_US - (now + self.limit * MINUTE_US)
        return -(-early // self.limit) if early > 0 else 0

    def take(self, cost: int, ticks_us: int) -> None:
        """Take `cost`, whether there is room or not; later requests wait for what was too much."""
        self._full_at = max(self._full_at, ticks_us * self.limit) + cost * MINUTE_US

    def correct(self, more: int, ticks_us: int) -> None:
        """Take `more` than was thought or, below 0, give back."""
        if more > 0:
            self.take(more, ticks_us)
        else:
            self._full_at += more * MINUTE_US


def _us(day: date) -> int:
    at = datetime.combine(day, time(), UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return at.days * DAY_US
