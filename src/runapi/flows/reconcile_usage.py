"""Compare our request rows with what an upstream says that it served, and explain what differs."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from runapi.core.catalog import Catalog
from runapi.core.reconcile import Names, compare
from runapi.core.upstream_usage import MOST_DAYS, MOST_ROWS, ExportRow, Interrupted, OurRow, UsageExport
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_upstream_name, did_you_mean, quoted
from runapi.flows.reconciliation_rows import ReconciliationRow, reconciliation_row
from runapi.store.database import Database
from runapi.store.upstream_usage import count_interrupted, sum_upstream_usage
from runapi.store.upstreams import list_upstreams

FIRST_YEAR, LAST_YEAR = 2000, 2099
_ONE_DAY = timedelta(days=1)


class ReconcileUsage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An export, as `wire.usage_export` reads it from a file."""

    first_day: date
    last_day: date
    rows: Annotated[list[ExportRow], Meta(max_length=MOST_ROWS)]
    partial_days: Annotated[list[date], Meta(max_length=MOST_DAYS)] = []
    upstream: str | None = None  # only what this one answered


async def reconcile_usage(database: Database, office: Office, asked: ReconcileUsage) -> ReconciliationRow:
    """Compare every model and day of the export, and of ours in the same days. Nothing is changed."""
    _check(asked)
    upstream = None if asked.upstream is None else check_upstream_name(asked.upstream)
    maps = await database.run(_read_models)
    ours: list[OurRow] = []
    interrupted: list[Interrupted] = []
    # A day more on both sides: what ended near midnight may stand on the other side of it.
    for number in range(-1, (asked.last_day - asked.first_day).days + 2):
        day = asked.first_day + timedelta(days=number)
        ours += await database.run(sum_upstream_usage, day, upstream)
        interrupted += await database.run(count_interrupted, day)
    if upstream is not None and upstream not in maps and not ours:
        raise CommandRefused(
            f"There is no upstream named {quoted(upstream)}, and no request of these days.{did_you_mean(upstream, maps)}"
        )
    used = {name: models for name, models in maps.items() if upstream in {None, name}}
    compared = compare(_export(office, asked), ours, interrupted, _names(office.catalog, used))
    return reconciliation_row(asked.first_day, asked.last_day, upstream, compared)


def _check(asked: ReconcileUsage) -> None:
    """Accept what a file can say: the command line has checked it, another caller may not have."""
    first, last = asked.first_day, asked.last_day
    if not (first.year >= FIRST_YEAR and last.year <= LAST_YEAR and 0 <= (last - first).days < MOST_DAYS):
        raise CommandRefused(
            f"{first} to {last} cannot be compared: give 1 to {MOST_DAYS} days, in their order, of the years "
            f"{FIRST_YEAR} to {LAST_YEAR}."
        )
    seen = set()
    for row in asked.rows:
        if not first <= row.day <= last:
            raise CommandRefused(f"A row is of {row.day}, which is not within {first} to {last}.")
        if row.cached_tokens > row.input_tokens:
            raise CommandRefused(
                f"The row of {row.day} {quoted(row.model)} has more cached tokens than input tokens."
            )
        if not row.model.isprintable():
            raise CommandRefused(f"{quoted(row.model)} is no name of a model.")
        if (row.day, row.model) in seen:
            raise CommandRefused(f"There are two rows of {row.day} {quoted(row.model)}.")
        seen.add((row.day, row.model))


def _read_models(connection: Connection) -> dict[str, Mapping[str, str]]:
    """The models of each upstream: our id -> its name."""
    return {stored.upstream.name: stored.upstream.models for stored in list_upstreams(connection)}


def _export(office: Office, asked: ReconcileUsage) -> UsageExport:
    today = datetime.fromtimestamp(office.now_us() // 1_000_000, UTC).date()
    return UsageExport(
        first_day=asked.first_day,
        last_day=asked.last_day,
        rows=tuple(asked.rows),
        partial_days=(*asked.partial_days, today),
    )


def _names(catalog: Catalog, maps: Mapping[str, Mapping[str, str]]) -> Names:
    """Join the catalogue's names with those that upstreams were given. A snapshot is the model that it is one of."""
    models = catalog.models.values()
    aliases = {model.snapshot: model.id for model in models if model.snapshot is not None}
    ours = {model.id: model.id for model in models}
    for mapped in maps.values():
        for our_model, theirs in mapped.items():
            ours[aliases.get(theirs, theirs)] = our_model
    return Names(aliases, ours, {model.id: model.official.standard for model in models})
