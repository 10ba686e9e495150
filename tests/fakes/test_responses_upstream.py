"""The scripted upstream on the Responses API: its replies are good ones, and strict it refuses what OpenAI refuses."""

import json
import time

import pytest

from fakes import http, responses_replies, steps, unbridged_replies
from fakes.http import Connection
from fakes.received import Request
from fakes.replies import CREATED
from fakes.responses_replies import Called, Raw, Refused, Said, Thought, events_of
from fakes.responses_stream import check_stream, read_event
from fakes.specification import (
    check_completion,
    check_completion_chunk,
    check_embeddings,
    check_error,
    check_input_tokens,
    check_moderation,
    check_response,
    check_response_event,
)
from fakes.upstream import ScriptedUpstream

RESPONSES = "/v1/responses"
HELLO = {"model": "gpt-5.5", "input": "Hi"}
SEAL = {"include": ["reasoning.encrypted_content"]}
TOOL = {"type": "function", "name": "exec", "parameters": {"type": "object"}, "strict": False}
CALL = {"type": "function_call", "call_id": "c1", "name": "exec", "arguments": "{}"}
RAN = {"type": "function_call_output", "call_id": "c1", "output": "x"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}  # fmt: skip
CITATION = {"type": "url_citation", "url": "https://example.com", "title": "x", "start_index": 0, "end_index": 1}  # fmt: skip
ANSWERS = [
    [Said()],
    [Said((), phase=None)],
    [Refused()],
    [Said(("a",), annotations=(CITATION,), phase="final_answer")],
    [Thought(), Called("exec", '{"a": 1}'), Called("apply_patch", "*** Begin", call_id="call_2", is_custom=True)],
    [Thought(("I ", "think.")), Said(("one",), phase="commentary"), Called("exec", "")],
    [Raw(SEARCH), Said()],
    [],
]  # fmt: skip


def url_of(upstream):
    return upstream.base_url.removesuffix("/v1")


def post(upstream, body, *, key="sk-1", path=RESPONSES):
    return http.post(url_of(upstream), body, key=key, path=path)


def asked(**fields):
    body = json.dumps({**HELLO, **fields}).encode()
    return Request("POST", RESPONSES, (("authorization", "Bearer sk-1"),), body, 1, time.monotonic())


def stream_of(upstream, body):
    """The events of a streamed answer, as they come over the socket."""
    with Connection(url_of(upstream)) as client:
        data = json.dumps({**body, "stream": True}).encode()
        client.send_request("POST", RESPONSES, body=data)
        assert client.read_head().headers["content-type"].startswith("text/event-stream")
        return [read_event(block) for block in client.events()]


# ---- replies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", ANSWERS)
@pytest.mark.parametrize("fields", [{}, SEAL, {"tools": [TOOL], "metadata": {"a": "b"}, "store": False}])
def test_streamed_and_whole_replies_say_the_same(items, fields):
    end = check_stream(events_of(responses_replies.stream_reply(items), asked(**fields)))
    with ScriptedUpstream() as upstream:
        upstream.then(responses_replies.plain_reply(items))
        reply = post(upstream, {**HELLO, **fields}).json
    check_response(reply)
    assert reply == end
    assert all(reply[name] == fields[name] for name in fields if name != "include")


def test_reply_that_ends_early_says_why():
    items, fields = [Thought(), Said(("half",))], {"incomplete": "max_output_tokens"}
    end = check_stream(events_of(responses_replies.stream_reply(items, **fields), asked()))
    assert (end["status"], end["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert end["output"][-1]["status"] == "incomplete"
    assert end["completed_at"] is None


@pytest.mark.parametrize("after", [2, 5, None])
def test_failed_stream_ends_with_the_error_and_what_was_whole(after):
    script = responses_replies.stream_failed_reply([Said(), Said()], after=after, code="rate_limit_exceeded")
    end = check_stream(events_of(script, asked()))
    assert (end["status"], end["error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert len(end["output"]) == (0 if after else 2)


def test_failed_whole_reply_is_a_response():
    with ScriptedUpstream(responses_replies.failed_reply()) as upstream:
        reply = post(upstream, HELLO)
    check_response(reply.json)
    assert (reply.status, reply.json["status"]) == (200, "failed")


def test_error_event_is_the_last_one():
    *told, end = events_of(responses_replies.stream_error_reply(after=6), asked())
    check_response_event(end)
    assert (len(told), end["type"], end["sequence_number"]) == (6, "error", 6)


@pytest.mark.parametrize("cut_after", [0, 1, 5])
def test_stream_can_be_cut_after_any_event(cut_after):
    script = responses_replies.stream_reply(cut_after=cut_after)
    with ScriptedUpstream(script) as upstream, Connection(url_of(upstream)) as client:
        client.send_request("POST", RESPONSES, body=json.dumps(HELLO).encode())
        client.read_head()
        blocks = client.events()
        assert [read_event(next(blocks))["sequence_number"] for _ in range(cut_after)] == list(
            range(cut_after)
        )
        with pytest.raises(EOFError):
            next(blocks)


def test_stream_can_be_cut_by_a_reset():
    script = responses_replies.stream_reply(cut_after=3, cut=steps.rst())
    with ScriptedUpstream(script) as upstream, Connection(url_of(upstream)) as client:
        client.send_request("POST", RESPONSES, body=json.dumps(HELLO).encode())
        with pytest.raises(ConnectionResetError):
            client.read_to_end()


def test_padding_is_left_out_where_the_request_says_so():
    padded = events_of(responses_replies.stream_reply(), asked())
    plain = events_of(responses_replies.stream_reply(), asked(stream_options={"include_obfuscation": False}))
    assert ["obfuscation" in json.dumps(events) for events in (padded, plain)] == [True, False]


def test_every_api_is_answered_politely():
    with ScriptedUpstream() as upstream:
        check_response(post(upstream, HELLO).json)
        check_stream(stream_of(upstream, HELLO))
        check_input_tokens(post(upstream, HELLO, path="/v1/responses/input_tokens").json)
        for fields in ({}, {"encoding_format": "base64"}):
            check_embeddings(post(upstream, {**HELLO, **fields}, path="/v1/embeddings").json)
        check_completion(post(upstream, {"model": "m", "prompt": "x"}, path="/v1/completions").json)
        check_moderation(post(upstream, {"input": "x"}, path="/v1/moderations").json)
        assert post(upstream, HELLO, path="/v1/chat/completions").json["created"] == CREATED


def test_streamed_completion_gives_usage_where_it_is_asked_for():
    body = {"model": "m", "prompt": "x", "stream": True, "stream_options": {"include_usage": True}}
    with ScriptedUpstream(unbridged_replies.completion_reply()) as upstream:
        text = post(upstream, body, path="/v1/completions").body
    *chunks, done = text.decode().removesuffix("\n\n").split("\n\n")
    for chunk in chunks:
        check_completion_chunk(json.loads(chunk.removeprefix("data: ")))
    assert done == "data: [DONE]"
    assert json.loads(chunks[-1].removeprefix("data: "))["usage"]["total_tokens"] == 29


def test_upstream_of_one_api_knows_no_other():
    with ScriptedUpstream(serves=("/responses",)) as upstream:
        assert post(upstream, HELLO).status == 200
        assert post(upstream, HELLO, path="/v1/chat/completions").json["error"]["code"] == "unknown_url"


# ---- strictness ------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}  # fmt: skip
OPEN_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}


@pytest.mark.parametrize(
    ("extra", "status", "param", "code"),
    [
        ({}, 200, None, None),
        ({"temperature": 1}, 200, None, None),
        ({"temperature": 0.3}, 400, "temperature", "unsupported_parameter"),
        ({"temperature": 0.3, "reasoning": {"effort": "none"}}, 200, None, None),
        ({"temperature": 0.3, "model": "gpt-5.4"}, 200, None, None),
        ({"top_p": 0.3}, 400, "top_p", "unsupported_parameter"),
        ({"top_logprobs": 3}, 400, "top_logprobs", "unsupported_parameter"),
        ({"include": ["message.output_text.logprobs"]}, 400, "include", "unsupported_parameter"),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3, "model": "gpt-5.2"}, 200, None, None),
        ({"include": ["all"]}, 400, "include[0]", "invalid_value"),
        ({"max_output_tokens": 15}, 400, "max_output_tokens", "integer_below_min_value"),
        ({"max_output_tokens": 16}, 200, None, None),
        ({"max_output_tokens": 128_001}, 400, "max_output_tokens", "integer_above_max_value"),
        ({"max_tokens": 16}, 400, "max_tokens", "unsupported_parameter"),
        ({"messages": []}, 400, "messages", "unsupported_parameter"),
        ({"response_format": {}}, 400, "response_format", "unsupported_parameter"),
        ({"reasoning_effort": "low"}, 400, "reasoning_effort", "unsupported_parameter"),
        ({"n": 1}, 400, "n", "unknown_parameter"),
        ({"stop": ["x"]}, 400, "stop", "unknown_parameter"),
        ({"seed": 1}, 400, "seed", "unknown_parameter"),
        ({"logit_bias": {}}, 400, "logit_bias", "unknown_parameter"),
        ({"presence_penalty": 0}, 400, "presence_penalty", "unknown_parameter"),
        ({"client_metadata": {}}, 200, None, None),
        ({"reasoning": {"effort": "minimal"}}, 400, "reasoning.effort", "unsupported_value"),
        ({"reasoning": {"effort": "max"}}, 400, "reasoning.effort", "unsupported_value"),
        ({"reasoning": {"effort": "xhigh", "summary": "auto"}}, 200, None, None),
        ({"model": "gpt-5.3-codex"}, 200, None, None),
        ({"model": "gpt-5.3-codex", "reasoning": {"effort": "none"}}, 400, "reasoning.effort", "unsupported_value"),
        ({"model": "gpt-9"}, 400, "model", "model_not_found"),
        ({"model": None}, 400, "model", "missing_required_parameter"),
        ({"tools": [TOOL], "reasoning": {"effort": "high"}}, 200, None, None),
        ({"tools": []}, 200, None, None),
        ({"tools": [{"type": "function", "function": {"name": "exec"}}]}, 400, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{**TOOL, "function": {}}]}, 400, "tools[0].function", "unknown_parameter"),
        ({"tools": [{**TOOL, "strict": True, "parameters": OPEN_SCHEMA}]}, 400, "tools[0].parameters", "invalid_function_parameters"),
        ({"tools": [{**TOOL, "strict": True, "parameters": SCHEMA}]}, 200, None, None),
        ({"tools": [{"type": "web_search"}]}, 200, None, None),
        ({"tool_choice": "required"}, 400, "tool_choice", None),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "exec"}}, 200, None, None),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "nope"}}, 400, "tool_choice", None),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "exec"}}}, 400, "tool_choice.function", "unknown_parameter"),
        ({"text": {"format": FORMAT}}, 200, None, None),
        ({"text": {"format": {**FORMAT, "schema": OPEN_SCHEMA}}}, 400, "text.format.schema", "invalid_json_schema"),
        ({"text": {"format": {"type": "json_schema", "json_schema": FORMAT}}}, 400, "text.format.name", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_object"}}}, 400, "input", None),
        ({"text": {"verbosity": "huge"}}, 400, "text.verbosity", "invalid_value"),
        ({"prompt_cache_retention": "in_memory"}, 400, "prompt_cache_retention", "unsupported_value"),
        ({"prompt_cache_retention": "in_memory", "model": "gpt-5.4"}, 200, None, None),
        ({"prompt_cache_options": {}}, 400, "prompt_cache_options", "unsupported_parameter"),
        ({"stream_options": {"include_obfuscation": False}}, 400, "stream_options", None),
        ({"stream": True, "stream_options": {"include_usage": True}}, 400, "stream_options.include_usage", "unknown_parameter"),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id", "previous_response_not_found"),
        ({"input": None}, 400, "input", "missing_required_parameter"),
        ({"input": []}, 400, "input", "empty_array"),
        ({"input": [{"role": "tool", "content": "x"}]}, 400, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, 400, "input[0].content[0]", "invalid_value"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]}]}, 400, "input[0].content[0].image_url", "invalid_type"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, 400, "input[0].content[0]", "invalid_value"),
        ({"input": [{"role": "assistant", "content": None}]}, 400, "input[0].content", "missing_required_parameter"),
        ({"input": [CALL, RAN]}, 200, None, None),
        ({"input": [CALL]}, 400, "input", None),
        ({"input": [RAN]}, 400, "input", None),
        ({"input": [{**CALL, "id": "call_1"}, RAN]}, 400, "input[0].id", "invalid_value"),
        ({"input": [{**CALL, "id": "fc_1"}, {**RAN, "id": "fco_1"}]}, 200, None, None),
        ({"input": [{**CALL, "call_id": "c" * 65}, {**RAN, "call_id": "c" * 65}]}, 400, "input[0].call_id", "string_above_max_length"),
        ({"input": [{**CALL, "arguments": None}, RAN]}, 400, "input[0].arguments", "missing_required_parameter"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}, CALL, RAN]}, 404, "input", None),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 404, "input", None),
    ],
    ids=str,
)  # fmt: skip
def test_a_strict_upstream_refuses_what_openai_refuses(extra, status, param, code):
    with ScriptedUpstream(strict=True, api_key="sk-1") as upstream:
        answered = post(upstream, {**HELLO, **extra})
    assert answered.status == status
    if status != 200:
        check_error(answered.json)
        assert (answered.json["error"]["param"], answered.json["error"]["code"]) == (param, code)


def test_a_thought_goes_back_to_its_account_and_model_and_before_what_it_led_to():
    turn = [Thought(), Called("exec", call_id="c1")]
    with ScriptedUpstream(responses_replies.plain_reply(turn)) as upstream:
        thought, call = post(upstream, {**HELLO, **SEAL}).json["output"]
    spoilt = {**thought, "encrypted_content": "gAAAAAx"}
    cases = [
        ("sk-1", {"input": [thought, call, RAN]}, 200, None),
        ("sk-1", {"input": [{"role": "user", "content": "x"}, thought, call, RAN]}, 200, None),
        ("sk-2", {"input": [thought, call, RAN]}, 400, "invalid_encrypted_content"),
        ("sk-1", {"input": [thought, call, RAN], "model": "gpt-5.4"}, 400, "invalid_encrypted_content"),
        ("sk-1", {"input": [spoilt, call, RAN]}, 400, "invalid_encrypted_content"),
        ("sk-1", {"input": [call, thought, RAN]}, 400, None),
        ("sk-1", {"input": [call, RAN, thought]}, 400, None),
    ]
    for key, fields, status, code in cases:
        with ScriptedUpstream(strict=True, api_key=key) as upstream:
            answered = post(upstream, {**HELLO, **fields}, key=key)
        assert answered.status == status, fields
        assert status == 200 or answered.json["error"]["code"] == code


@pytest.mark.parametrize(
    ("extra", "status", "param"),
    [
        ({"max_completion_tokens": 1}, 400, None),
        ({"prompt_cache_retention": "in_memory"}, 400, "prompt_cache_retention"),
        ({"prompt_cache_retention": "24h"}, 200, None),
        ({"prompt_cache_options": {"mode": "explicit"}}, 400, "prompt_cache_options"),
        ({"verbosity": "huge"}, 400, "verbosity"),
        ({"response_format": {"type": "json_object"}}, 400, "messages"),
        ({"response_format": {"type": "json_schema", "json_schema": FORMAT}}, 200, None),
        ({"response_format": {"type": "json_schema", "json_schema": {**FORMAT, "schema": OPEN_SCHEMA}}}, 400, "response_format"),
        (
            {"tools": [{"type": "function", "function": {**TOOL, "strict": True}}], "reasoning_effort": "none"},
            400,
            "tools[0].function.parameters",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, 200, None),
    ],
    ids=str,
)  # fmt: skip
def test_a_strict_upstream_refuses_more_on_chat(extra, status, param):
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}], **extra}
    with ScriptedUpstream(strict=True, api_key="sk-1") as upstream:
        answered = post(upstream, body, path="/v1/chat/completions")
    assert answered.status == status
    assert status == 200 or answered.json["error"]["param"] == param


def test_a_key_may_stand_where_azure_wants_it():
    with ScriptedUpstream(strict=True, api_key="sk-1") as upstream:
        for headers, status in (({"api-key": "sk-1"}, 200), ({"api-key": "sk-2"}, 401)):
            path = "/openai/v1/responses?api-version=preview"
            answered = http.request(url_of(upstream), "POST", path, json=HELLO, headers=headers)
            assert answered.status == status
