"""JSON as people write it: what it means, where it stands, and on which line it is broken."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.json_reader import read_json
from runapi.wire.client_config.json_value import write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_json_writes_is_read_back(value):
    assert read_json(json.dumps(value)).value == value
    assert read_json(json.dumps(value, indent=2, ensure_ascii=False)).value == value


@given(VALUES)
def test_what_we_write_is_json_and_is_read_back(value):
    written = write_json(value)
    assert json.loads(written) == value
    assert read_json(written).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: 1, 'b': \"x\", $c_1: [1, 2,],}", {"a": 1, "b": "x", "$c_1": [1, 2]}),
        (
            "// first\n/* and\nmore */ [0x1F, +1.5, .5, 5., -2e3]",
            [31, Decimal("1.5"), Decimal("0.5"), 5, -2000],
        ),
        ("\ufeff{}", {}),
        ("'it\\'s \\x41\\u00e9\\\nhere\\q'", "it's Aéhereq"),
        ("{a: 1, a: 2}", {"a": 2}),
        ("{true: null}", {"true": None}),
        ("-Infinity", Decimal("-Infinity")),
    ],
)
def test_json5_is_read(text, value):
    assert read_json(text).value == value


def test_numbers_are_exact():
    assert read_json("0.1").value == Decimal("0.1")
    assert write_json({"price": Decimal("0.0375"), "small": Decimal("3.75E-8")}) == (
        '{ "price": 0.0375, "small": 0.0000000375 }'
    )


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the end"),
        ("{\n  a: 1\n  b: 2\n}", 3, "a comma or '}'"),
        ("{\n a: 1,\n", 3, "'}'"),
        ("{\n a: 1,\n b: }", 3, "a value"),
        ('{\n"a": "x\n}', 2, "no end"),
        ("{a 1}", 1, "':'"),
        ("{1: 2}", 1, "a name"),
        ("[1] 2", 1, "after the end"),
        ("{a: undefined}", 1, "a value"),
        ("{a: truely}", 1, "a value"),
        ('"\\u12"', 1, "hexadecimal"),
        ("[" * 300, 1, "too deep"),
        ("/* no end", 1, "a value"),
        ("{a: 1 /* no end }", 1, "a comma"),
    ],
)
def test_broken_text_is_refused_with_its_line(text, line, what):
    with pytest.raises(ConfigFault) as refused:
        read_json(text)
    assert refused.value.line == line
    assert what in refused.value.what
