"""From tokens to money. Pure integer arithmetic; the only place where a charge is computed."""

import msgspec

from runapi.core.money import nano_from_pico
from runapi.core.usage import Usage


class Rates(msgspec.Struct, frozen=True):
    """Pico-dollars per token of each kind. `cached` and `cache_write` fall back to `input`, never to 0."""

    input: int
    output: int
    cached: int
    cache_write: int


class PriceTable(msgspec.Struct, frozen=True):
    """All rates of one model from one seller (OpenAI's, or ours).

    Above `long_threshold` input tokens the long rates price the whole request. A flex request has its own pair.
    Priority has no long pair: OpenAI serves and bills a long priority request as standard (api.md 2.1).
    """

    standard: Rates
    long: Rates | None = None
    long_threshold: int | None = None
    flex: Rates | None = None
    flex_long: Rates | None = None
    priority: Rates | None = None


class Charge(msgspec.Struct, frozen=True):
    """What a request costs: exact in pico-dollars, rounded up once to nano-dollars."""

    pico: int
    nano: int


FREE = Charge(0, 0)


def rates_for(table: PriceTable, usage: Usage, service_tier: str | None) -> Rates:
    """Choose the rates that apply to `usage` at the tier the upstream says it served.

    A tier without rates of its own is priced as standard, as the official price list does; so is a tier without
    long rates when the request is long.
    """
    is_long = table.long_threshold is not None and usage.all_input > table.long_threshold
    match service_tier:
        case "flex" | "batch":
            chosen = table.flex_long if is_long else table.flex
        case "priority" | "fast":
            chosen = None if is_long else table.priority
        case _:
            chosen = None
    if chosen is not None:
        return chosen
    return table.long if is_long and table.long is not None else table.standard


def charge(table: PriceTable, usage: Usage, service_tier: str | None = None) -> Charge:
    """Price `usage` exactly and round up once."""
    rates = rates_for(table, usage, service_tier)
    pico = (
        usage.input * rates.input
        + usage.cached * rates.cached
        + usage.cache_write * rates.cache_write
        + usage.output * rates.output
    )
    return Charge(pico, nano_from_pico(pico))
