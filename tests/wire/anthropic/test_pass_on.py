"""A Messages request on its way to an upstream that speaks Messages, and how large it can be."""

import json

import pytest

from runapi.core.admission import input_upper_bound
from runapi.wire.anthropic.ask import to_asked
from runapi.wire.anthropic.pass_on import not_passed_on, write_passed_on
from runapi.wire.anthropic.request import read_count_request, read_messages_request
from runapi.wire.anthropic.shape import read_shape
from runapi.wire.anthropic.signature import sign
from runapi.wire.count_asked import count_asked
from runapi.wire.neutral import Reasoning
from runapi.wire.openai_chat.shape import MOST_ORIGINAL

SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": sign(Reasoning("rs_1", "gAAAA", ("Hm.",)))}
THEIRS = {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCg=="}
USE = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
ENABLED = {"type": "enabled", "budget_tokens": 4_000, "display": "omitted"}
PLAIN = {"model": "claude", "max_tokens": 8_000, "messages": [{"role": "user", "content": "Hi."}]}


def request(**changes):
    return read_messages_request(json.dumps(PLAIN | changes).encode())


def passed(cap=None, **changes):
    return json.loads(write_passed_on(request(**changes), "up", cap))


def test_all_but_the_model_passes_byte_for_byte():
    text = b'{"model":"claude","max_tokens":8000, "x_new":[1.50, 1e3],"messages":[{"role":"user","content":"\\u00e9"}]}'
    out = write_passed_on(read_messages_request(text), "up", 8_000)
    assert (
        out
        == b'{"model":"up","max_tokens":8000,"x_new":[1.50, 1e3],"messages":[{"role":"user","content":"\\u00e9"}]}'
    )


def test_what_is_ours_or_the_operators_does_not_pass():
    mine = {"max_cost": 0.1, "speed": "fast", "inference_geo": "us", "fallbacks": None}
    assert passed(**mine) == PLAIN | {"model": "up"}
    assert not_passed_on(request(**mine)) == ("inference_geo", "speed")


def test_a_request_to_count_passes_without_a_limit():
    body = {name: value for name, value in PLAIN.items() if name != "max_tokens"}
    counted = read_count_request(json.dumps(body).encode())
    assert json.loads(write_passed_on(counted, "up", 100)) == body | {"model": "up"}


@pytest.mark.parametrize(
    ("cap", "max_tokens", "budget"),
    [
        (None, 8_000, 4_000),
        (9_000, 8_000, 4_000),
        (5_000, 5_000, 4_000),
        (4_000, 4_000, 2_000),
        (2_047, 2_047, None),
    ],
)
def test_the_budget_for_thinking_stays_below_the_limit(cap, max_tokens, budget):
    body = passed(cap, thinking=ENABLED, context_management={"edits": []})
    assert body["max_tokens"] == max_tokens
    assert body.get("thinking", {}).get("budget_tokens") == budget
    assert ("context_management" in body) is (budget is not None)
    assert budget is None or body["thinking"]["display"] == "omitted"


def test_adaptive_thinking_passes_under_any_limit():
    assert passed(100, thinking={"type": "adaptive"})["thinking"] == {"type": "adaptive"}


def test_thinking_that_another_model_signed_is_left_out():
    messages = [
        {"role": "user", "content": "runapi1: is a word like others"},
        {"role": "assistant", "content": [SIGNED, {"type": "text", "text": "a"}]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": [SIGNED]},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": [THEIRS, {"type": "text", "text": "d"}]},
        {"role": "user", "content": "e"},
    ]
    body = passed(messages=messages, thinking=ENABLED)
    assert [message["content"] for message in body["messages"]] == [
        "runapi1: is a word like others",
        [{"type": "text", "text": "a"}],
        "b",
        "c",
        [THEIRS, {"type": "text", "text": "d"}],
        "e",
    ]
    assert body["thinking"] == ENABLED


def test_a_budget_goes_where_the_newest_calls_lost_their_thoughts():
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [SIGNED, USE]},
        {"role": "user", "content": [RESULT]},
    ]
    body = passed(messages=messages, thinking=ENABLED)
    assert body["messages"][1]["content"] == [USE]
    assert "thinking" not in body
    assert "thinking" in passed(messages=messages, thinking={"type": "adaptive"})


# ---- how large it can be -----------------------------------------------------------------------------------

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * 5_000}
IMAGE = {"type": "image", "source": PNG}


def shape(**changes):
    return read_shape(request(**changes))


def said(*blocks):
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def test_the_data_of_an_image_counts_as_an_image_wherever_it_stands():
    document = {"type": "document", "source": {"type": "content", "content": [IMAGE]}}
    for blocks in ([IMAGE], [RESULT | {"content": [IMAGE]}], [document], [RESULT | {"content": [document]}]):
        found = shape(**said(*blocks))
        assert found.image_tokens == MOST_ORIGINAL
        assert found.text_bytes < 1_000
        assert not found.is_open


def test_a_linked_image_counts_as_the_largest():
    assert (
        shape(**said({"type": "image", "source": {"type": "url", "url": "https://x"}})).image_tokens
        == MOST_ORIGINAL
    )


@pytest.mark.parametrize(
    "changes",
    [
        said(
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}}
        ),
        said({"type": "document", "source": {"type": "url", "url": "https://x"}}),
        said({"type": "document", "source": 7}),
        said({"type": "container_upload", "file_id": "x"}),
        said({"type": "brand_new"}),
        said("no object"),
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": [{"type": "url"}]},
    ],
)
def test_what_bytes_do_not_bound_is_open(changes):
    assert shape(**changes).is_open


def test_text_is_bounded_by_its_bytes():
    blocks = [
        {"type": "text", "text": "a" * 1_000},
        RESULT | {"content": "b" * 1_000},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "c" * 1_000}},
        {"type": "search_result", "source": "d", "title": "e", "content": [{"type": "text", "text": "f"}]},
    ]
    found = shape(**said(*blocks), system="g" * 1_000, metadata={"user_id": "h" * 9_000})
    assert not found.is_open
    assert 4_000 < found.text_bytes < 5_000
    assert (found.output_cap, found.has_tools) == (8_000, False)


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "bash_20250124", "name": "bash"}],
        [{"type": "text_editor_20250728", "name": "e"}, {"type": "memory_20250818", "name": "m"}],
        [
            {
                "name": "f",
                "description": "d",
                "input_schema": {"type": "object", "properties": {"a": {"enum": [1]}}},
            }
        ],
    ],
)
def test_the_bound_holds_the_tools_that_the_model_is_told_of(tools):
    asked = request(tools=tools)
    found = read_shape(asked)

    class Large:
        max_input_tokens = 10**9

    known = sum("input_schema" not in tool for tool in tools)
    assert found.text_bytes >= 1_024 * (
        1 + known
    )  # what a Claude model is told of tools is longer than they are
    assert found.has_tools
    assert not found.is_open
    assert count_asked(to_asked(asked)) <= input_upper_bound(found, Large)
