"""Which Messages requests are taken, and how the others are refused."""

import json

import pytest

from runapi.core.problems import Problem
from runapi.wire.anthropic.ask import dropped, to_asked
from runapi.wire.anthropic.effort import read_effort, write_adaptive_effort, write_budget
from runapi.wire.anthropic.request import (
    MOST_STOPS,
    Thinking,
    read_count_request,
    read_messages_request,
)
from runapi.wire.neutral import Role, Text, Turn

PLAIN = {"model": "gpt-5.5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi."}]}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png"}}
PDF = {"type": "base64", "media_type": "application/zip", "data": ""}


def body(**changes):
    return json.dumps({name: value for name, value in (PLAIN | changes).items() if value != "-"}).encode()


def read(**changes):
    return read_messages_request(body(**changes))


def said(*blocks, role="user"):
    return {"messages": [{"role": role, "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"model": "-"}, "model", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_type"),
        ({"max_tokens": "-"}, "max_tokens", "missing_required_parameter"),
        ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
        ({"max_tokens": -1}, "max_tokens", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"messages": "-"}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": {}}, "messages", "invalid_type"),
        ({"messages": ["x"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "invalid_type"),
        (said(), "messages[0].content", "empty_array"),
        (said("x"), "messages[0].content[0]", "invalid_type"),
        (said({"text": "x"}), "messages[0].content[0].type", "missing_required_parameter"),
        (said({"type": "text"}), "messages[0].content[0].text", "missing_required_parameter"),
        (said({"type": "text", "text": 7}), "messages[0].content[0].text", "invalid_type"),
        (said({"type": "server_tool_use"}), "messages[0].content[0].type", "invalid_value"),
        (said(IMAGE), "messages[0].content[0].source.data", "missing_required_parameter"),
        (
            said({"type": "document", "source": PDF}),
            "messages[0].content[0].source.media_type",
            "invalid_value",
        ),
        (said({"type": "tool_use"}, role="user"), "messages[0].content[0].type", "invalid_value"),
        (
            said({"type": "tool_use", "id": "a"}, role="assistant"),
            "messages[0].content[0].name",
            "missing_required_parameter",
        ),
        (said({"type": "image"}, role="system"), "messages[0].content[0].type", "invalid_value"),
        ({"system": 7}, "system", "invalid_type"),
        ({"system": [{"type": "image"}]}, "system[0].type", "invalid_value"),
        ({"temperature": 1.5}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"top_k": 1.5}, "top_k", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stop_sequences": "x"}, "stop_sequences", "invalid_type"),
        ({"stop_sequences": [""]}, "stop_sequences[0]", "invalid_value"),
        ({"stop_sequences": ["x" * 257]}, "stop_sequences[0]", "invalid_value"),
        ({"stop_sequences": ["x"] * (MOST_STOPS + 1)}, "stop_sequences", "invalid_value"),
        ({"thinking": {"type": "deep"}}, "thinking.type", "invalid_value"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "missing_required_parameter"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens", "invalid_value"),
        ({"output_config": {"effort": "extreme"}}, "output_config.effort", "invalid_value"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type", "invalid_value"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema", "missing_required_parameter"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type", "invalid_value"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "missing_required_parameter"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [7]}, "tools[0]", "invalid_type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "missing_required_parameter"),
        (
            {"tools": [{"name": "f", "input_schema": {}}]},
            "tools[0].input_schema.type",
            "missing_required_parameter",
        ),
        ({"tools": [{"input_schema": {"type": "object"}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "computer_toolset_20260801"}]}, "tools[0].type", "unsupported_parameter"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers", "unsupported_parameter"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id", "invalid_type"),
    ],
)
def test_what_is_wrong_is_named(changes, param, code):
    with pytest.raises(Problem) as raised:
        to_asked(read(**changes))
    problem = raised.value
    assert (problem.status, problem.param, problem.code) == (400, param, code)
    assert param in problem.message


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"model":"\xff"}', b'{"a":' * 5_000])
def test_a_body_that_is_no_json_is_refused(text):
    with pytest.raises(Problem) as raised:
        read_messages_request(text)
    assert raised.value.code == "invalid_json"


@pytest.mark.parametrize("text", [b"[]", b"7", b'"x"', b"null", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(text):
    with pytest.raises(Problem) as raised:
        read_messages_request(text)
    assert raised.value.code == "invalid_type"


def test_betas_and_unknown_fields_are_let_through():
    cached = {"type": "text", "text": "Hi.", "cache_control": {"type": "ephemeral", "ttl": "1h"}, "new": 1}
    request = read(
        **said(cached),
        new_beta={"deep": [1]},
        betas=["x"],
        cache_control=None,
        mcp_servers=[],
        thinking=None,
        output_config={"effort": None, "new": 1},
        tools=None,
    )
    assert to_asked(request).items == (Turn(Role.USER, (Text("Hi."),)),)
    assert bytes(request.fields["new_beta"]) == b'{"deep": [1]}'


def test_half_an_emoji_is_mended():
    request = read_messages_request(body(**said({"type": "text", "text": "~"})).replace(b"~", b"a\\ud83d"))
    assert to_asked(request).items == (Turn(Role.USER, (Text("a\ufffd"),)),)


def test_a_request_to_count_needs_no_limit():
    request = read_count_request(body(max_tokens="-"))
    assert request.max_tokens is None
    assert to_asked(request).output_cap is None


def test_what_has_no_equal_elsewhere_is_told():
    request = read(top_k=5, speed="fast", container=None, context_management={"edits": []}, temperature=1)
    assert dropped(request) == ("top_k", "context_management", "speed")


def test_user_ids_of_claude_code_name_the_session_and_a_stable_user():
    ids = [
        json.dumps({"device_id": "d1", "account_uuid": "", "session_id": "s1"}),
        "user_1_account__session_s1",
        "plain",
        "{odd",
        '{"session_id":"' + "s" * 65 + '"}',
        "u" * 65,
        "",
    ]
    asked = [to_asked(read(metadata={"user_id": user_id})) for user_id in ids]
    assert [one.cache_key for one in asked] == ["s1", "s1", None, None, None, None, None]
    assert [one.safety_identifier for one in asked[:4]] == ["d1", "user_1_account_", "plain", "{odd"]
    assert [len(one.safety_identifier) for one in asked[4:6]] == [64, 64]
    assert asked[6].safety_identifier is None


@pytest.mark.parametrize(
    ("thinking", "shown", "summary"),
    [
        (None, Thinking.HIDDEN, None),
        ({"type": "disabled"}, Thinking.HIDDEN, None),
        ({"type": "adaptive"}, Thinking.SHOWN, "auto"),
        ({"type": "between_tools"}, Thinking.SHOWN, "auto"),
        ({"type": "enabled", "budget_tokens": 1024, "display": "summarized"}, Thinking.SHOWN, "auto"),
        ({"type": "adaptive", "display": "omitted"}, Thinking.OMITTED, None),
    ],
)
def test_thinking_is_shown_to_who_asks_for_it(thinking, shown, summary):
    request = read(thinking=thinking)
    assert request.thinking is shown
    assert to_asked(request).summary == summary


@pytest.mark.parametrize(
    ("thinking", "effort", "read_as"),
    [
        (None, None, None),
        (None, "low", "low"),
        (None, "max", "max"),
        ({"type": "disabled"}, "high", "none"),
        ({"type": "adaptive"}, None, "medium"),
        ({"type": "adaptive"}, "xhigh", "xhigh"),
        ({"type": "enabled", "budget_tokens": 1024}, None, "low"),
        ({"type": "enabled", "budget_tokens": 4095}, None, "low"),
        ({"type": "enabled", "budget_tokens": 4096}, None, "medium"),
        ({"type": "enabled", "budget_tokens": 16384}, None, "high"),
        ({"type": "enabled", "budget_tokens": 32768}, None, "xhigh"),
        ({"type": "enabled", "budget_tokens": 32768}, "low", "low"),
        ({"type": "adaptive", "budget_tokens": 9}, None, "medium"),
    ],
)
def test_thinking_becomes_an_effort(thinking, effort, read_as):
    assert to_asked(read(thinking=thinking, output_config={"effort": effort})).effort == read_as


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh"])
def test_an_effort_that_was_written_as_a_budget_is_the_same_effort(effort):
    assert read_effort("enabled", write_budget(effort, 100_000), None) == effort


def test_a_budget_leaves_room_for_an_answer():
    assert write_budget("high", 8_000) == 4_000
    assert write_budget("high", 2_048) == 1_024
    assert write_budget("high", 2_047) is None
    assert write_budget("none", 10_000) is write_budget(None, 10_000) is None
    assert write_adaptive_effort("minimal") == "low"
