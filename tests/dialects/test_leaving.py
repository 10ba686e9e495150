"""Clients that leave, and a server that stops, on every protocol."""

import shutil
import threading
import time
from pathlib import Path

import pytest

from dialects.cases import BOTH, PATHS, SERVERS, model_at
from dialects.town import CHAT, COST_NANO, GPTS, MESSAGES, RESPONSES, Town
from fakes import anthropic_replies, replies, responses_replies, steps

POLICIES = pytest.mark.parametrize("policy", ["drain", "cancel"])
WORDS = tuple(f"word{number} " for number in range(30))


class Moments:
    """A stream that waits in its middle until the test lets it go on."""

    def __init__(self, server):
        self.go = threading.Event()
        self.is_waiting = threading.Event()
        first = iter([True])

        def pause(_request):
            if next(first, False):
                return []
            return [] if self.go.is_set() else [steps.signal(self.is_waiting), steps.wait(self.go)]

        between = [steps.answer(pause)]
        match server:
            case "chat_only":
                self.script = replies.stream_reply(WORDS, between=between)
            case "responses_only":
                self.script = responses_replies.stream_reply([responses_replies.Said(WORDS)], between=between)
            case _:
                self.script = anthropic_replies.stream_reply([anthropic_replies.Said(WORDS)], between=between)


def until_it_has_begun(connection):
    connection.read_head()
    for block in connection.events():
        if b"word0" in block:
            return


def row_of(customer, timeout_s=10):
    """The request's row, as soon as it has ended."""
    deadline = time.monotonic() + timeout_s
    while not customer.rows:
        assert time.monotonic() < deadline, "no row"
        time.sleep(0.02)
    return customer.row


@PATHS
@SERVERS
def test_stream_is_read_on_to_its_usage_for_who_left(town, upstream, path, server):
    customer, moments = town.customer(), Moments(server)
    upstream.then(moments.script)
    connection = customer.knock(path, model=model_at(server), stream=True)
    until_it_has_begun(connection)
    assert moments.is_waiting.wait(10)
    connection.close()
    time.sleep(0.1)
    moments.go.set()
    row = row_of(customer)
    assert (row["outcome"], row["usage_source"], row["client_left"]) == ("completed", "reported", True)
    assert (row["usage"]["input"], row["usage"]["output"]) == (19, 10)
    assert customer.spent_nano == int(row["cost_nano"]) > 0
    assert upstream.closed_early == []


@PATHS
@SERVERS
def test_stream_is_cancelled_for_who_left_and_what_was_sent_is_charged(town, upstream, path, server):
    moments = Moments(server)
    customer = town.customer(on_disconnect="cancel")
    upstream.then(moments.script)
    connection = customer.knock(path, model=model_at(server), stream=True)
    until_it_has_begun(connection)
    assert moments.is_waiting.wait(10)
    connection.close()
    upstream.wait_for_closed_early()
    moments.go.set()
    row = row_of(customer)
    assert (row["outcome"], row["usage_source"], row["error_code"]) == (
        "cancelled",
        "estimated",
        "client_left",
    )
    assert row["usage"]["input"] > 0
    assert 1 <= row["usage"]["output"] < len(WORDS)
    assert customer.spent_nano == int(row["cost_nano"]) > 0


@PATHS
@POLICIES
@BOTH
def test_who_left_before_anything_was_said_pays_for_what_is_made(town, responses_only, path, policy, stream):
    go, asked = threading.Event(), threading.Event()
    customer = town.customer(on_disconnect=policy)
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.then([steps.signal(asked), steps.wait(go), *make()])
    connection = customer.knock(path, stream=stream)
    assert asked.wait(10)
    connection.close()
    if policy == "cancel":
        responses_only.wait_for_closed_early()
    else:
        time.sleep(0.6)
    go.set()
    row = row_of(customer)
    assert (row["outcome"], row["client_left"]) == ("completed" if policy == "drain" else "cancelled", True)
    assert customer.spent_nano == (COST_NANO if policy == "drain" else 0)


def test_what_was_thought_for_who_left_is_remembered(town, responses_only):
    customer = town.customer()
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    go, asked = threading.Event(), threading.Event()
    thought = responses_replies.stream_reply([responses_replies.Thought(), responses_replies.Called("look")])
    responses_only.then([steps.signal(asked), steps.wait(go), *thought])
    connection = customer.knock(CHAT, stream=True, tools=tools)
    assert asked.wait(10)
    connection.close()
    go.set()
    row_of(customer)
    call = {
        "id": "call_7XzQm2Kp9LrTn4Wd",
        "type": "function",
        "function": {"name": "look", "arguments": "{}"},
    }
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "A cat."},
    ]
    assert customer.hear(CHAT, messages=messages, tools=tools).is_whole
    assert "reasoning" in [item["type"] for item in responses_only.calls[-1].json["input"]]


def test_server_that_stops_ends_each_stream_in_its_own_words(start_gateway, tmp_path, scripted):
    (tmp_path / "home").mkdir(mode=0o700)
    shutil.copy(Path(__file__).with_name("models.yaml"), tmp_path / "home")
    town = Town(start_gateway(tmp_path, log_level="warning", shutdown_timeout_s=0.5))
    upstream = scripted.responses
    upstream.reset()
    town.serve_as(upstream, "responses-only", [RESPONSES], GPTS)
    customer = town.customer()
    moments = [Moments("responses_only") for _ in range(3)]
    upstream.then(*[one.script for one in moments])
    open_ones = {}
    for path in (CHAT, RESPONSES, MESSAGES):
        open_ones[path] = customer.knock(path, stream=True)
        open_ones[path].read_head()
    for one in moments:
        assert one.is_waiting.wait(10)
    stopping = threading.Thread(target=town.gateway.stop)
    stopping.start()
    ends = {path: list(connection.events())[-2:] for path, connection in open_ones.items()}
    stopping.join(20)
    assert b'"code":"server_shutdown"' in ends[CHAT][-1]
    assert [block.split(b"\n")[0] for block in ends[RESPONSES]] == [
        b"event: error",
        b"event: response.failed",
    ]
    assert ends[MESSAGES][-1].startswith(b"event: error\n")
    assert b"overloaded_error" in ends[MESSAGES][-1]
    for one in moments:
        one.go.set()
