"""What accounts consumed, added up from the rows of their requests."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, func, select

from runapi.core.keys import Mode
from runapi.core.records import Outcome
from runapi.core.usage import Usage, UsageSource
from runapi.store.schema import api_key, request

MOST_LOOKED_AT = 1_000  # rows of an account, for what is typical of it
MOST_TYPICAL = 100


class UsageSum(msgspec.Struct, frozen=True):
    """The sums over one group of requests; `model` and `key_id` are None where they were not grouped by."""

    model: str | None
    key_id: int | None
    requests: int
    usage: Usage
    cost_nano: int


def sum_usage(
    connection: Connection,
    account_id: int,
    mode: Mode,
    start_us: int,
    end_us: int,
    *,
    group_by: Collection[str] = (),
) -> list[UsageSum]:
    """Add up an account's requests of one mode that arrived from `start_us` to before `end_us`.

    Requests that were refused before they were admitted consumed nothing and are not among them.

    Args:
        connection: in a transaction.
        account_id: whose.
        mode: live or test.
        start_us: the first microsecond.
        end_us: the first one that is not counted.
        group_by: any of "model" and "key".
    """
    groups = {"model": request.c.model, "key": request.c.key_id}
    chosen = [column for name, column in groups.items() if name in group_by]
    counts = (
        *(request.c.input_tokens, request.c.cached_tokens, request.c.cache_write_tokens),
        *(request.c.output_tokens, request.c.reasoning_tokens, request.c.cost_nano),
    )
    query = (
        select(
            *chosen, func.count().label("requests"), *(func.sum(count).label(count.name) for count in counts)
        )
        .where(request.c.account_id == account_id, request.c.at_us >= start_us, request.c.at_us < end_us)
        .where(request.c.mode == mode.value, request.c.outcome != Outcome.REFUSED.value)
        .group_by(*chosen)
    )
    found = [row for row in connection.execute(query).mappings() if row["requests"]]
    return [
        UsageSum(
            row.get("model"),
            row.get("key_id"),
            row["requests"],
            Usage(*(int(row[count.name]) for count in counts[:-1])),  # PostgreSQL's sums are decimals
            int(row["cost_nano"]),
        )
        for row in found
    ]


def list_recent_outputs(connection: Connection, account_id: int, mode: Mode, model: str) -> list[int]:
    """Give the output tokens of the newest answers that an account had from a model, in full length, newest first.

    Looks at the account's last 1,000 requests and no further.
    """
    columns = (request.c.at_us, request.c.mode, request.c.model, request.c.outcome, request.c.usage_source)
    newest = (
        select(*columns, request.c.output_tokens)
        .where(request.c.account_id == account_id)
        .order_by(request.c.at_us.desc())
        .limit(MOST_LOOKED_AT)
        .subquery()
    )
    query = (
        select(newest.c.output_tokens)
        .where(newest.c.mode == mode.value, newest.c.model == model)
        .where(
            newest.c.outcome == Outcome.COMPLETED.value, newest.c.usage_source == UsageSource.REPORTED.value
        )
        .order_by(newest.c.at_us.desc())
        .limit(MOST_TYPICAL)
    )
    return list(connection.execute(query).scalars())


def list_key_prefixes(connection: Connection, account_id: int) -> dict[int, str]:
    """Give the visible prefix of each key of an account, revoked ones too, by the key's id."""
    rows = connection.execute(
        select(api_key.c.id, api_key.c.prefix).where(api_key.c.account_id == account_id)
    )
    return {row.id: row.prefix for row in rows}
