"""The scripted upstream does what its scripts say; the other tests lean on it."""

import json
import threading

import pytest

from fakes import http, replies, steps
from fakes.http import Connection
from fakes.specification import check_chunk, check_error, check_reply
from fakes.upstream import ScriptedUpstream

COMPLETIONS = "/v1/chat/completions"
HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}


def url_of(upstream):
    return upstream.base_url.removesuffix("/v1")


def test_a_request_is_recorded_and_answered_politely():
    with ScriptedUpstream() as upstream:
        answered = http.post(url_of(upstream), HELLO, key="sk-1")
    assert answered.status == 200
    assert answered.json["choices"][0]["message"]["content"] == "Hello."
    [request] = upstream.calls
    assert (request.method, request.path, request.json) == ("POST", COMPLETIONS, HELLO)
    assert request.headers["authorization"] == "Bearer sk-1"


def test_a_stream_gives_usage_only_to_those_who_ask():
    with ScriptedUpstream() as upstream:
        upstream.then(replies.stream_reply(["a", "b"]), replies.stream_reply(["a", "b"]))
        events = []
        for options in ({}, {"stream_options": {"include_usage": True}}):
            with http.stream(url_of(upstream), {**HELLO, "stream": True, **options}) as client:
                assert client.read_head().status == 200
                events.append(list(client.data()))
    unasked, asked = events
    assert unasked[-1] == asked[-1] == b"[DONE]"
    assert not any(b'"usage"' in event for event in unasked)
    assert [b'"usage":null' in event for event in asked] == [True] * 4 + [False] * 2
    assert b'"choices":[],"usage":{"prompt_tokens":19' in asked[-2]


def test_the_ready_made_replies_follow_the_specification():
    whole = [replies.plain_reply("a"), replies.tool_reply("f", "{}")]
    streamed = [replies.stream_reply(["a"]), replies.stream_tool_reply("f", '{"a": 1}')]
    with ScriptedUpstream() as upstream:
        upstream.then(*whole, replies.error(500), *streamed)
        for _ in whole:
            check_reply(http.post(url_of(upstream), HELLO).json)
        check_error(http.post(url_of(upstream), HELLO).json)
        for _ in streamed:
            with http.stream(url_of(upstream), {**HELLO, "stream": True}) as client:
                client.read_head()
                *chunks, done = list(client.data())
            assert done == b"[DONE]"
            for chunk in chunks:
                check_chunk(json.loads(chunk))


def test_one_connection_serves_several_requests():
    with ScriptedUpstream() as upstream, Connection(url_of(upstream)) as client:
        for _ in range(2):
            client.send_request("POST", COMPLETIONS, body=b"{}")
            assert client.read_response().status == 200
        assert [request.connection for request in upstream.calls] == [1, 1]


@pytest.mark.parametrize(
    ("ending", "fault"), [(steps.fin(), EOFError), (steps.rst(), ConnectionResetError)], ids=["fin", "rst"]
)
def test_a_script_can_cut_its_own_answer(ending, fault):
    script = [steps.headers(200), steps.sse(["half"]), ending]
    with ScriptedUpstream(script) as upstream, Connection(url_of(upstream)) as client:
        client.send_request("POST", COMPLETIONS, body=b"{}")
        client.read_head()
        with pytest.raises(fault):
            list(client.pieces())
    assert not upstream.closed_early


def test_bytes_can_be_sent_one_by_one():
    with ScriptedUpstream([steps.split_every(1), steps.json({"ok": True})]) as upstream:
        assert http.post(url_of(upstream), HELLO).json == {"ok": True}


def test_a_client_that_leaves_is_noticed_while_the_script_waits():
    said, never = threading.Event(), threading.Event()
    script = [steps.headers(200), steps.sse(["first"]), steps.signal(said), steps.wait(never)]
    with ScriptedUpstream(script) as upstream:
        with Connection(url_of(upstream)) as client:
            client.send_request("POST", COMPLETIONS, body=b"{}")
            assert said.wait(5)
            assert not upstream.closed_early
        [left] = upstream.wait_for_closed_early()
    assert left.request.path == COMPLETIONS
    assert left.bytes_written > 0


def test_a_script_that_waits_in_vain_fails_the_test():
    upstream = ScriptedUpstream([steps.wait(threading.Event(), timeout_s=0.01)]).__enter__()
    with Connection(url_of(upstream)) as client:
        client.send_request("POST", COMPLETIONS, body=b"{}")
        client.read_to_end()
    with pytest.raises(AssertionError, match="waited in vain"):
        upstream.__exit__()


def test_a_request_can_be_answered_before_its_body_was_read():
    too_large = replies.error(413, "Too large.")
    scripted = ScriptedUpstream(before_body=lambda head: too_large)
    with scripted as upstream, Connection(url_of(upstream)) as client:
        client.send_request("POST", COMPLETIONS, headers={"content-length": "1000000"})
        assert client.read_response().status == 413


def test_a_connection_can_be_spoilt_before_any_request():
    nonsense = b"SSH-2.0-nonsense\r\n"
    scripted = ScriptedUpstream(on_connect=[steps.send(nonsense), steps.fin()])
    with scripted as upstream, Connection(url_of(upstream)) as client:
        assert client.read_to_end() == nonsense


TOOLS = [{"type": "function", "function": {"name": "exec", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    ("extra", "status", "param"),
    [
        ({}, 200, None),
        ({"temperature": 1}, 200, None),
        ({"temperature": 0.3}, 400, "temperature"),
        ({"temperature": 0.3, "reasoning_effort": "none"}, 200, None),
        ({"max_tokens": 10}, 400, "max_tokens"),
        ({"max_completion_tokens": 10}, 200, None),
        ({"max_completion_tokens": 128_001}, 400, "max_tokens"),
        ({"stop": ["x"]}, 400, "stop"),
        ({"presence_penalty": 0}, 400, "presence_penalty"),
        ({"reasoning_effort": "minimal"}, 400, "reasoning_effort"),
        ({"tools": []}, 400, "tools"),
        ({"tools": TOOLS}, 400, "reasoning_effort"),
        ({"tools": TOOLS, "reasoning_effort": "none"}, 200, None),
        ({"tools": TOOLS, "model": "gpt-5.4-mini"}, 200, None),
        ({"tools": TOOLS, "model": "gpt-5.4-mini", "reasoning_effort": "low"}, 400, "reasoning_effort"),
        ({"tools": TOOLS, "model": "gpt-5.2", "reasoning_effort": "high"}, 200, None),
        ({"model": "gpt-5.3-codex"}, 404, "model"),
        ({"model": "gpt-9"}, 404, None),
        ({"messages": []}, 400, "messages"),
        ({"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ({"nonsense": 1}, 400, None),
    ],
    ids=str,
)
def test_a_strict_upstream_refuses_what_openai_refuses(extra, status, param):
    with ScriptedUpstream(strict=True, api_key="sk-1") as upstream:
        answered = http.post(url_of(upstream), {**HELLO, **extra}, key="sk-1")
    assert answered.status == status
    assert status == 200 or answered.json["error"]["param"] == param


def test_a_strict_upstream_checks_the_key():
    with ScriptedUpstream(strict=True, api_key="sk-1") as upstream:
        assert http.post(url_of(upstream), HELLO, key="sk-2").status == 401
