import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import specification
from fakes.any_json import any_json, any_request
from fakes.responses_stream import check_stream, read_events
from fakes.sandbox_calls import assert_refused, refusal_of
from fakes.sandbox_responses import EXEC, PATCH, TOOLS, ask, plan, refusal, request
from runapi.upstream.sandbox import responses

HI = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "exec", "arguments": "{}"}
RAN = {"type": "function_call_output", "call_id": "c1", "output": "x"}
PATCHED = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "x"}
NAME = {"type": "json_schema", "schema": {}}


def said(*parts: object, role: str = "user") -> list:
    return [{"role": role, "content": list(parts)}]


@pytest.mark.parametrize(
    ("items", "message", "param", "code"),
    [
        (None, "Missing required parameter: 'input'.", "input", "missing_required_parameter"),
        ([], "Invalid 'input': empty array.", "input", "empty_array"),
        ({}, "Invalid type for 'input'", "input", "invalid_type"),
        (["hi"], "Invalid type for 'input[0]'", "input[0]", "invalid_type"),
        ([{"content": "hi"}], "Missing required parameter: 'input[0].type'.", "input[0].type", "missing_required_parameter"),
        ([{"type": "letter"}], "Invalid value: 'letter'. Supported values are: 'message',", "input[0].type", "invalid_value"),
        ([{"role": "tool", "content": "x"}], "Supported values are: 'assistant', 'system', 'developer', and 'user'.", "input[0].role", "invalid_value"),
        ([{"role": "user"}], "Missing required", "input[0].content", "missing_required_parameter"),
        ([{"role": "user", "content": 7}], "Invalid type", "input[0].content", "invalid_type"),
        (said("x"), "Invalid type", "input[0].content[0]", "invalid_type"),
        (said({"text": "x"}), "Missing required", "input[0].content[0].type", "missing_required_parameter"),
        (said({"type": "text", "text": "x"}), "'input_text', 'input_image', and 'input_file'.", "input[0].content[0]", "invalid_value"),
        (said({"type": "input_text", "text": "x"}, role="assistant"), "Supported values are: 'output_text' and 'refusal'.", "input[0].content[0]", "invalid_value"),
        (said({"type": "input_text"}), "Missing required", "input[0].content[0].text", "missing_required_parameter"),
        (said({"type": "input_image", "image_url": "nope"}), "Expected a valid URL", "input[0].content[0].image_url", "invalid_value"),
        ([HI, {**CALL, "call_id": None}], "Missing required", "input[1].call_id", "missing_required_parameter"),
        ([HI, {**CALL, "arguments": {}}], "Invalid type", "input[1].arguments", "invalid_type"),
        ([HI, CALL], "No tool output found for function call c1.", "input", None),
        ([HI, PATCHED], "No tool output found for custom tool call c1.", "input", None),
        ([HI, RAN], "No tool call found for function call output with call_id c1.", "input", None),
        ([HI, PATCHED, RAN], "No tool call found for function call output with call_id c1.", "input", None),
        ([HI, RAN, CALL], "No tool call found", "input", None),
        ([HI, CALL, {**RAN, "output": None}], "Missing required", "input[2].output", "missing_required_parameter"),
    ],
)  # fmt: skip
def test_input_that_openai_refuses_is_refused_in_its_words(items, message, param, code):
    error = refusal(items)
    assert message in error["message"]
    assert_refused(error, param, code)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options", None),
        ({"stream": True, "stream_options": {"include_usage": True}}, "stream_options.include_usage", "unknown_parameter"),
        ({"instructions": 7}, "instructions", "invalid_type"),
        ({"max_output_tokens": 1.5}, "max_output_tokens", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"top_p": -0.1}, "top_p", "decimal_below_min_value"),
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"include": [{}]}, "include[0]", "invalid_type"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", "invalid_value"),
        ({"text": {"verbosity": "huge"}}, "text.verbosity", "invalid_value"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {"name": "x"}}}, "text.format.type", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_object"}}}, "input", None),
        ({"text": {"format": NAME}}, "text.format.name", "missing_required_parameter"),
        ({"text": {"format": {**NAME, "name": "a b"}}}, "text.format.name", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema", "missing_required_parameter"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"truncation": "sometimes"}, "truncation", "invalid_value"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [EXEC] * 129}, "tools", "array_above_max_length"),
        ({"tools": ["exec"]}, "tools[0]", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "hammer"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function", "function": {"name": "exec"}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{**EXEC, "name": "a b"}]}, "tools[0].name", "invalid_value"),
        ({"tools": [{**EXEC, "parameters": []}]}, "tools[0].parameters", "invalid_type"),
        ({"tool_choice": "required"}, "tool_choice", None),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": {}}, "tool_choice.type", "missing_required_parameter"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "nope"}}, "tool_choice", None),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "exec"}}}, "tool_choice.name", "missing_required_parameter"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "mode": []}}, "tool_choice.mode", "invalid_type"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice.tools", "missing_required_parameter"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
        ({"messages": [HI]}, "messages", "unsupported_parameter"),
        ({"max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"response_format": {"type": "text"}}, "response_format", "unsupported_parameter"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "unsupported_parameter"),
    ],
)  # fmt: skip
def test_parameter_that_openai_refuses_is_refused(fields, param, code):
    assert_refused(refusal("hi", **fields), param, code)


def test_earlier_response_is_not_found_for_nothing_is_kept():
    error = refusal("hi", previous_response_id="resp_123")
    assert error == {
        "message": "Previous response with id 'resp_123' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }
    lost = refusal_of(plan([HI, {"type": "item_reference", "id": "msg_1"}]), 404)
    assert lost["message"].startswith("Item with id 'msg_1' not found.")


@pytest.mark.parametrize(
    "items",
    [
        [HI, {"type": "message", **HI}, *said({"type": "input_text", "text": "hi"})],
        [{"role": "developer", "content": "be kind"}, {"role": "system", "content": "be brief"}, HI],
        [HI, {"type": "message", "role": "assistant", "content": "Let me see.", "phase": "commentary"}, CALL, RAN],
        [HI, CALL, PATCHED, {**RAN, "type": "custom_tool_call_output"}, RAN, HI],
        [HI, {"type": "web_search_call", "id": "ws_1", "status": "completed"}, *said({"type": "output_text", "text": "x"}, role="assistant"), HI],
        [HI, *said({"type": "refusal", "refusal": "no"}, role="assistant"), HI],
        said({"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}, {"type": "input_file", "file_id": "f"}),
    ],
)  # fmt: skip
def test_conversations_that_agents_send_are_answered(items):
    assert plan(items).status == 200


def test_unknown_parameters_and_nulls_are_let_pass():
    names = (
        "stream instructions max_output_tokens temperature tools tool_choice text reasoning include metadata "
        "previous_response_id background conversation prompt store truncation top_logprobs service_tier"
    )
    assert plan("hi", **dict.fromkeys(names.split())).status == 200
    assert plan("hi", client_metadata={"a": 1}, foo=1).status == 200


def test_unknown_directive_is_refused_with_the_list_of_known_ones():
    error = refusal("[[sandbox:dance]]")
    assert "[[sandbox:cut_after 10]]" in error["message"]
    assert error["param"] == "input"


def test_log_probabilities_without_measure_are_refused():
    error = refusal("[[sandbox:chunks 5000]]", include=["message.output_text.logprobs"], top_logprobs=20)
    assert error["param"] == "include"


# ---- counting --------------------------------------------------------------------------------------------


def count(**fields: object) -> int:
    (sent,) = responses.plan_count(json.dumps(fields).encode(), "req_1").events
    body = json.loads(sent.data)
    specification.check_input_tokens(body)
    return body["input_tokens"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"instructions": "Be brief."},
        {"tools": TOOLS},
        {"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD+"}}]},
    ],
)
def test_count_is_what_the_answer_reports(fields):
    counted = count(**request("Say hi", **fields))
    assert counted == ask("Say hi", **fields)["usage"]["input_tokens"]
    assert counted >= count(**request("Say hi"))
    assert counted > count(model="gpt-5.5")


def test_what_is_longer_counts_more():
    shorter = [{}, {"instructions": "Be brief."}, {"instructions": "Be brief.", "tools": TOOLS}]
    assert len({count(**request("hi", **fields)) for fields in shorter}) == 3


def test_directives_are_counted_and_not_followed():
    assert count(input="[[sandbox:status 500]]") > count(input="[[sandbox:dance]]") - 10 > 0


def test_what_cannot_be_counted_is_refused():
    found = responses.plan_count(json.dumps({"input": [RAN]}).encode(), "req_1")
    assert refusal_of(found, 400)["param"] == "input"
    assert refusal_of(responses.plan_count(b"[]", "req_1"), 400)


# ---- anything ---------------------------------------------------------------------------------------------

WORDS = ["function", "custom", "required", "user", "message", "reasoning", "function_call", "input_text", "allowed_tools", "json_schema", "[[sandbox:tool x]]"]  # fmt: skip
KEYS = ["type", "role", "content", "name", "call_id", "output", "arguments", "id", "mode", "tools", "parameters", "schema", "format", "effort"]  # fmt: skip
FIELDS = (
    "model input instructions stream stream_options max_output_tokens temperature top_p tools tool_choice text "
    "reasoning include top_logprobs service_tier parallel_tool_calls metadata store truncation user"
)


@settings(deadline=None, max_examples=300)
@given(any_request(request("hi", tools=TOOLS), FIELDS.split(), any_json(WORDS, KEYS)))
def test_any_json_gets_a_reply_or_a_refusal(body):
    found = responses.plan(json.dumps(body).encode(), "req_1", 1)
    sent = b"".join(event.data for event in found.events)
    if found.status in (400, 404):
        specification.check_error(json.loads(sent))
        return
    assert found.status == 200
    if found.headers["content-type"] == "application/json":
        assert json.loads(sent)["object"] == "response"
    else:
        assert read_events(sent)[-1]["type"] in ("response.completed", "response.incomplete")


def test_stream_to_an_odd_request_is_still_a_good_one():
    found = plan([HI, CALL, RAN, HI], stream=True, max_output_tokens=16, metadata={"": ""})
    check_stream(read_events(b"".join(event.data for event in found.events)))


@given(st.binary(max_size=50))
def test_any_bytes_get_a_refusal(body):
    assert refusal_of(responses.plan(body, "req_1", 1), 400)["message"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]}, "tools[0].parameters", "invalid_function_parameters"),
        ({"text": {"format": {"type": "json_schema", "name": "f", "schema": {"type": "object"}, "strict": True}}}, "text.format.schema", "invalid_json_schema"),
    ],
)  # fmt: skip
def test_schema_that_is_not_strict_is_refused(fields, param, code):
    error = refusal([HI], **fields)
    assert "'additionalProperties' is required to be supplied and to be false" in error["message"]
    assert_refused(error, param, code)
