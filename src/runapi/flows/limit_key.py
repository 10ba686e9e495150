"""Set and show the limits of a key."""

from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from runapi.core.catalog import Catalog
from runapi.core.keys import is_well_formed, visible_prefix
from runapi.core.limits import KeyLimits, read_network
from runapi.core.orders import nano_from_usd
from runapi.core.windows import Span
from runapi.flows.limit_rows import LimitsRow, limits_row
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import quoted, unknown_model
from runapi.store.key_limits import load_spent, read_limits, set_limits
from runapi.store.keys import find_key

MOST_RATE = 1_000_000_000
MOST_LISTED = 1_000

Text = str | None | UnsetType
Count = int | None | UnsetType
Names = list[str] | None | UnsetType


class LimitKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change: a field that is left out stays as it is, null takes the limit away."""

    key: str  # its visible prefix, its id, or the key itself
    spend_day: Text = UNSET  # USD
    spend_week: Text = UNSET
    spend_month: Text = UNSET
    spend_total: Text = UNSET
    requests_per_minute: Count = UNSET
    tokens_per_minute: Count = UNSET
    concurrent: Count = UNSET
    models: Names = UNSET
    networks: Names = UNSET
    expires: Text = UNSET  # a day or a time in ISO 8601, UTC unless it says otherwise


def limit_key(connection: Connection, office: Office, asked: LimitKey) -> LimitsRow:
    """Change limits of a key, and give all that it then has; what it spent before counts."""
    named = visible_prefix(asked.key) if is_well_formed(asked.key) else asked.key
    key, now_us = find_key(connection, named), office.now_us()
    before = read_limits(connection, key.id)
    limits = KeyLimits(
        spend_nano=_read_spends(asked, before),
        requests_per_minute=_rate(
            "requests per minute", asked.requests_per_minute, before.requests_per_minute
        ),
        tokens_per_minute=_rate("tokens per minute", asked.tokens_per_minute, before.tokens_per_minute),
        concurrent=_rate("concurrent requests", asked.concurrent, before.concurrent),
        models=before.models if asked.models is UNSET else _read_models(office.catalog, asked.models),
        networks=before.networks if asked.networks is UNSET else _read_networks(asked.networks),
        expires_us=before.expires_us if asked.expires is UNSET else _read_expiry(asked.expires, now_us),
    )
    if limits != before:
        set_limits(connection, key.id, limits)
    return limits_row(key, limits, load_spent(connection, now_us, [key.id]).get(key.id, {}), now_us)


def _read_spends(asked: LimitKey, before: KeyLimits) -> dict[Span, int]:
    spends = dict(before.spend_nano)
    given = {
        Span.DAY: asked.spend_day,
        Span.WEEK: asked.spend_week,
        Span.MONTH: asked.spend_month,
        Span.TOTAL: asked.spend_total,
    }
    for span, text in given.items():
        if text is None:
            spends.pop(span, None)
        elif text is not UNSET:
            spends[span] = _read_usd(text)
    return {span: spends[span] for span in Span if span in spends}


def _read_usd(text: str) -> int:
    try:
        return nano_from_usd(text, least_nano=0)
    except ValueError as fault:
        raise CommandRefused(f"{quoted(text)} cannot be a spending limit: {fault}.") from None


def _rate(what: str, asked: Count, before: int | None) -> int | None:
    if asked is UNSET:
        return before
    if asked is not None and not 1 <= asked <= MOST_RATE:
        raise CommandRefused(
            f"The limit of {what} must be a whole number from 1 to {MOST_RATE}, not {asked}."
        )
    return asked


def _read_models(catalog: Catalog, models: list[str] | None) -> tuple[str, ...] | None:
    if models is None:
        return None
    if not models:
        raise CommandRefused("Name at least one model. To end a key, revoke it: runapi keys revoke KEY")
    found: dict[str, None] = {}
    for name in models:
        model = catalog.find(name)
        if model is None:
            raise CommandRefused(unknown_model(catalog, name))
        found[model.id] = None
    return tuple(found)


def _read_networks(networks: list[str] | None) -> tuple[str, ...] | None:
    if networks is None:
        return None
    if not 0 < len(networks) <= MOST_LISTED:
        raise CommandRefused(f"Name 1 to {MOST_LISTED} addresses or networks, such as 192.0.2.0/24.")
    try:
        return tuple(dict.fromkeys(str(read_network(network)) for network in networks))
    except ValueError as fault:
        raise CommandRefused(f"Not an address or a network such as 192.0.2.0/24: {fault}.") from None


def _read_expiry(text: str | None, now_us: int) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        since = at - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CommandRefused(
            f"{quoted(text)} is not a time: give a day such as 2027-01-31, or 2027-01-31T12:00:00Z."
        ) from None
    at_us = (since.days * 86_400 + since.seconds) * 1_000_000
    if at_us <= now_us:
        raise CommandRefused(f"{quoted(text)} is over already. To end a key now: runapi keys revoke KEY")
    return at_us
