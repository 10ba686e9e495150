"""Add up what an account consumed, by day, model and key.

Each day is a transaction of its own, so that a long report keeps nobody's charge waiting.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from runapi.core.account_problems import too_many_rows
from runapi.core.keys import Mode, Principal
from runapi.core.money import usd
from runapi.core.usage import Usage
from runapi.core.windows import DAY_US
from runapi.flows.front_desk import FrontDesk
from runapi.store.database import Database
from runapi.store.usage import UsageSum, list_key_prefixes, sum_usage

GROUPS: Final = ("day", "model", "key")
MOST_DAYS: Final = 366
DEFAULT_DAYS: Final = 30
MOST_ROWS: Final = 10_000
_EPOCH = date(1970, 1, 1)

Group = tuple[str | None, str | None, int | None]
"""Day, model and key id; None where the report is not grouped by it."""


class UsageAsked(msgspec.Struct, frozen=True):
    """A report: from the first day to the last, both included, in UTC."""

    first: date
    last: date
    group_by: tuple[str, ...] = ()


class KeyName(msgspec.Struct, frozen=True):
    """A key, without its secret part."""

    id: int
    prefix: str


class UsageRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums over some requests, and of what they have in common that by which the report is grouped.

    The kinds of tokens are disjoint, but for `reasoning_tokens`, which are a part of `output_tokens`.
    """

    day: str | None = None
    model: str | None = None
    key: KeyName | None = None
    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano: str
    cost_usd: str


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the order of the groups that were asked for, and the sums over all of them."""

    object: str = "usage"
    mode: Mode
    start: str
    end: str
    group_by: tuple[str, ...]
    data: list[UsageRow]
    totals: UsageRow


class _Sum:
    """A sum that grows."""

    __slots__ = ("cost_nano", "requests", "tokens")

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = [0] * len(Usage.__struct_fields__)
        self.cost_nano = 0

    def add(self, more: UsageSum) -> None:
        self.requests += more.requests
        self.tokens = [a + b for a, b in zip(self.tokens, msgspec.structs.astuple(more.usage), strict=True)]
        self.cost_nano += more.cost_nano

    def row(self, day: str | None = None, model: str | None = None, key: KeyName | None = None) -> UsageRow:
        usage = Usage(*self.tokens)
        return UsageRow(
            day=day,
            model=model,
            key=key,
            requests=self.requests,
            input_tokens=usage.input,
            cached_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.output,
            reasoning_tokens=usage.reasoning,
            cost_nano=str(self.cost_nano),
            cost_usd=usd(self.cost_nano),
        )


async def show_usage(
    database: Database, desk: FrontDesk, principal: Principal, asked: UsageAsked
) -> UsageReport:
    """Report what the caller's account consumed in the key's mode.

    Raises:
        Problem: 400, the report would have too many rows.
    """
    groups: dict[Group, _Sum] = {}
    total = _Sum()
    async with desk.reports:
        await desk.written()
        for day in _days(asked):
            for found in await database.run(_sum_day, principal, day, asked.group_by):
                by_day = day.isoformat() if "day" in asked.group_by else None
                groups.setdefault((by_day, found.model, found.key_id), _Sum()).add(found)
                total.add(found)
            if len(groups) > MOST_ROWS:
                raise too_many_rows(MOST_ROWS)
        prefixes = (
            await database.run(list_key_prefixes, principal.account_id) if "key" in asked.group_by else {}
        )
    places = [GROUPS.index(name) for name in asked.group_by]
    ordered = sorted(groups.items(), key=lambda item: [item[0][place] for place in places])
    return UsageReport(
        mode=principal.mode,
        start=asked.first.isoformat(),
        end=asked.last.isoformat(),
        group_by=asked.group_by,
        data=[_row(group, found, prefixes) for group, found in ordered if asked.group_by],
        totals=total.row(),
    )


def today(now_us: int) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(now_us // 1_000_000, UTC).date()


def _days(asked: UsageAsked) -> Iterator[date]:
    for number in range((asked.last - asked.first).days + 1):
        yield asked.first + timedelta(days=number)


def _sum_day(
    connection: Connection, principal: Principal, day: date, group_by: tuple[str, ...]
) -> list[UsageSum]:
    start_us = (day - _EPOCH).days * DAY_US
    return sum_usage(
        connection, principal.account_id, principal.mode, start_us, start_us + DAY_US, group_by=group_by
    )


def _row(group: Group, found: _Sum, prefixes: dict[int, str]) -> UsageRow:
    day, model, key_id = group
    return found.row(day, model, None if key_id is None else KeyName(key_id, prefixes.get(key_id, "")))
