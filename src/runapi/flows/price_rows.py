"""What the price commands show, as rows whose fields are JSON. Prices are USD per 1,000,000 tokens, as decimals."""

import msgspec

from runapi.core.money import usd_per_1m
from runapi.core.price_book import TIERS, PriceVersion, RateChange
from runapi.core.pricing import PriceTable, Rates
from runapi.flows.operator_rows import utc


class RatesRow(msgspec.Struct, frozen=True):
    input: str
    cached: str
    cache_write: str
    output: str


class PublishedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A published price of one model."""

    model: str
    version: int
    published_at: str
    policy: str
    source: str
    long_threshold: int | None
    ours: dict[str, RatesRow]  # by tier, tiers without rates of their own left out
    official: dict[str, RatesRow]


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that differs; a threshold is tokens."""

    seller: str
    tier: str
    rate: str
    old: str | None
    new: str | None


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication changes for one model; no figures if it is the policy alone."""

    model: str
    old_policy: str | None  # None: the model had no price
    policy: str
    changes: list[ChangeRow]


class PriceDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication would change; or, with `published`, what it changed."""

    version: int  # the newest before
    digest: str  # of the models; give it to prices.publish so that nothing else is published
    models: list[ModelChange]
    published: int | None = None  # the version that it became; None: nothing was published


def price_row(price: PriceVersion) -> PublishedPrice:
    return PublishedPrice(
        model=price.model,
        version=price.version,
        published_at=utc(price.published_us),
        policy=price.policy,
        source=price.source,
        long_threshold=price.ours.long_threshold,
        ours=_tiers(price.ours),
        official=_tiers(price.official),
    )


def change_row(change: RateChange) -> ChangeRow:
    return ChangeRow(
        seller=change.seller,
        tier=change.tier,
        rate=change.rate,
        old=_figure(change.rate, change.old),
        new=_figure(change.rate, change.new),
    )


def _figure(rate: str, value: int | None) -> str | None:
    if value is None:
        return None
    return str(value) if rate == "threshold" else usd_per_1m(value)


def _tiers(table: PriceTable) -> dict[str, RatesRow]:
    return {tier: _rates(rates) for tier in TIERS if isinstance(rates := getattr(table, tier), Rates)}


def _rates(rates: Rates) -> RatesRow:
    return RatesRow(
        usd_per_1m(rates.input),
        usd_per_1m(rates.cached),
        usd_per_1m(rates.cache_write),
        usd_per_1m(rates.output),
    )
