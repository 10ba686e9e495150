"""The server stops in peace, stops others' waiting in time, and comes back after a kill."""

import signal
import threading
import time

import pytest

from fakes import http, replies, steps
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from faults.kinds import FINISH, NEVER, ROLE, USAGE, WORD, streamed
from relay.calls import HELLO, Caller, Streamed, has, skip_to

MODELS = ("gpt-5.5",)


@pytest.fixture
def slow():
    with ScriptedUpstream() as upstream:
        yield upstream


def serve(start_gateway, upstream: ScriptedUpstream, **settings) -> Caller:
    caller = Caller(start_gateway(log_level="warning", **settings))
    caller.add_upstream("slow", upstream.base_url, "sk-canary-slow", MODELS)
    caller.key()
    return caller


def ask_to_stop(gateway: Gateway) -> None:
    """Send SIGTERM and return when the server says that it stops."""
    gateway.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while http.request(gateway.url, "GET", "/readyz").status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows_of(gateway: Gateway) -> list[dict]:
    """The rows on the disk of a server that has stopped, oldest first."""
    return gateway.cli("requests", "list")[::-1]


def test_what_runs_ends_whole_and_what_is_new_is_refused(start_gateway, slow):
    caller = serve(start_gateway, slow)
    may_end = threading.Event()
    stream = streamed(ROLE, WORD, end=[steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])])
    slow.then(stream, [steps.wait(may_end), *replies.plain_reply()])
    with caller.open({**HELLO, "stream": True}) as running, caller.open(HELLO) as whole:
        slow.wait_for_calls(2)
        ask_to_stop(caller.gateway)
        refused = caller.post(HELLO)
        assert (refused.status, refused.error["code"]) == (503, "server_shutdown")
        assert int(refused.headers["retry-after"]) > 0
        assert http.request(caller.gateway.url, "GET", "/healthz").status == 200
        may_end.set()
        got = caller.read(running)
        assert (got.text, got.done) == ("Hel", True)
        assert whole.read_response().status == 200
        assert caller.gateway.process.wait(10) == 0
    assert [row["outcome"] for row in rows_of(caller.gateway)] == ["completed", "completed"]


def test_what_does_not_end_in_time_is_cut_with_a_word(start_gateway, slow):
    caller = serve(start_gateway, slow, shutdown_timeout_s=0.3)
    slow.default = streamed(ROLE, WORD, end=[steps.wait(NEVER)])
    silent = [steps.wait(NEVER)]
    with caller.open({**HELLO, "stream": True}) as running:
        skip_to_content(running)
        slow.then(silent, silent)
        with caller.open(HELLO) as whole, caller.open({**HELLO, "stream": True}) as unstarted:
            slow.wait_for_calls(3)
            caller.gateway.process.send_signal(signal.SIGTERM)
            rest = [caller.check_event(data) for data in running.data()]
            assert b"server_shutdown" in rest[-1]
            for connection in (whole, unstarted):
                refused = connection.read_response()
                assert refused.status == 503
                assert b"server_shutdown" in refused.body
            assert caller.gateway.process.wait(10) == 0
    rows = rows_of(caller.gateway)
    assert len(rows) == 3
    for row in rows:
        has(row, outcome="failed", error_code="server_shutdown", cost_nano="0")
    assert sorted(row["usage_source"] for row in rows) == ["estimated", "none", "none"]


def skip_to_content(connection: http.Connection) -> None:
    """Read the head and the first two events, in one chunk each or both in one."""
    connection.read_head()
    received = b""
    pieces = connection.pieces()
    while b"Hel" not in received:
        received += next(pieces)
    connection._read_until(b"\r\n")  # what ends the chunk


def test_second_signal_stops_at_once(start_gateway, slow):
    caller = serve(start_gateway, slow, shutdown_timeout_s=60)
    slow.default = streamed(ROLE, WORD, end=[steps.wait(NEVER)])
    with caller.open({**HELLO, "stream": True}) as running:
        skip_to_content(running)
        ask_to_stop(caller.gateway)
        caller.gateway.process.send_signal(signal.SIGTERM)
        assert caller.gateway.process.wait(10) == 0
    [row] = rows_of(caller.gateway)
    has(row, outcome="failed", error_code="server_shutdown", cost_nano="0")


def test_answers_that_are_read_on_for_who_left_are_waited_for(start_gateway, slow):
    caller = serve(start_gateway, slow)
    may_end = threading.Event()
    slow.default = streamed(ROLE, WORD, end=[steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])])
    with caller.open({**HELLO, "stream": True}) as connection:
        skip_to_content(connection)
    ask_to_stop(caller.gateway)
    may_end.set()
    assert caller.gateway.process.wait(10) == 0
    [row] = rows_of(caller.gateway)
    has(row, outcome="completed", usage_source="reported", client_left=True)


def test_server_that_was_killed_comes_back_with_its_rows_and_serves(start_gateway, slow):
    caller = serve(start_gateway, slow)
    assert caller.post(HELLO).text == "Hello."
    finished = caller.row()
    slow.then(streamed(ROLE, WORD, end=[steps.wait(NEVER)]))
    with caller.open({**HELLO, "stream": True}) as cut:
        cut.read_head()
        payloads = cut.data()
        skip_to(payloads, b"Hel")
        assert caller.gateway.kill() == -9
        with pytest.raises((EOFError, ConnectionError)):
            list(payloads)
    slow.wait_for_closed_early()
    caller.gateway.start()
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert (got.text, got.done) == ("Hello.", True)
    killed, after = caller.rows(2)
    has(after, outcome="completed", status=200)
    has(killed, outcome="failed", error_code="server_restarted", status=500, cost_nano="0")
    assert finished["id"] in {row["id"] for row in caller.command("requests.list")}
