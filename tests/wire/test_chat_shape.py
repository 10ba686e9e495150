"""The upper bound that is read from a request's bytes is never below its real count of o200k tokens."""

import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runapi.core.admission import input_upper_bound
from runapi.core.problems import Problem
from runapi.wire.catalog_file import package_catalog
from runapi.wire.openai_chat.request import read_chat_request
from runapi.wire.openai_chat.shape import MOST_IMAGE, MOST_ORIGINAL, read_ceiling, read_shape
from runapi.wire.tokens import count_chat_input

MODEL = package_catalog().models["gpt-5.5"]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet='\u4e2d\u6587\u0627\u0644\U0001f600\U00013000\ud7fb\x00\n"\\ é', max_size=60),
    st.sampled_from(
        [
            "",
            "<|endoftext|>",
            "    def f(x):\n        return x\n" * 5,
            "1234567890" * 20,
            "Donaudampfschifffahrtsgesellschaft " * 5,
            "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 20,
            "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35" * 20,
            "aAbBzZ\t\t\r\n ;;;{}" * 20,
        ]
    ),
)
NAMES = st.text(alphabet="abc_XYZ019-", min_size=1, max_size=20)
WORDS = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"])
CONSTANTS = st.one_of(
    TEXTS,
    st.integers(-(10**15), 10**15),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)


def objects(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=4)},
        optional={"description": TEXTS, "required": st.lists(NAMES, max_size=3)},
    )


SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": WORDS | st.lists(WORDS, max_size=3),
            "description": TEXTS,
            "enum": st.lists(CONSTANTS, max_size=12),
        },
    ),
    lambda inner: (
        objects(inner)
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"description": TEXTS})
    ),
    max_leaves=8,
)
FUNCTIONS = st.fixed_dictionaries(
    {"name": NAMES}, optional={"description": TEXTS, "parameters": objects(SCHEMAS), "strict": st.booleans()}
)
TOOLS = st.lists(
    st.fixed_dictionaries({"type": st.just("function"), "function": FUNCTIONS})
    | st.fixed_dictionaries(
        {
            "type": st.just("custom"),
            "custom": st.fixed_dictionaries(
                {"name": NAMES},
                optional={
                    "format": st.fixed_dictionaries(
                        {"type": st.just("grammar"), "grammar": st.fixed_dictionaries({"definition": TEXTS})}
                    )
                },
            ),
        }
    ),
    max_size=4,
)
IMAGES = st.builds(
    lambda width, height, detail: {
        "type": "image_url",
        "image_url": {"url": data_url(width, height), **({"detail": detail} if detail else {})},
    },
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from(["low", "high", "original", "auto", "", "sharp"]),
)
PARTS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS)
    | st.builds(lambda text: {"type": "refusal", "refusal": text}, TEXTS)
    | IMAGES
    | st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})
    | st.just({"type": "file", "file": {"file_id": "file-1"}}),
    max_size=4,
)
CALLS = st.lists(
    st.builds(
        lambda name, text: {"id": "c", "type": "function", "function": {"name": name, "arguments": text}},
        NAMES,
        TEXTS,
    ),
    max_size=3,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
        optional={"content": st.none() | TEXTS | PARTS, "name": NAMES, "refusal": TEXTS, "tool_calls": CALLS},
    ),
    min_size=1,
    max_size=5,
)


def data_url(width: int, height: int) -> str:
    head = PNG + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return "data:image/png;base64," + b64encode(head).decode()


def body(**fields: object) -> bytes:
    return json.dumps({"model": "gpt-5.5", **fields}).encode()


def bound(**fields: object) -> int:
    return input_upper_bound(read_shape(read_chat_request(body(**fields))), MODEL)


@settings(max_examples=150, deadline=None)
@given(MESSAGES, st.none() | TOOLS, st.booleans())
def test_bound_is_never_below_the_real_count(messages, tools, escaped):
    written = {"model": "gpt-5.5", "messages": messages} | ({} if tools is None else {"tools": tools})
    text = json.dumps(written, ensure_ascii=escaped, separators=(",", ":"))
    shape = read_shape(read_chat_request(text.encode("utf-8")))
    for detail in ("low", "high", "original"):
        count = count_chat_input(messages, tools, auto_detail=detail)
        assert input_upper_bound(shape, MODEL) >= min(count, MODEL.max_input_tokens)


@pytest.mark.parametrize(
    "numbers",
    [list(range(10)) * 500, [1e15] * 500, [1e300, -1e-9] * 300, [True, None, 0] * 300, ["a", ""] * 500],
)
def test_enumerations_that_are_written_out_longer_than_they_came_are_within_the_bound(numbers):
    parameters = {"type": "object", "properties": {"a": {"enum": numbers}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    messages = [{"role": "user", "content": "x"}]
    assert bound(messages=messages, tools=tools) >= count_chat_input(messages, tools)


@settings(deadline=None)
@given(IMAGES, st.sampled_from(["low", "high", "original"]))
def test_no_image_counts_more_than_its_bound(image, auto_detail):
    messages = [{"role": "user", "content": [image] * 20}]
    count = count_chat_input(messages, auto_detail=auto_detail)
    assert read_shape(read_chat_request(body(messages=messages))).image_tokens + 20 >= count


def test_many_short_messages_are_within_the_bound():
    messages = [{"role": "user"}] * 2_000
    assert bound(messages=messages) >= count_chat_input(messages)


def test_text_counts_by_its_bytes_and_little_more():
    messages = [{"role": "user", "content": "x" * 10_000}]
    assert 10_000 < bound(messages=messages) < 10_000 + 128


def test_data_of_an_image_counts_by_its_detail_and_not_by_its_bytes():
    data = "data:image/png;base64," + "A" * 1_000_000

    def with_image(**detail: str) -> int:
        part = {"type": "image_url", "image_url": {"url": data, **detail}}
        return bound(messages=[{"role": "user", "content": [{"type": "text", "text": "what?"}, part]}])

    assert MOST_IMAGE < with_image(detail="low") < with_image(detail="high") < MOST_IMAGE + 300
    assert MOST_ORIGINAL < with_image(detail="auto") < with_image(detail="original") < MOST_ORIGINAL + 300
    assert MOST_ORIGINAL < with_image() < MOST_ORIGINAL + 300


def test_image_whose_name_is_escaped_is_seen_all_the_same():
    plain = body(
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}]
    )
    hidden = plain.replace(b"image_url", b"im\\u0061ge_url")
    assert read_shape(read_chat_request(hidden)).image_tokens == MOST_ORIGINAL


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}],
        [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
        [{"type": "video_url", "video_url": {"url": "http://a/b"}}],
        [{"image_url": {"url": "http://a/b"}}],
        [{"type": "text", "text": "a"}, {"type": "file", "image_url": {"url": "http://a/b"}}],
        ["a", "b"],
        [{"type": 5}],
        [None],
    ],
)
def test_part_whose_size_cannot_be_told_counts_as_the_models_most(content):
    assert (
        bound(messages=[{"role": "user", "content": "hi"}, {"role": "user", "content": content}]) == 922_000
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"web_search_options": {}},
        {"prediction": {"type": "content", "content": "x"}},
        {"tools": [{"type": "web_search"}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "a"}},
                {"type": "mcp", "server_url": "http://a"},
            ]
        },
    ],
)
def test_what_the_upstream_adds_to_the_prompt_counts_as_the_models_most(fields):
    messages = [{"role": "user", "content": "hi"}]
    assert bound(messages=messages, **fields) == 922_000
    assert bound(messages=messages, **dict.fromkeys(fields)) < 1_000


def test_sound_that_an_answer_refers_to_counts_as_the_models_most():
    assert bound(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}]) == 922_000
    assert bound(messages=[{"role": "assistant", "content": "a", "audio": None}]) < 1_000


def test_fields_that_nobody_knows_count_and_those_beside_the_prompt_do_not():
    messages = [{"role": "user", "content": "hi"}]
    plain = bound(messages=messages)
    assert bound(messages=messages, user="x" * 500, metadata={"a": "b" * 500}, max_cost="0.01") == plain
    assert bound(messages=messages, documents=["x" * 500]) > plain + 500


def test_schema_of_the_answer_counts_like_a_tool():
    messages = [{"role": "user", "content": "hi"}]
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": ["a"] * 100}}}
    assert bound(messages=messages, response_format=schema) > bound(messages=messages) + 100 * 8 + 400


def test_caps_choices_and_tier_are_read():
    messages = [{"role": "user", "content": "hi"}]
    shape = read_shape(read_chat_request(body(messages=messages, max_tokens=5, n=3, service_tier="flex")))
    assert (shape.output_cap, shape.choices, shape.service_tier) == (5, 3, "flex")
    both = read_shape(read_chat_request(body(messages=messages, max_tokens=5, max_completion_tokens=7)))
    assert both.output_cap == 7
    bare = read_shape(read_chat_request(body(messages=messages, max_tokens=None, n=None, service_tier=None)))
    assert (bare.output_cap, bare.choices, bare.service_tier) == (None, 1, None)


def test_likely_count_is_near_the_real_one():
    text = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. " * 200
    messages = [{"role": "user", "content": text}]
    real = count_chat_input(messages)
    assert real * 0.7 < read_shape(read_chat_request(body(messages=messages))).likely_input < real * 1.5


def ceiling(field: str | None, header: str | None = None) -> int | None:
    extra = b"" if field is None else b',"max_cost":' + field.encode()
    request = b'{"model":"m","messages":[{"role":"user"}]%s}' % extra
    return read_ceiling(read_chat_request(request).fields, () if header is None else (header,))


def test_max_cost_comes_from_the_field_or_the_header_and_the_lower_one_holds():
    assert ceiling(None) is None
    assert ceiling("null") is None
    assert ceiling("0.05") == ceiling('"0.05"') == ceiling(None, "0.05") == 50_000_000
    assert ceiling("1e-7") == 100
    assert ceiling('"0.05"', "0.04") == ceiling("0.04", "0.05") == 40_000_000
    assert ceiling("0") == 0


@pytest.mark.parametrize(
    ("field", "header"),
    [("-1", None), ('""', None), ("true", None), ("[1]", None), ('"1 USD"', None), ("1", "-2"), (None, "")],
)
def test_max_cost_that_is_no_amount_is_refused_and_named(field, header):
    with pytest.raises(Problem) as refused:
        ceiling(field, header)
    assert (refused.value.status, refused.value.param) == (400, "max_cost")
