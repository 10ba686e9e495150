import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import specification
from fakes.any_json import any_json, any_request
from fakes.sandbox_calls import EXEC, TOOLS, ask, assert_refused, plan, refusal, refusal_of, request
from runapi.upstream.sandbox import chat

CALL = {"id": "c1", "type": "function", "function": {"name": "exec", "arguments": "{}"}}
HI = {"role": "user", "content": "hi"}
PRECEDING = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."


CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/b"}},
    "required": ["a", "b"],
    "additionalProperties": False,
    "$defs": {"b": {"type": "object", "properties": {}, "required": [], "additionalProperties": False}},
}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
PARTIAL = {**CLOSED, "properties": {**CLOSED["properties"], "c": {"type": "string"}}}


def strict_tool(schema: dict) -> dict:
    return {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}


def calling(*ids: str) -> dict:
    return {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": one} for one in ids]}


def result(one: object, content: object = "x") -> dict:
    return {"role": "tool", "tool_call_id": one, "content": content}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'"\\ud800"', b'{"a":' + b"[" * 100_000, b'{"n": 1e999}', b"{} {}"]
)
def test_body_that_is_no_json_is_refused(body):
    assert "could not parse" in refusal_of(chat.plan(body, "req_1", 1), 400)["message"]


@pytest.mark.parametrize(("body", "got"), [(b"[]", "an array"), (b"null", "null"), (b"1.5", "a decimal")])
def test_body_that_is_no_object_is_refused(body, got):
    assert got in refusal_of(chat.plan(body, "req_1", 1), 400)["message"]


@pytest.mark.parametrize(
    ("messages", "message", "param", "code"),
    [
        (None, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"),
        ({}, "Invalid type for 'messages': expected an array of objects, but got an object instead.", "messages", "invalid_type"),
        ([], "Invalid 'messages': empty array.", "messages", "empty_array"),
        (["hi"], "Invalid type for 'messages[0]'", "messages[0]", "invalid_type"),
        ([{"content": "hi"}], "Missing required parameter: 'messages[0].role'.", "messages[0].role", "missing_required_parameter"),
        (
            [{"role": "boss", "content": "hi"}],
            "Invalid value: 'boss'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
            "messages[0].role",
            "invalid_value",
        ),
        ([{"role": 7, "content": "hi"}], "Invalid type for 'messages[0].role'", "messages[0].role", "invalid_type"),
        ([{"role": "user"}], "Missing required parameter: 'messages[0].content'.", "messages[0].content", "missing_required_parameter"),
        ([{"role": "user", "content": None}], "Invalid value for 'content': expected a string, got null.", "messages[0].content", None),
        ([{"role": "user", "content": 7}], "Invalid type for 'messages[0].content'", "messages[0].content", "invalid_type"),
        ([{"role": "user", "content": [{"type": "video"}]}], "Invalid value: 'video'.", "messages[0].content[0].type", "invalid_value"),
        ([{"role": "user", "content": [{}]}], "Missing required parameter", "messages[0].content[0].type", "missing_required_parameter"),
        ([{"role": "user", "content": [{"type": "text"}]}], "Missing required", "messages[0].content[0].text", "missing_required_parameter"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}], "Invalid type", "messages[0].content[0].image_url", "invalid_type"),
        ([{"role": "assistant", "content": None}], "Invalid value for 'content'", "messages[0].content", None),
        ([HI, calling()], "Invalid 'messages[1].tool_calls': empty array.", "messages[1].tool_calls", "empty_array"),
        ([HI, {**calling("c1"), "tool_calls": [{}]}], "Missing required", "messages[1].tool_calls[0].id", "missing_required_parameter"),
        ([HI, result("c1")], PRECEDING, "messages.[1].role", None),
        ([HI, calling("c1"), result("c1"), HI, result("c1")], PRECEDING, "messages.[4].role", None),
        ([HI, calling("c1"), result("c2")], "Invalid parameter: 'tool_call_id' of 'c2' not found", "messages.[2].tool_call_id", None),
        ([HI, calling("c1"), result(None)], "Missing required", "messages[2].tool_call_id", "missing_required_parameter"),
        ([HI, calling("c1", "c2"), result("c1"), HI], "An assistant message with 'tool_calls' must be followed", "messages.[1].role", None),
        ([HI, calling("c1")], "The following tool_call_ids did not have response messages: c1", "messages.[1].role", None),
    ],
)  # fmt: skip
def test_messages_that_openai_refuses_are_refused_in_its_words(messages, message, param, code):
    error = refusal(messages) if messages is not None else refusal([HI], messages=None)
    assert message in error["message"]
    assert_refused(error, param, code)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 10**30}, "n", "integer_above_max_value"),
        ({"n": True}, "n", "invalid_type"),
        ({"temperature": "0.3"}, "temperature", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"top_p": -0.1}, "top_p", "decimal_below_min_value"),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_object"}}, "messages", None),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.name", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
            "response_format.json_schema.name",
            "invalid_value",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
            "missing_required_parameter",
        ),
        ({"foo": 1}, None, None),
        ({"verbosity": "x"}, "verbosity", "invalid_value"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": OPEN, "strict": True}}}, "response_format", "invalid_json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": PARTIAL, "strict": True}}}, "response_format", "invalid_json_schema"),
        ({"tools": [strict_tool(OPEN)]}, "tools[0].function.parameters", "invalid_function_parameters"),
        ({"tools": [EXEC, strict_tool(PARTIAL)]}, "tools[1].function.parameters", "invalid_function_parameters"),
        ({"tools": []}, "tools", "empty_array"),
        ({"tools": [EXEC] * 129}, "tools", "array_above_max_length"),
        ({"tools": ["exec"]}, "tools[0]", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name", "invalid_value"),
        ({"tool_choice": "auto"}, "tool_choice", None),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "nope"}}}, "tool_choice", None),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools.mode", "invalid_type"),
    ],
)  # fmt: skip
def test_parameter_that_openai_refuses_is_refused(fields, param, code):
    assert_refused(refusal("hi", **fields), param, code)


def test_schema_that_is_not_strict_is_refused_in_openai_s_words():
    inner = {**CLOSED, "properties": {"a": {"anyOf": [OPEN]}}, "required": ["a"]}
    closed = "'additionalProperties' is required to be supplied and to be false."
    named = "'required' is required to be supplied and to be an array including every key in properties. Missing 'c'."
    for schema, where, fault in (
        (OPEN, "()", closed),
        (inner, "('properties', 'a', 'anyOf', '0')", closed),
        (PARTIAL, "()", named),
    ):
        error = refusal("hi", tools=[strict_tool(schema)])
        assert error["message"] == f"Invalid schema for function 'f': In context={where}, {fault}"


def test_strict_schema_and_one_that_need_not_be_are_taken():
    loose = {"type": "function", "function": {"name": "g", "parameters": OPEN}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": CLOSED, "strict": True}}
    assert ask("hi", tools=[strict_tool(CLOSED), loose], response_format=form)


@pytest.mark.parametrize(
    ("part", "param", "code"),
    [
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "messages[0].content[0].type", "unsupported_value"),
        ({"type": "image_url", "image_url": {"url": "nope"}}, "messages[0].content[0].image_url.url", "invalid_value"),
        ({"type": "image_url", "image_url": {"url": 5}}, "messages[0].content[0].image_url.url", "invalid_type"),
        ({"type": "image_url", "image_url": {}}, "messages[0].content[0].image_url.url", "missing_required_parameter"),
    ],
)  # fmt: skip
def test_part_that_these_models_do_not_take_is_refused(part, param, code):
    assert_refused(refusal([{"role": "user", "content": [part]}]), param, code)


@pytest.mark.parametrize(
    "messages",
    [
        [HI, HI, {"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        [HI, calling("c1", "c2"), result("c2"), result("c1", [{"type": "text", "text": "x"}]), HI, HI],
        [
            HI,
            {**calling("c1"), "content": "let me see", "reasoning_content": "x", "phase": "commentary"},
            result("c1"),
        ],
        [{"role": "developer", "content": "be kind"}, {"role": "system", "content": "be brief"}, HI],
        [HI, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, {**HI, "name": "Ann"}],
        [HI, {"role": "assistant", "content": "and then"}],
    ],
)
def test_conversations_that_agents_send_are_answered(messages):
    assert ask(messages)["choices"][0]["finish_reason"] == "stop"


def test_nulls_and_what_changes_nothing_are_let_pass():
    names = [
        "stream",
        "stop",
        "n",
        "tools",
        "tool_choice",
        "response_format",
        "max_tokens",
        "logprobs",
        "temperature",
        "reasoning_effort",
    ]
    assert plan("hi", **dict.fromkeys(names)).status == 200
    assert ask("hi", store=False, metadata={}, prompt_cache_key="k")


def test_unknown_directive_is_refused_with_the_list_of_known_ones():
    error = refusal("[[sandbox:dance]]")
    assert "'dance'" in error["message"]
    assert "[[sandbox:cut_after 10]]" in error["message"]
    assert error["param"] == "messages"


def test_answers_too_long_together_are_refused():
    assert refusal(f"[[sandbox:reply {'x ' * 90_000}]]", n=128)["param"] == "n"


def test_log_probabilities_without_measure_are_refused():
    assert refusal("[[sandbox:chunks 5000]]", logprobs=True, top_logprobs=20)["param"] == "logprobs"


WORDS = [
    "function",
    "custom",
    "required",
    "auto",
    "user",
    "tool",
    "json_schema",
    "text",
    "[[sandbox:tool x]]",
]
KEYS = [
    "type",
    "role",
    "content",
    "function",
    "name",
    "tool_calls",
    "id",
    "parameters",
    "json_schema",
    "schema",
]
FIELDS = (
    "model messages stream stream_options max_completion_tokens max_tokens n stop temperature top_p tools tool_choice "
    "response_format logprobs top_logprobs reasoning_effort service_tier parallel_tool_calls"
)


@settings(deadline=None, max_examples=300)
@given(any_request(request("hi", tools=TOOLS), FIELDS.split(), any_json(WORDS, KEYS)))
@example({"model": "m", "messages": [HI], "tools": [{"type": "function", "function": {"name": "a", "parameters": {"$ref": "#"}}}], "tool_choice": "required"})  # fmt: skip
def test_any_json_gets_a_reply_or_a_refusal(body):
    found = chat.plan(json.dumps(body).encode(), "req_1", 1)
    sent = b"".join(event.data for event in found.events)
    if found.status == 400:
        specification.check_error(json.loads(sent))
        return
    assert found.status == 200
    if found.headers["content-type"] == "application/json":
        specification.check_reply(json.loads(sent))
    else:
        assert sent.endswith(b"data: [DONE]\n\n")


@given(st.binary(max_size=50))
def test_any_bytes_get_a_refusal(body):
    assert refusal_of(chat.plan(body, "req_1", 1), 400)["message"]
