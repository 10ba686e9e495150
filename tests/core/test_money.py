"""Prices and amounts are read and written exactly."""

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core import money
from runapi.core.money import MOST_USD_PER_1M, nano_from_pico, pico_per_token, usd, usd_per_1m

CORE = Path(money.__file__).parent
NANO_AMOUNTS = st.integers(-(2**63), 2**63 - 1)
PICO_PRICES = st.integers(0, MOST_USD_PER_1M * 1_000_000 - 1)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (17_175_000, "0.017175"),
        (1_000_000_000, "1"),
        (10_000_000_000, "10"),
        (-1_500_000_000, "-1.5"),
        (9_223_372_036_854_775_807, "9223372036.854775807"),
    ],
)
def test_amount_is_written_as_a_plain_decimal(nano, text):
    assert usd(nano) == text


@given(NANO_AMOUNTS)
def test_written_amount_is_exactly_the_amount(nano):
    text = usd(nano)
    assert Decimal(text) == Decimal(nano).scaleb(-9)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]{0,8}[1-9])?", text)


@given(PICO_PRICES)
def test_price_that_is_written_is_read_back_as_itself(pico):
    assert pico_per_token(usd_per_1m(pico)) == pico


@given(PICO_PRICES, st.integers(0, 40))
def test_zeros_at_the_end_of_a_price_change_nothing(pico, zeros):
    text = f"{pico // 1_000_000}.{pico % 1_000_000:06d}" + "0" * zeros
    assert pico_per_token(text) == pico


@pytest.mark.parametrize(
    ("text", "pico"), [("0", 0), ("0.000001", 1), ("0.075", 75_000), ("5", 5_000_000), ("12.50", 12_500_000)]
)
def test_price_is_read_exactly(text, pico):
    assert pico_per_token(text) == pico


@pytest.mark.parametrize("text", ["0.0000001", "5.0000001", "5." + "0" * 40 + "1", "0.1234567"])
def test_price_that_is_too_fine_is_refused_however_long_it_is(text):
    with pytest.raises(ValueError, match=r"too fine: at most 6 decimal places"):
        pico_per_token(text)


@pytest.mark.parametrize("text", ["-1", "-0", "-0.5"])
def test_price_below_zero_is_refused(text):
    with pytest.raises(ValueError, match=r"zero or more"):
        pico_per_token(text)


@pytest.mark.parametrize("text", ["1000000", "1" + "0" * 5_000])
def test_price_beyond_reason_is_refused(text):
    with pytest.raises(ValueError, match=r"too much"):
        pico_per_token(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "free",
        "1e5",
        "1E+999999999",
        "nan",
        "inf",
        "1_0",
        " 5",
        "5\n",
        "+5",
        "05",
        ".5",
        "5.",
        "٣",
        "1,5",
        "0x5",
    ],
)
def test_what_is_not_a_plain_decimal_is_refused(text):
    with pytest.raises(ValueError, match=r"not a plain decimal"):
        pico_per_token(text)


@pytest.mark.parametrize(
    ("pico", "nano"), [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (10**21 + 1, 10**18 + 1)]
)
def test_part_of_a_nano_dollar_is_rounded_up(pico, nano):
    assert nano_from_pico(pico) == nano


@pytest.mark.parametrize("name", ["money", "pricing", "usage"])
def test_no_float_comes_near_money(name):
    tree = ast.parse((CORE / f"{name}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id in ("float", "round")), node.lineno
        assert not isinstance(node, ast.Div), "use // on integers"
        assert not (isinstance(node, ast.Import | ast.ImportFrom) and "math" in ast.dump(node))
