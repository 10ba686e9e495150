"""A charge is exact, rounded up once, and never smaller for more tokens. Checked against fractions written apart."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.pricing import FREE, PriceTable, Rates, charge, rates_for
from runapi.core.usage import MOST_TOKENS, Usage

THRESHOLD = 272_000
STANDARD = Rates(2_500_000, 15_000_000, 250_000, 2_500_000)
LONG = Rates(5_000_000, 22_500_000, 500_000, 5_000_000)
FLEX = Rates(1_250_000, 7_500_000, 125_000, 1_250_000)
FLEX_LONG = Rates(2_500_000, 11_250_000, 250_000, 2_500_000)
PRIORITY = Rates(6_250_000, 37_500_000, 625_000, 6_250_000)
TABLE = PriceTable(STANDARD, LONG, THRESHOLD, FLEX, FLEX_LONG, PRIORITY)
PLAIN = PriceTable(STANDARD)

PRICES = st.integers(0, 10**12 - 1)
TOKENS = st.one_of(
    st.integers(0, 400), st.integers(0, MOST_TOKENS), st.integers(THRESHOLD - 2, THRESHOLD + 2)
)
RATES = st.builds(Rates, PRICES, PRICES, PRICES, PRICES)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, st.integers(0, 100))
TIERS = st.sampled_from([None, "default", "auto", "scale", "flex", "batch", "priority", "fast", "", "Flex"])


@st.composite
def tables(draw: st.DrawFn) -> PriceTable:
    long = draw(st.none() | RATES)
    threshold = None if long is None else draw(st.sampled_from([1, 1_000, THRESHOLD]))
    flex = draw(st.none() | RATES)
    flex_long = draw(RATES) if flex is not None and long is not None else None
    return PriceTable(draw(RATES), long, threshold, flex, flex_long, draw(st.none() | RATES))


def exact_usd(table: PriceTable, usage: Usage, tier: str | None) -> Fraction:
    """The charge in dollars, by the price list's own words: first the tier's name, then the size."""
    size = usage.input + usage.cached + usage.cache_write
    long = table.long_threshold is not None and size > table.long_threshold
    by_tier = {
        "flex": (table.flex, table.flex_long),
        "batch": (table.flex, table.flex_long),
        "priority": (table.priority, None),
        "fast": (table.priority, None),
    }
    rates = by_tier.get(tier or "", (None, None))[long]
    if rates is None:
        rates = table.long if long else table.standard
    assert rates is not None
    usd_per_token = {
        kind: Fraction(getattr(rates, kind), 10**6) / 10**6
        for kind in ("input", "cached", "cache_write", "output")
    }
    return sum((getattr(usage, kind) * price for kind, price in usd_per_token.items()), Fraction(0))


@given(tables(), USAGES, TIERS)
def test_charge_agrees_with_fractions(table, usage, tier):
    charged = charge(table, usage, tier)
    exact = exact_usd(table, usage, tier)
    assert Fraction(charged.pico, 10**12) == exact
    assert charged.nano == ceil(exact * 10**9)
    assert 0 <= Fraction(charged.nano, 10**9) - exact < Fraction(1, 10**9)


@given(tables(), USAGES, TIERS)
def test_charge_fits_the_ledgers_64_bits(table, usage, tier):
    assert 0 <= charge(table, usage, tier).nano < 2**63


@given(
    st.builds(PriceTable, RATES), USAGES, TIERS, st.sampled_from(["input", "cached", "cache_write", "output"])
)
def test_one_token_more_costs_its_rate_more(table, usage, tier, kind):
    counts = {name: getattr(usage, name) for name in ("input", "cached", "cache_write", "output")}
    more = Usage(**counts | {kind: counts[kind] + 1})
    rate = getattr(table.standard, kind)
    before, after = charge(table, usage, tier), charge(table, more, tier)
    assert after.pico - before.pico == rate
    assert after.nano >= before.nano


@given(USAGES, USAGES, TIERS)
def test_more_tokens_never_cost_less_when_long_rates_are_higher(one, other, tier):
    names = ("input", "cached", "cache_write", "output")
    both = Usage(*(max(getattr(one, name), getattr(other, name)) for name in names))
    if tier in ("priority", "fast"):
        tier = None  # a long priority request is billed as standard, which is cheaper
    assert charge(TABLE, both, tier).nano >= max(
        charge(TABLE, one, tier).nano, charge(TABLE, other, tier).nano
    )


@given(tables(), USAGES, TIERS, st.integers(0, MOST_TOKENS))
def test_reasoning_tokens_are_not_charged_beside_the_output_they_are_part_of(table, usage, tier, reasoning):
    counts = (usage.input, usage.cached, usage.cache_write, usage.output)
    assert charge(table, Usage(*counts, reasoning), tier) == charge(table, Usage(*counts), tier)


def test_long_request_is_repriced_as_a_whole():
    at, above = Usage(input=THRESHOLD, output=1_000), Usage(input=THRESHOLD + 1, output=1_000)
    assert charge(TABLE, at).pico == THRESHOLD * STANDARD.input + 1_000 * STANDARD.output
    assert charge(TABLE, above).pico == (THRESHOLD + 1) * LONG.input + 1_000 * LONG.output


@pytest.mark.parametrize(
    "usage",
    [
        Usage(cached=THRESHOLD + 1),
        Usage(cache_write=THRESHOLD + 1),
        Usage(1, THRESHOLD // 2, THRESHOLD // 2, 5),
    ],
)
def test_cached_input_counts_towards_the_long_tier(usage):
    assert rates_for(TABLE, usage, None) is LONG


def test_output_does_not_count_towards_the_long_tier():
    assert rates_for(TABLE, Usage(input=THRESHOLD, output=128_000), None) is STANDARD


@pytest.mark.parametrize(
    ("tier", "short", "long"),
    [
        (None, STANDARD, LONG),
        ("default", STANDARD, LONG),
        ("scale", STANDARD, LONG),
        ("flex", FLEX, FLEX_LONG),
        ("batch", FLEX, FLEX_LONG),
        ("priority", PRIORITY, LONG),  # OpenAI serves and bills a long priority request as standard
        ("fast", PRIORITY, LONG),
    ],
)
def test_each_tier_has_its_rates(tier, short, long):
    assert rates_for(TABLE, Usage(input=THRESHOLD), tier) is short
    assert rates_for(TABLE, Usage(input=THRESHOLD + 1), tier) is long


@pytest.mark.parametrize("tier", ["flex", "batch", "priority", "fast", "something new"])
def test_tier_without_rates_is_priced_as_standard(tier):
    assert rates_for(PLAIN, Usage(input=THRESHOLD + 1), tier) is STANDARD


def test_long_flex_request_without_long_flex_rates_is_not_sold_at_the_short_price():
    table = PriceTable(STANDARD, LONG, THRESHOLD, FLEX)
    assert rates_for(table, Usage(input=THRESHOLD + 1), "flex") is LONG


def test_charge_is_rounded_once_and_not_per_kind():
    thirds = PriceTable(Rates(334, 334, 334, 334))
    assert charge(thirds, Usage(1, 1, 1, 0)).nano == 2
    assert charge(thirds, Usage(1, 1, 1, 1)).nano == 2


def test_known_turn_costs_what_the_price_list_says():
    """12,000 prompt tokens, 8,000 of them cached, and 345 of output, at 2.5, 0.25 and 15 USD per 1M tokens."""
    assert charge(PLAIN, Usage(input=4_000, cached=8_000, output=345)).nano == 17_175_000


def test_nothing_costs_nothing():
    assert charge(TABLE, Usage()) == FREE
