"""The limits of keys, and what keys have spent of them."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, or_, select

from runapi.core.limits import KeyLimits
from runapi.core.windows import Span, bounds
from runapi.store.price_schema import key_limit
from runapi.store.schema import api_key, request

_SPENDS = {span: key_limit.c[f"spend_{span}_nano"] for span in Span}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


def set_limits(connection: Connection, key_id: int, limits: KeyLimits) -> None:
    """Give a key these limits in the place of those it had."""
    connection.execute(delete(key_limit).where(key_limit.c.key_id == key_id))
    if limits != KeyLimits():
        connection.execute(insert(key_limit).values(key_id=key_id, **_values(limits)))


def read_limits(connection: Connection, key_id: int) -> KeyLimits:
    """Give the limits of one key; no limits at all where it has none."""
    row = connection.execute(select(key_limit).where(key_limit.c.key_id == key_id)).one_or_none()
    return KeyLimits() if row is None else _limits(row)


def load_limits(connection: Connection) -> dict[int, KeyLimits]:
    """Give the limits of every key in force that has any, by key id."""
    query = select(key_limit).join(api_key).where(api_key.c.revoked_us.is_(None))
    return {row.key_id: _limits(row) for row in connection.execute(query)}


def load_spent(
    connection: Connection, now_us: int, key_ids: Collection[int] | None = None
) -> dict[int, dict[Span, int]]:
    """Add up what keys with spending limits were charged in the windows that hold `now_us`, by key id.

    Reads the request rows of those keys' accounts alone: since the month (or week) began, and all of them only for
    keys that have a limit in total. `key_ids` are the only ones of interest, if given.
    """
    spent: dict[int, dict[Span, int]] = {}
    calendar = [Span.DAY, Span.WEEK, Span.MONTH]
    for spans in (calendar, [Span.TOTAL]):
        starts = {span: bounds(span, now_us)[0] for span in spans}
        sums = [_sum_since(start).label(span) for span, start in starts.items()]
        query = (
            select(key_limit.c.key_id, *sums)
            .join(api_key)
            .join(
                request, (request.c.account_id == api_key.c.account_id) & (request.c.key_id == api_key.c.id)
            )
            .where(or_(*(_SPENDS[span].is_not(None) for span in spans)))
            .where(request.c.at_us >= min(starts.values()))
            .group_by(key_limit.c.key_id)
        )
        if key_ids is not None:
            query = query.where(key_limit.c.key_id.in_(key_ids))
        for row in connection.execute(query).mappings():
            spent.setdefault(row["key_id"], {}).update({span: int(row[span]) for span in spans})
    return spent


def _sum_since(start_us: int) -> ColumnElement[int]:
    return func.sum(case((request.c.at_us >= start_us, request.c.cost_nano), else_=0))


def _values(limits: KeyLimits) -> dict[str, object]:
    return {
        **{f"spend_{span}_nano": limits.spend_nano.get(span) for span in Span},
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent": limits.concurrent,
        "models": None if limits.models is None else _encode(limits.models).decode(),
        "networks": None if limits.networks is None else _encode(limits.networks).decode(),
        "expires_us": limits.expires_us,
    }


def _limits(row: Row[Any]) -> KeyLimits:
    spends = {span: getattr(row, f"spend_{span}_nano") for span in Span}
    return KeyLimits(
        spend_nano={span: nano for span, nano in spends.items() if nano is not None},
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        concurrent=row.concurrent,
        models=None if row.models is None else _decode(row.models),
        networks=None if row.networks is None else _decode(row.networks),
        expires_us=row.expires_us,
    )
