import contextlib
import re

import jsonschema
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runapi.upstream.sandbox.pattern_text import UnknownPattern, text_for_pattern
from runapi.upstream.sandbox.schema_checks import SchemaFault, equal, has_twins
from runapi.upstream.sandbox.schema_values import make_value

NAMES = ("name", "age", "tags", "note", "kind")


def numbers(kind: str) -> st.SearchStrategy[dict]:
    """Bounds that leave at least one number (an integer, a multiple) between them."""

    @st.composite
    def build(draw) -> dict:
        schema = {"type": kind}
        low = draw(st.integers(-50, 50))
        step = draw(st.sampled_from([None, 1, 2, 3, 7] + ([0.5, 0.25] if kind == "number" else [])))
        if step:
            schema["multipleOf"] = step
        if draw(st.booleans()):
            schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
        if draw(st.booleans()):
            schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = low + 2 * (step or 1) + 1
        return schema

    return build()


@st.composite
def texts(draw) -> dict:
    schema: dict = {"type": "string"}
    match draw(st.sampled_from(["plain", "format", "pattern", "length"])):
        case "format":
            schema["format"] = draw(
                st.sampled_from(["date", "date-time", "time", "email", "uuid", "ipv4", "ipv6", "uri", "odd"])
            )
        case "pattern":
            schema["pattern"] = draw(st.sampled_from(PATTERNS))
        case "length":
            schema["minLength"] = draw(st.integers(0, 40))
            schema["maxLength"] = schema["minLength"] + draw(st.integers(1, 40))
    return schema


CONSTANTS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.just([1, "a"]))
LEAVES = st.one_of(
    st.sampled_from([True, {}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}]),
    numbers("integer"),
    numbers("number"),
    texts(),
    st.builds(lambda values: {"enum": values}, st.lists(CONSTANTS, min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, CONSTANTS),
    st.sampled_from([{"$ref": "#/$defs/node"}, {"$ref": "#/$defs/tree"}, {"$ref": "#/$defs/plain"}]),
)


@st.composite
def objects(draw, inner: st.SearchStrategy) -> dict:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=4))
    names = sorted(properties)
    schema = {
        "type": "object",
        "properties": properties,
        "required": names[: draw(st.integers(0, len(names)))],
    }
    if draw(st.booleans()):
        schema["additionalProperties"] = draw(st.one_of(st.just(False), inner))
    elif draw(st.booleans()):
        schema["minProperties"] = draw(st.integers(0, 6))
    return schema


@st.composite
def arrays(draw, inner: st.SearchStrategy) -> dict:
    schema = {"type": "array", "items": draw(inner)}
    if draw(st.booleans()):
        schema["minItems"] = draw(st.integers(0, 3))
    if draw(st.booleans()):
        schema["maxItems"] = schema.get("minItems", 0) + draw(st.integers(0, 2))
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, max_size=2))[: schema.get("maxItems", 2)]
    return schema


def joined(inner: st.SearchStrategy) -> st.SearchStrategy[dict]:
    def one_property(*names: str) -> st.SearchStrategy[dict]:
        return st.builds(
            lambda name, part: {"type": "object", "properties": {name: part}}, st.sampled_from(names), inner
        )

    base, other = one_property("name", "age"), one_property("tags", "note")
    return st.one_of(
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"oneOf": [part, {"const": "\0 never made"}]}, inner),
        st.builds(lambda part: {"allOf": [part]}, inner),
        st.builds(lambda part: {"allOf": [part, {"type": "object", "required": ["extra"]}]}, base),
        st.builds(
            lambda part, parts: {"allOf": [part], "anyOf": parts},
            base,
            st.lists(other, min_size=1, max_size=2),
        ),
    )


SCHEMAS = st.recursive(
    LEAVES, lambda inner: st.one_of(objects(inner), arrays(inner), joined(inner)), max_leaves=12
)

DEFS = {
    "plain": {"type": "string"},
    "node": {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        },
        "required": ["value", "next"],
        "additionalProperties": False,
    },
    "tree": {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}, "up": {"$ref": "#"}},
        "required": ["children"],
    },
}

PATTERNS = [
    r"^[a-z]+$", r"^\d{4}-\d{2}-\d{2}$", r"^\+?[1-9]\d{1,14}$", r"^(GET|POST)$", r"^#[0-9a-fA-F]{6}$", r"a.c",
    r"^v\d+\.\d+\.\d+$", r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$", r"^(?:ab){2,3}c?$", r"^[A-Z]{3}-(\d|x){2}$", r"x{", r"^$",
    r"\bword\b", r"^\/path\/[\w-]+$", r"^[]a]$", r"\x41\u0042", r"[a\-z]", r"(?P<year>\d{4})",
]  # fmt: skip


KEYWORDS = [
    "type",
    "properties",
    "required",
    "items",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "$defs",
    "enum",
    "const",
    "not",
    "a",
    "minimum",
    "multipleOf",
    "minLength",
    "pattern",
    "minItems",
    "uniqueItems",
]


def is_json(value: object) -> bool:
    return bool(msgspec.json.encode(value))


def is_valid(value: object, schema: object) -> bool:
    checker = jsonschema.validators.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.validators.Draft202012Validator(schema, format_checker=checker).is_valid(value)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, st.booleans())
@example({"type": "array", "items": {"oneOf": [{"oneOf": [{"type": "boolean"}, {"const": 1}]}, {"const": 1}]}, "minItems": 2}, False)  # fmt: skip
def test_made_value_is_valid_against_its_schema(schema, optional):
    root = {"type": "object", "properties": {"it": schema}, "required": ["it"], "$defs": DEFS}
    assert is_valid(make_value(root, optional=optional), root)
    assert make_value(root, optional=optional) == make_value(root, optional=optional)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.one_of(CONSTANTS, st.sampled_from(["#/$defs/a", "#", "object", "string", r"(a+)+$"])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(KEYWORDS),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=15,
    )
)
def test_nonsense_for_a_schema_gives_a_valid_value_or_a_fault(schema):
    with contextlib.suppress(SchemaFault):
        assert is_json(make_value(schema))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("variant", [0, 1, 7])
def test_text_for_a_pattern_matches_it(pattern, variant):
    assert re.search(pattern, text_for_pattern(pattern, 0, 1_000, variant))


def test_text_for_a_pattern_keeps_to_its_length():
    assert len(text_for_pattern("^[a-z]+$", 30, 30)) == 30


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(",
        ")",
        "[",
        r"(a)\1",
        r"\ud800",
        r"[\udabc]",
        "*",
        "a{99999}",
        "(a{99}){999}",
        "(" * 90 + ")" * 90,
    ],
)
def test_pattern_beyond_understanding_is_refused(pattern):
    with pytest.raises(UnknownPattern):
        text_for_pattern(pattern, 0, 100_000)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        7,
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#"},
        {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "string", "minLength": 5, "maxLength": 4},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"enum": []},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "uniqueItems": True},
        {"oneOf": [{"type": "integer"}, {"type": "number"}], "enum": [1]},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
    ],
)
def test_schema_that_nothing_fits_is_a_fault(schema):
    with pytest.raises(SchemaFault):
        make_value(schema)


def test_schema_that_multiplies_without_end_is_given_up():
    schema = {"$defs": {f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(60)}}
    schema["$defs"]["d60"] = {"type": "string"}
    with pytest.raises(SchemaFault, match="too large"):
        make_value({**schema, "$ref": "#/$defs/d0"})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"oneOf": [{"type": "number"}, {"type": "integer", "minimum": 3}]}, 1.5),
        (
            {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
            ["a", "b", "c"],
        ),
        ({"type": "string", "not": {"const": "sample"}}, "2 sample"),
        ({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 4}, 8),
        ({"type": "array", "items": {"type": "integer"}, "contains": {"const": 7}, "minItems": 2}, [1, 7]),
        ({"properties": {"city": {"type": "string"}}}, {"city": "sample city"}),
    ],
)
def test_chosen_values(schema, value):
    assert make_value(schema) == value
    assert is_valid(value, schema)


def test_only_required_properties_are_made_when_the_others_are_not_wanted():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "required": ["b"],
    }
    assert make_value(schema, optional=False) == {"b": "sample b"}


NAMES_OF_MANY = [f"choice {at}" for at in range(100_000)]
REFERRED = {"$ref": "#/$defs/one"}


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": NAMES_OF_MANY},
        {"type": "object", "properties": {"a": {"type": "string", "enum": NAMES_OF_MANY}}, "required": ["a"]},
        {"allOf": [{"enum": NAMES_OF_MANY}, {"enum": NAMES_OF_MANY[::-1]}]},
    ],
)
def test_many_choices_are_no_trouble(schema):
    made = make_value(schema)
    assert made in ("choice 0", {"a": "choice 0"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 1_000, "uniqueItems": True, "items": {"enum": NAMES_OF_MANY}},
        {"allOf": [{"required": NAMES_OF_MANY}, {"required": [f"{name}?" for name in NAMES_OF_MANY]}]},
        {"enum": NAMES_OF_MANY, "minLength": 100},
        {"const": list(range(2_000_000))},
        {"anyOf": [REFERRED] * 50_000, "$defs": {"one": {"enum": [[1] * 100_000], "type": "string"}}},
        {
            "properties": {f"p{at}": REFERRED for at in range(10_000)},
            "$defs": {"one": dict.fromkeys(map(str, range(10_000)), 1)},
        },
        {"anyOf": [{"$ref": "#/" + "x/" * 10_000}] * 10},
    ],
    ids=["unique items", "required", "no choice fits", "constant", "choices", "keywords", "reference"],
)
def test_schema_that_would_keep_the_server_busy_is_refused(schema):
    with pytest.raises(SchemaFault) as refused:
        make_value(schema)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("values", "is_unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([[1, 2], [2, 1]], True),
        ([None, False, 0, "", [], {}], True),
        ([["list"], "list", ["list", "list"]], True),
    ],
)
def test_values_are_told_apart_as_json_does(values, is_unique):
    assert has_twins(values) is not is_unique
    assert is_unique is not any(equal(one, other) for at, one in enumerate(values) for other in values[:at])
