"""How large a Responses request can be, and how many tokens it has."""

import json

import pytest

from runapi.core.admission import AROUND, AROUND_TOOLS, PER_LIST_ITEM
from runapi.wire.image_tokens import UNKNOWN_IMAGE
from runapi.wire.openai_chat.shape import MOST_IMAGE, MOST_ORIGINAL
from runapi.wire.openai_responses.input_tokens import count_input, is_counted_exactly
from runapi.wire.openai_responses.shape import read_shape
from runapi.wire.tokens import PER_FILE, PER_MESSAGE, PRIMING, count_chat_input, count_text
from wire.openai_responses.asking import CODEX, CUSTOM_TOOL, TOOL, request

PNG = "data:image/png;base64," + "A" * 5000


def bound(shape):
    """As `core.admission` bounds it, but for the model's own limit."""
    tools = shape.list_items * PER_LIST_ITEM + AROUND_TOOLS if shape.has_tools else 0
    return shape.text_bytes + shape.image_tokens + AROUND + tools


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


def test_only_what_reaches_the_prompt_counts():
    plain = read_shape(request())
    silent = read_shape(
        request(
            metadata={"a": "b" * 400},
            prompt_cache_key="k" * 400,
            client_metadata={"x": "y" * 400},
            include=["reasoning.encrypted_content"],
            user="u" * 400,
        )
    )
    assert silent == plain
    assert plain.text_bytes == len('"Hello"')
    assert read_shape(request(instructions="x" * 100)).text_bytes == len('"Hello"') + 102
    assert read_shape(request(unheard_of="x" * 100)).text_bytes == len('"Hello"') + 102


def test_image_counts_by_its_tokens_and_not_by_its_bytes():
    text = {"type": "input_text", "text": "What is this?"}
    for detail, most in (
        ("low", MOST_IMAGE),
        ("high", MOST_IMAGE),
        ("auto", MOST_ORIGINAL),
        (None, MOST_ORIGINAL),
    ):
        image = {"type": "input_image", "image_url": PNG, "detail": detail}
        shape = read_shape(request(input=user(text, image)))
        assert shape.image_tokens == most
        assert shape.text_bytes < 300
        assert not shape.is_open
    result = {"type": "function_call_output", "call_id": "c", "output": [image]}
    assert read_shape(request(input=[result])).image_tokens == MOST_ORIGINAL


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"input": user({"type": "input_file", "file_id": "f"})},
        {"input": user({"type": "input_audio"})},
        {"input": user("odd")},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"type": "compaction", "encrypted_content": "x"}]},
        {"input": [{"type": "unheard_of"}]},
        {"tools": [{"type": "web_search"}]},
        {"tools": [TOOL, {"type": "mcp", "server_url": "u"}]},
    ],
)
def test_what_is_not_in_the_request_has_no_bounds(fields):
    assert read_shape(request(**fields)).is_open


@pytest.mark.parametrize(
    "fields",
    [
        {"input": CODEX["input"][:5], "tools": CODEX["tools"][:4]},
        {"tools": [TOOL, CUSTOM_TOOL]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": TOOL["parameters"]}}},
        {"input": "wörld 🌍 " * 50, "instructions": "Be brief."},
        {"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": "x"}]},
    ],
)
def test_bound_is_above_the_count(fields):
    asked = request(**fields)
    assert not read_shape(asked).is_open
    assert bound(read_shape(asked)) >= count_input(asked)


def test_tools_and_schemas_are_measured_by_their_items_too():
    assert not read_shape(request()).has_tools
    assert read_shape(request(tools=[TOOL])).has_tools
    assert read_shape(request(tools=[TOOL])).list_items >= 4
    later = {"type": "tool_search_output", "tools": [TOOL]}
    assert read_shape(request(input=[later])).has_tools


def test_cap_and_tier_are_what_the_client_asked():
    shape = read_shape(request(max_output_tokens=99, service_tier="flex"))
    assert (shape.output_cap, shape.service_tier, shape.choices) == (99, "flex", 1)
    assert read_shape(request()).output_cap is None


# ---- tokens ----------------------------------------------------------------------------------------------


def test_text_counts_as_the_message_it_is():
    assert count_input(request(input="Hello world")) == PRIMING + PER_MESSAGE + count_text("userHello world")
    items = [{"role": "user", "content": "Hello world"}]
    assert count_input(request(input=items)) == count_input(request(input="Hello world"))
    parts = user({"type": "input_text", "text": "Hello world"})
    assert count_input(request(input=parts)) == count_input(request(input="Hello world"))


def test_instructions_count_as_a_message():
    more = count_input(request(instructions="Be brief.")) - count_input(request())
    assert more == PER_MESSAGE + count_text("system") + count_text("Be brief.")


def test_agents_turn_counts_as_the_same_turn_in_chat_does():
    asked = request(
        input=[
            {"role": "developer", "content": "Be brief."},
            {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call_output", "call_id": "c", "output": "rain"},
            {"type": "custom_tool_call", "call_id": "d", "name": "apply_patch", "input": "*** Begin"},
            {
                "type": "custom_tool_call_output",
                "call_id": "d",
                "output": [{"type": "input_text", "text": "ok"}],
            },
        ],
        tools=[TOOL, CUSTOM_TOOL],
    )
    patch = {"custom": {"name": "apply_patch", "input": "*** Begin"}}
    grammar = {"format": {"grammar": CUSTOM_TOOL["format"]}}
    assert count_input(asked) == count_chat_input(
        [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "look_up", "arguments": '{"city":"Oslo"}'}}],
            },
            {"role": "tool", "content": "rain"},
            {"role": "assistant", "tool_calls": [patch]},
            {"role": "tool", "content": "ok"},
        ],
        [{"function": TOOL}, {"custom": CUSTOM_TOOL | grammar}],
    )


def test_images_and_documents_count():
    plain = count_input(request(input=user({"type": "input_text", "text": "x"})))
    image, file = {"type": "input_image", "image_url": "https://example.com/a.png"}, {"type": "input_file"}
    asked = request(input=user({"type": "input_text", "text": "x"}, image, file))
    assert count_input(asked) == plain + UNKNOWN_IMAGE + PER_FILE


def test_item_of_an_unknown_type_counts_by_its_json():
    strange = {"type": "unheard_of", "content": {"words": "one two three four five six seven"}}
    asked = request(input=[{"role": "user", "content": "x"}, strange])
    assert count_input(asked) > count_input(request(input="x")) + 10


def test_hosted_tool_counts_by_its_json():
    assert count_input(request(tools=[{"type": "web_search", "filters": {"a": "b" * 50}}])) > count_input(
        request()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"input": ..., "previous_response_id": "resp_1"},
        {
            "input": [
                {"type": "unheard_of", "content": 7},
                {"type": "message", "role": "user", "content": [7, "x"]},
            ]
        },
        {"tools": [{"type": "function"}, {"type": "custom", "format": 7}]},
        {"input": user({"type": "input_image"}, {"type": "input_text"}, {"text": 7})},
    ],
)
def test_any_request_can_be_counted(fields):
    assert count_input(request(**fields)) >= PRIMING


def test_number_that_nobody_can_read_is_counted_as_text():
    asked = request(input=[{"type": "x", "n": 0}])
    fields = asked.fields | {"input": json.dumps([{"n": 7}]).encode().replace(b"7", b"7" * 5000)}
    assert (
        count_input(type(asked)(fields, *[getattr(asked, name) for name in asked.__struct_fields__[1:]]))
        > 1000
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"tools": [TOOL, CUSTOM_TOOL], "text": {"verbosity": "low"}, "instructions": "x"}, True),
        ({"input": CODEX["input"][:2]}, True),
        ({"input": CODEX["input"][:3]}, False),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, False),
        ({"text": {"format": {"type": "json_object"}}}, True),
        ({"previous_response_id": "resp_1"}, False),
        ({"tools": [{"type": "web_search"}]}, False),
        ({"input": user({"type": "input_image", "image_url": PNG})}, False),
        ({"input": user("odd")}, False),
    ],
)
def test_count_is_exact_where_all_is_text(fields, expected):
    assert is_counted_exactly(request(**fields)) is expected
