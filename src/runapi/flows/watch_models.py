"""Say how each model does at this moment: whether anything serves it, and how its newest requests went."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from runapi.store.database import Database
from runapi.store.recent_traffic import RecentRequest, list_recent_traffic
from runapi.upstream.pool import UpstreamPool

WINDOW_S = 3600
LEAST_REQUESTS = 5
"""Fewer requests than this say nothing about a model."""

TROUBLED_PERCENT = 5
FAILING_PERCENT = 50
_US_PER_S = 1_000_000
_US_PER_MS = 1_000


class Condition(StrEnum):
    """How a model does, in one word."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"  # more than TROUBLED_PERCENT of its requests failed
    FAILING = "failing"  # ... more than FAILING_PERCENT
    SANDBOX = "sandbox"  # nothing serves it to live keys


class ModelState(msgspec.Struct, frozen=True):
    """One model in the last hour."""

    condition: Condition
    upstreams: int  # how many serve it, be it that they are limited for the moment
    requests: int
    failures: int
    first_byte_ms: int | None = None  # the median; None: too few requests to say

    @property
    def success_percent(self) -> int | None:
        """Whole percent of requests that got their answer, rounded down; None: too few to say."""
        if self.requests < LEAST_REQUESTS:
            return None
        return (self.requests - self.failures) * 100 // self.requests


class ModelWatch:
    """Looks at the models of an installation when asked to."""

    def __init__(
        self, database: Database, pool: UpstreamPool, models: Sequence[str], now_us: Callable[[], int]
    ) -> None:
        """Take the models to look at, and the clock in Unix microseconds."""
        self._database = database
        self._pool = pool
        self._models = models
        self._now_us = now_us

    async def look(self) -> tuple[int, Mapping[str, ModelState]]:
        """The moment, in Unix microseconds, and the state of each model then.

        Raises:
            StoreFault: the database could not be read.
        """
        now_us = self._now_us()
        rows = await self._database.run(list_recent_traffic, now_us - WINDOW_S * _US_PER_S)
        by_model: dict[str, list[RecentRequest]] = {model: [] for model in self._models}
        for row in rows:
            by_model.setdefault(row.model, []).append(row)
        return now_us, {
            model: judge(by_model[model], self._pool.count_serving(model)) for model in self._models
        }


def judge(rows: Sequence[RecentRequest], upstreams: int) -> ModelState:
    """Judge one model by its newest requests and the number of upstreams that serve it."""
    failures = sum(row.failed for row in rows)
    times = sorted(row.first_byte_us for row in rows if row.first_byte_us is not None and not row.failed)
    median_ms = times[(len(times) - 1) // 2] // _US_PER_MS if len(times) >= LEAST_REQUESTS else None
    return ModelState(_condition(len(rows), failures, upstreams), upstreams, len(rows), failures, median_ms)


def _condition(requests: int, failures: int, upstreams: int) -> Condition:
    if not upstreams:
        return Condition.SANDBOX
    if requests >= LEAST_REQUESTS:
        if failures * 100 > FAILING_PERCENT * requests:
            return Condition.FAILING
        if failures * 100 > TROUBLED_PERCENT * requests:
            return Condition.DEGRADED
    return Condition.OPERATIONAL
