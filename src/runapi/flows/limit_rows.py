"""What the key limit command shows, as rows whose fields are JSON. Amounts are exact decimal strings in USD."""

import msgspec

from runapi.core.accounts import Key
from runapi.core.limits import KeyLimits
from runapi.core.money import usd
from runapi.core.windows import Span, bounds
from runapi.flows.operator_rows import utc


class SpendRow(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit, and what is spent of it."""

    limit_usd: str
    spent_usd: str
    resets_at: str | None


class LimitsRow(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one key; null is no limit."""

    id: int
    prefix: str
    account: str
    spend_day: SpendRow | None
    spend_week: SpendRow | None
    spend_month: SpendRow | None
    spend_total: SpendRow | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent: int | None
    models: tuple[str, ...] | None
    networks: tuple[str, ...] | None
    expires_at: str | None


def limits_row(key: Key, limits: KeyLimits, spent_nano: dict[Span, int], now_us: int) -> LimitsRow:
    def spend(span: Span) -> SpendRow | None:
        limit_nano = limits.spend_nano.get(span)
        if limit_nano is None:
            return None
        resets_at = None if span is Span.TOTAL else utc(bounds(span, now_us)[1])
        return SpendRow(
            limit_usd=usd(limit_nano), spent_usd=usd(spent_nano.get(span, 0)), resets_at=resets_at
        )

    return LimitsRow(
        id=key.id,
        prefix=key.prefix,
        account=key.account,
        spend_day=spend(Span.DAY),
        spend_week=spend(Span.WEEK),
        spend_month=spend(Span.MONTH),
        spend_total=spend(Span.TOTAL),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        concurrent=limits.concurrent,
        models=limits.models,
        networks=limits.networks,
        expires_at=None if limits.expires_us is None else utc(limits.expires_us),
    )
