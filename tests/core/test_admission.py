"""No usage within the bound and the cap can cost more than what was granted, whatever is asked and granted."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runapi.core.admission import (
    LEAST_OUTPUT,
    RequestShape,
    ask_within,
    input_upper_bound,
    output_cap,
    priced_tier,
    read_max_cost,
    wanted,
)
from runapi.core.pricing import PriceTable, Rates, charge
from runapi.core.usage import Usage
from runapi.wire.catalog_file import package_catalog

MODEL = package_catalog().models["gpt-5.5"]
MODELS = st.sampled_from(list(package_catalog().models.values()))
PRICES = st.one_of(st.integers(0, 1_000), st.integers(0, 10**12 - 1))
RATES = st.builds(Rates, PRICES, PRICES, PRICES, PRICES)
TIERS = st.sampled_from([None, "auto", "default", "flex", "priority", "fast", "scale", "batch"])
SHAPES = st.builds(
    RequestShape,
    text_bytes=st.one_of(st.integers(0, 5_000), st.integers(0, 2_000_000)),
    has_tools=st.booleans(),
    list_items=st.integers(0, 1_000),
    image_tokens=st.integers(0, 50_000),
    is_open=st.booleans(),
    output_cap=st.none() | st.integers(1, 300_000),
    choices=st.sampled_from([1, 1, 2, 128]),
    service_tier=TIERS,
)


SERVED = (None, "default", "flex", "priority")


@st.composite
def usages(draw: st.DrawFn, most_input: int, most_output: int) -> Usage:
    """Any usage within the bounds, and often the greatest: all of one kind."""
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["input", "cached", "cache_write"]))
        return Usage(**{kind: most_input, "output": most_output})
    cached = draw(st.integers(0, most_input))
    written = draw(st.integers(0, most_input - cached))
    fresh = draw(st.integers(0, most_input - cached - written))
    return Usage(fresh, cached, written, draw(st.integers(0, most_output)))


@st.composite
def tables(draw: st.DrawFn) -> PriceTable:
    long = draw(st.none() | RATES)
    threshold = None if long is None else draw(st.sampled_from([1, 1_000, 272_000]))
    flex = draw(st.none() | RATES)
    flex_long = draw(RATES) if flex is not None and long is not None else None
    return PriceTable(draw(RATES), long, threshold, flex, flex_long, draw(st.none() | RATES))


@settings(max_examples=600, deadline=None)
@given(SHAPES, MODELS, tables(), st.data())
def test_no_usage_within_bound_and_cap_costs_more_than_was_granted(shape, model, table, data):
    wish = wanted(shape, model, table)
    granted = data.draw(
        st.sampled_from([wish.amount_nano, wish.least_nano]) | st.integers(wish.least_nano, wish.amount_nano),
        "granted",
    )
    cap = output_cap(wish, granted)
    usage = data.draw(usages(wish.input_tokens, cap * shape.choices), "usage")
    for served in (shape.service_tier, *SERVED):
        assert charge(table, usage, priced_tier(shape.service_tier, served)).nano <= granted


@given(SHAPES, MODELS, tables())
def test_least_and_whole_hold_buy_what_they_say(shape, model, table):
    wish = wanted(shape, model, table)
    most = min(shape.output_cap or model.max_output_tokens, model.max_output_tokens)
    assert 0 <= wish.least_nano <= wish.amount_nano < 2**63
    assert output_cap(wish, wish.amount_nano) == wish.output_cap == most
    assert min(most, LEAST_OUTPUT) <= output_cap(wish, wish.least_nano) <= most
    assert wish.input_tokens <= model.max_input_tokens


@given(SHAPES, MODELS, tables(), st.data())
def test_one_token_more_than_the_cap_could_cost_more_than_was_granted(shape, model, table, data):
    """The cap is the greatest that is safe: whoever pays for an answer gets all of it."""
    wish = wanted(shape, model, table)
    granted = data.draw(st.integers(wish.least_nano, wish.amount_nano))
    cap = output_cap(wish, granted)
    if cap < wish.output_cap:
        assert wish.input_pico + (cap + 1) * wish.output_pico > granted * 1_000


def test_hold_of_a_plain_request_by_hand():
    """2,000 bytes and 64 around them at 2.5 USD, 1,000 tokens at 15 USD: 0.00516 + 0.015."""
    wish = wanted(RequestShape(text_bytes=2_000, output_cap=1_000), MODEL, MODEL.ours)
    assert wish.input_tokens == 2_064
    assert wish.amount_nano == 20_160_000
    assert wish.least_nano == 5_160_000 + 240_000
    assert output_cap(wish, 5_160_000 + 1_500_000) == 100


def test_request_that_may_be_long_is_held_at_long_rates():
    short = wanted(RequestShape(text_bytes=272_000 - 64, output_cap=100), MODEL, MODEL.ours)
    long = wanted(RequestShape(text_bytes=272_001 - 64, output_cap=100), MODEL, MODEL.ours)
    assert short.amount_nano == 272_000 * 2_500 + 100 * 15_000
    assert long.amount_nano == 272_001 * 5_000 + 100 * 22_500


def test_priority_is_held_and_priced_only_for_who_asks_for_it():
    shape = RequestShape(text_bytes=1_000, output_cap=100)
    asked = wanted(msgspec.structs.replace(shape, service_tier="priority"), MODEL, MODEL.ours)
    not_asked = wanted(shape, MODEL, MODEL.ours)
    assert asked.amount_nano * 2 == not_asked.amount_nano * 5
    assert priced_tier("fast", "priority") == "priority"
    assert priced_tier("priority", "default") == "default"
    assert priced_tier("auto", "priority") is None
    assert priced_tier(None, "flex") == "flex"


def test_choices_multiply_the_output_and_share_a_small_balance():
    wish = wanted(RequestShape(text_bytes=1_000, output_cap=1_000, choices=4), MODEL, MODEL.ours)
    assert wish.amount_nano == 1_064 * 2_500 + 4 * 1_000 * 15_000
    assert wish.least_nano == 1_064 * 2_500 + 4 * 16 * 15_000
    assert output_cap(wish, 1_064 * 2_500 + 4 * 99 * 15_000 + 59_999) == 99


def test_client_that_wants_a_few_tokens_needs_no_more():
    wish = wanted(RequestShape(text_bytes=100, output_cap=8), MODEL, MODEL.ours)
    assert wish.least_nano == wish.amount_nano
    assert output_cap(wish, wish.least_nano) == 8


def test_nothing_goes_upstream_for_less_than_the_least():
    wish = wanted(RequestShape(text_bytes=100), MODEL, MODEL.ours)
    with pytest.raises(ValueError, match="less was granted"):
        output_cap(wish, wish.least_nano - 1)


def test_model_that_costs_nothing_is_never_capped_by_money():
    wish = wanted(RequestShape(text_bytes=100), MODEL, PriceTable(Rates(0, 0, 0, 0)))
    assert (wish.amount_nano, wish.least_nano) == (0, 0)
    assert output_cap(wish, 0) == MODEL.max_output_tokens


def test_what_bytes_do_not_bound_counts_as_the_most_that_the_model_takes():
    assert input_upper_bound(RequestShape(text_bytes=10, is_open=True), MODEL) == 922_000
    assert input_upper_bound(RequestShape(text_bytes=30_000_000), MODEL) == 922_000


def test_ceilings_shrink_the_hold_down_to_the_least():
    wish = wanted(RequestShape(text_bytes=100), MODEL, MODEL.ours)
    assert ask_within(wish) == wish.amount_nano
    assert ask_within(wish, None, wish.amount_nano + 1) == wish.amount_nano
    assert ask_within(wish, wish.amount_nano - 1, wish.least_nano) == wish.least_nano
    assert ask_within(wish, wish.least_nano - 1, None) is None


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0.05", 50_000_000),
        (" 1 ", 1_000_000_000),
        ("0", 0),
        ("1e-7", 100),
        ("2.5E-3", 2_500_000),
        ("1e2", 100_000_000_000),
        ("0.0000000019", 1),  # rounded down: the limit is never exceeded
        ("999999999999999999", 10**18),
        ("1e99", 10**18),
        ("1e-99", 0),
    ],
)
def test_max_cost_is_read_exactly(text, nano):
    assert read_max_cost(text) == nano


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1,5", "$1", "nan", "inf", "1e", ".5", "5.", "0x1", "1e999", "1 2", "\u0661", "1" * 19],
)
def test_max_cost_that_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="decimal number of US dollars"):
        read_max_cost(text)
