"""The scripted upstream as Anthropic: its replies are whole stories, and strict it refuses what Anthropic refuses."""

import json

import pytest

from fakes import anthropic_replies, http, steps
from fakes.anthropic_replies import Raw, Said, Thought, Used
from fakes.anthropic_stream import put_together
from fakes.http import Connection
from fakes.responses_stream import read_event
from fakes.upstream import ScriptedUpstream

MESSAGES = "/v1/messages"
HELLO = {"model": "claude-x", "max_tokens": 2000, "messages": [{"role": "user", "content": "Hi"}]}
HEADERS = {"x-api-key": "sk-ant-1", "anthropic-version": "2023-06-01"}
TOOL = {"name": "exec", "input_schema": {"type": "object"}}
USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "exec", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]}
ANSWERS = [
    [Said()],
    [Thought(), Said(("a",))],
    [Said(("Let me see.",)), Used("exec", '{"command": "ls"}'), Used("exec", "{}", id="toolu_2")],
    [Raw({"type": "redacted_thinking", "data": "x"}), Said()],
    [],
]


def url_of(upstream):
    return upstream.base_url.removesuffix("/v1")


def post(upstream, body, path=MESSAGES, headers=HEADERS):
    return http.request(url_of(upstream), "POST", path, json=body, headers=headers)


def stream(upstream, body):
    with Connection(url_of(upstream)) as client:
        data = json.dumps({**body, "stream": True}).encode()
        client.send_request("POST", MESSAGES, body=data, headers=HEADERS)
        client.read_head()
        return [read_event(block) for block in client.events()]


@pytest.mark.parametrize("blocks", ANSWERS)
def test_streamed_and_whole_replies_say_the_same(blocks):
    used = anthropic_replies.usage(7, 3, cache_read=5, cache_write=2)
    with ScriptedUpstream() as upstream:
        upstream.then(
            anthropic_replies.plain_reply(blocks, usage=used),
            anthropic_replies.stream_reply(blocks, usage=used),
        )
        whole, events = post(upstream, HELLO).json, stream(upstream, HELLO)
    assert put_together(events) == whole
    assert whole["stop_reason"] == ("tool_use" if blocks == ANSWERS[2] else "end_turn")
    assert whole["usage"]["cache_read_input_tokens"] == 5


def test_stop_reason_can_be_any():
    script = anthropic_replies.stream_reply(stop_reason="stop_sequence", stop_sequence="END")
    with ScriptedUpstream(script) as upstream:
        message = put_together(stream(upstream, HELLO))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_error_event_is_the_last_one():
    with ScriptedUpstream(anthropic_replies.stream_error_reply(after=4)) as upstream:
        *told, end = stream(upstream, HELLO)
    assert len(told) == 4
    assert end["error"] == {"type": "overloaded_error", "message": "Overloaded"}


def test_stream_can_be_cut_after_any_event():
    script = anthropic_replies.stream_reply(cut_after=4, cut=steps.fin())
    with ScriptedUpstream(script) as upstream, Connection(url_of(upstream)) as client:
        client.send_request("POST", MESSAGES, body=json.dumps(HELLO).encode(), headers=HEADERS)
        client.read_head()
        blocks = client.events()
        assert [read_event(next(blocks))["type"] for _ in range(4)] == [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
        ]
        with pytest.raises(EOFError):
            next(blocks)


def test_every_path_of_it_is_answered_politely():
    with ScriptedUpstream() as upstream:
        assert post(upstream, HELLO, f"{MESSAGES}?beta=true").json["content"][0]["text"] == "Hello."
        assert put_together(stream(upstream, HELLO))["content"][0]["text"] == "Hello."
        assert post(upstream, HELLO, "/v1/messages/count_tokens").json == {"input_tokens": 19}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({}, None),
        ({"system": [{"type": "text", "text": "x"}], "metadata": {}, "cache_control": None}, None),
        ({"max_tokens": 0}, "max_tokens"),
        ({"foo": 1}, "foo: Extra inputs are not permitted"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"output_config": {"effort": "none"}}, "output_config.effort"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1500}, "temperature": 0.5}, "temperature"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "exec"}}, None),
        ({"tools": [{"name": "exec"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "tools.0.custom.name"),
        ({"tools": [{**TOOL, "input_schema": {}}]}, "input_schema.type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, None),
        ({"tool_choice": {"type": "any"}}, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "nope"}}, "'nope' not found"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": " "}]}, "non-empty"),
        ({"messages": [*HELLO["messages"], USE, RESULT]}, None),
        ({"messages": [*HELLO["messages"], USE]}, "without `tool_result` blocks immediately after: toolu_1"),
        ({"messages": [*HELLO["messages"], USE, *HELLO["messages"]]}, "messages.1: `tool_use` ids"),
        ({"messages": [RESULT]}, "unexpected `tool_use_id`"),
    ],
    ids=str,
)
def test_a_strict_upstream_refuses_what_anthropic_refuses(extra, words):
    with ScriptedUpstream(strict=True, api_key="sk-ant-1") as upstream:
        answered = post(upstream, {**HELLO, **extra})
    if words is None:
        assert answered.status == 200, answered.body
        return
    assert answered.status == 400
    assert answered.json["type"] == "error"
    assert answered.json["error"]["type"] == "invalid_request_error"
    assert words in answered.json["error"]["message"]


def test_a_strict_upstream_wants_its_headers_and_fields():
    with ScriptedUpstream(strict=True, api_key="sk-ant-1") as upstream:
        bearer = {"authorization": "Bearer sk-ant-1", "anthropic-version": "2023-06-01"}
        assert post(upstream, HELLO, headers=bearer).status == 200
        wrong = post(upstream, HELLO, headers={**HEADERS, "x-api-key": "sk-2"})
        assert (wrong.status, wrong.json["error"]["type"]) == (401, "authentication_error")
        unversioned = post(upstream, HELLO, headers={"x-api-key": "sk-ant-1"})
        assert "anthropic-version" in unversioned.json["error"]["message"]
        for name in ("model", "max_tokens", "messages"):
            body = {key: value for key, value in HELLO.items() if key != name}
            assert post(upstream, body).json["error"]["message"] == f"{name}: Field required"
        count = {key: value for key, value in HELLO.items() if key != "max_tokens"}
        assert post(upstream, count, "/v1/messages/count_tokens").status == 200
