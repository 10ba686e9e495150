"""What models cost from when on: published price versions, which nothing ever changes, and how new ones are made.

A policy says how a model's price follows from its catalogue entry. It is kept with the price, so that the next
publication applies it again:

    catalogue           the catalogue's own `ours` (half of official, unless models.yaml says otherwise)
    0.6 x official      every official rate times 0.6

A product that is no whole number of micro-dollars per 1,000,000 tokens is rounded UP, once, when it is published:
never below what the policy says, and less than one micro-dollar per 1,000,000 tokens above it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from runapi.core.catalog import Catalog, Model
from runapi.core.money import MOST_USD_PER_1M, PICO_PER_TOKEN_PER_USD_PER_1M
from runapi.core.pricing import PriceTable, Rates

CATALOGUE = "catalogue"
RATIO_ONE_PPM = 1_000_000
HIGHEST_RATIO = 100
MOST_PICO_PER_TOKEN = (
    MOST_USD_PER_1M * PICO_PER_TOKEN_PER_USD_PER_1M - 1
)  # the dearest price a catalogue can name
TIERS = ("standard", "long", "flex", "flex_long", "priority")

_RATIO = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,6}))?", re.ASCII)
_OF_OFFICIAL = " x official"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one model is to cost, and why."""

    model: str
    ours: PriceTable
    official: PriceTable
    policy: str
    source: str  # where the official prices are from


class PriceVersion(Price, frozen=True, kw_only=True):
    """A published price. `version` counts publications; a version has a row for each model that it changed."""

    version: int
    published_us: int


class RateChange(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that a publication changes. Rates are pico-dollars per token, thresholds are tokens."""

    model: str
    seller: str  # "ours" or "official"
    tier: str
    rate: str  # input, output, cached, cache_write; or "threshold", of the tier "long"
    old: int | None  # None: there was none
    new: int | None


class PriceBook:
    """The price in force of every model that has one. A model that has none is not served, least of all for nothing."""

    def __init__(self, versions: Iterable[PriceVersion] = ()) -> None:
        """Take published versions in any order; of each model the newest is in force."""
        in_force: dict[str, PriceVersion] = {}
        for version in sorted(versions, key=lambda version: version.version):
            in_force[version.model] = version
        self.in_force: Mapping[str, PriceVersion] = in_force

    def get(self, model: str) -> PriceVersion | None:
        return self.in_force.get(model)

    @property
    def newest(self) -> int:
        """The number of the newest publication among those in force; 0 before the first."""
        return max((version.version for version in self.in_force.values()), default=0)

    def unpriced(self, catalog: Catalog) -> list[str]:
        """The models of the catalogue that cannot be served yet."""
        return [model for model in catalog.models if model not in self.in_force]


def ratio_policy(ratio: str) -> str:
    """Write the policy for a ratio such as "0.6", or "catalogue", in its one canonical form.

    Raises:
        ValueError: not a plain decimal above 0 and at most HIGHEST_RATIO, with at most six decimals.
    """
    if ratio == CATALOGUE:
        return CATALOGUE
    match = _RATIO.fullmatch(ratio)
    ppm = int(match[1]) * RATIO_ONE_PPM + int((match[2] or "").ljust(6, "0")) if match else 0
    if not 0 < ppm <= HIGHEST_RATIO * RATIO_ONE_PPM:
        raise ValueError(
            f"{ratio[:40]!r} is not a ratio: give a decimal above 0 and at most {HIGHEST_RATIO}, with at most 6 "
            f"decimals, such as 0.5; or the word {CATALOGUE}"
        )
    whole, part = divmod(ppm, RATIO_ONE_PPM)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".") + _OF_OFFICIAL


def apply_policy(policy: str, model: Model) -> PriceTable:
    """Price `model` as `policy` says.

    Raises:
        ValueError: no such policy, or a rate would exceed what a catalogue can name.
    """
    if policy == CATALOGUE:
        return model.ours
    whole, _, part = ratio_policy(policy.removesuffix(_OF_OFFICIAL)).removesuffix(_OF_OFFICIAL).partition(".")
    ppm = int(whole) * RATIO_ONE_PPM + int(part.ljust(6, "0"))
    table = model.official
    return PriceTable(
        standard=_scaled(table.standard, ppm, model.id),
        long_threshold=table.long_threshold,
        **{
            tier: None if rates is None else _scaled(rates, ppm, model.id)
            for tier in TIERS[1:]
            for rates in (getattr(table, tier),)
        },
    )


def propose(catalog: Catalog, book: PriceBook, policies: Mapping[str, str]) -> list[Price]:
    """List the prices that a publication would put in force: those that differ from what is.

    Args:
        catalog: the models as they are now.
        book: the prices in force.
        policies: the policies to change, by model. Others keep theirs; a model without a price gets CATALOGUE.

    Raises:
        ValueError: a policy cannot be applied.
    """
    return [price for price in _prices(catalog, book, policies) if _differs(book.get(price.model), price)]


def changes(old: Price | None, new: Price) -> list[RateChange]:
    """List every figure that differs, ours before the official ones, in the order of the price list."""
    return [
        RateChange(
            model=new.model, seller=seller, tier=tier, rate=rate, old=before.get(place), new=after.get(place)
        )
        for seller in ("ours", "official")
        for before, after in ((_figures(getattr(old, seller, None)), _figures(getattr(new, seller))),)
        for place in {**after, **before}
        for tier, rate in (place,)
        if before.get(place) != after.get(place)
    ]


def _prices(catalog: Catalog, book: PriceBook, policies: Mapping[str, str]) -> Iterator[Price]:
    for model in catalog.models.values():
        before = book.get(model.id)
        policy = policies.get(model.id) or (before.policy if before else CATALOGUE)
        yield Price(
            model=model.id,
            ours=apply_policy(policy, model),
            official=model.official,
            policy=policy,
            source=model.source,
        )


def _differs(before: PriceVersion | None, price: Price) -> bool:
    """Whether to publish: another source alone is no other price."""
    return before is None or (before.ours, before.official, before.policy) != (
        price.ours,
        price.official,
        price.policy,
    )


def _scaled(rates: Rates, ppm: int, model: str) -> Rates:
    scaled = [-(-price * ppm // RATIO_ONE_PPM) for price in msgspec.structs.astuple(rates)]
    if max(scaled) > MOST_PICO_PER_TOKEN:
        raise ValueError(f"this ratio of the official price of {model} is more than a price can be")
    return Rates(*scaled)


def _figures(table: PriceTable | None) -> dict[tuple[str, str], int]:
    """Every figure of a table by tier and rate."""
    if table is None:
        return {}
    figures = {
        (tier, rate): getattr(rates, rate)
        for tier in TIERS
        if (rates := getattr(table, tier)) is not None
        for rate in Rates.__struct_fields__
    }
    if table.long_threshold is not None:
        figures["long", "threshold"] = table.long_threshold
    return figures
