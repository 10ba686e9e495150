"""What our request rows say that upstreams served, a day at a time."""

from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from runapi.core.keys import Mode
from runapi.core.ledger.recover import ERROR_CODE
from runapi.core.records import Outcome
from runapi.core.upstream_usage import NEAR_MIDNIGHT_S, Interrupted, OurRow
from runapi.core.usage import UsageSource
from runapi.store.schema import request

_DAY_US = 86_400 * 1_000_000
_NEAR_US = NEAR_MIDNIGHT_S * 1_000_000


def sum_upstream_usage(connection: Connection, day: date, upstream: str | None = None) -> list[OurRow]:
    """Add up the live requests that arrived on a day (UTC) and reached an upstream, by its model and ours.

    Args:
        connection: in a transaction.
        day: which.
        upstream: only those that this one answered, or was the last to fail.
    """
    begin_us = _begin_us(day)
    columns = request.c
    ended_us = columns.at_us + columns.total_us
    is_counted = columns.usage_source != UsageSource.NONE.value
    is_cancelled = columns.outcome == Outcome.CANCELLED.value
    sums = {
        "requests": _count(is_counted),
        "input_tokens": _sum(
            columns.input_tokens + columns.cached_tokens + columns.cache_write_tokens, is_counted
        ),
        "cached_tokens": _sum(columns.cached_tokens, is_counted),
        "output_tokens": _sum(columns.output_tokens, is_counted),
        "cost_nano": _sum(columns.upstream_cost_nano, is_counted),
        "estimated": _count(columns.usage_source == UsageSource.ESTIMATED.value),
        "failed": _count(and_(is_counted, columns.outcome == Outcome.FAILED.value)),
        "cancelled": _count(is_cancelled),
        "uncounted": _count(and_(~is_counted, ~is_cancelled)),
        "more_attempts": func.sum(columns.attempts - 1),
        "near_begin": _count(columns.at_us < begin_us + _NEAR_US),
        "near_end": _count(
            and_(columns.at_us >= begin_us + _NEAR_US, ended_us >= begin_us + _DAY_US - _NEAR_US)
        ),
    }
    query = (
        select(columns.upstream_model, columns.model, *(total.label(name) for name, total in sums.items()))
        .where(*_of_day(day), columns.upstream.is_not(None), columns.attempts > 0)
        .group_by(columns.upstream_model, columns.model)
    )
    if upstream is not None:
        query = query.where(columns.upstream == upstream)
    return [
        OurRow(
            day=day,
            upstream_model=row["upstream_model"] or row["model"],
            model=row["model"],
            **{name: int(row[name]) for name in sums},  # PostgreSQL's sums are decimals
        )
        for row in connection.execute(query).mappings()
    ]


def count_interrupted(connection: Connection, day: date) -> list[Interrupted]:
    """Count the live requests of a day that a crash of this server cut off."""
    columns = request.c
    query = (
        select(columns.model, func.count())
        .where(*_of_day(day), columns.upstream.is_(None), columns.error_code == ERROR_CODE)
        .group_by(columns.model)
    )
    return [Interrupted(day, model, count) for model, count in connection.execute(query)]


def _of_day(day: date) -> tuple[ColumnElement[bool], ...]:
    begin_us = _begin_us(day)
    columns = request.c
    return (
        columns.at_us >= begin_us,
        columns.at_us < begin_us + _DAY_US,
        columns.mode == Mode.LIVE.value,
    )


def _begin_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _sum(value: ColumnElement[int], condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
