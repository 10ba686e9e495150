"""Upstreams that cannot be reached, that hang up, or whose HTTP is odd around a good answer."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator

import pytest

from fakes import replies, steps
from fakes.server import free_port
from fakes.upstream import ScriptedUpstream
from faults.conftest import MODEL
from faults.kinds import EARLY_HINTS, JSON, NEVER, REPLY
from relay.calls import HELLO, has

STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
BODY = json.dumps(REPLY).encode()
FRAMED = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
UNCHARGED = {"cost_nano": "0", "outcome": "failed", "usage_source": "none"}


@contextlib.contextmanager
def elsewhere(caller, port: int) -> Iterator[None]:
    """An upstream at a port where no scripted one is, tried before all others."""
    caller.add_upstream(
        "elsewhere", f"http://127.0.0.1:{port}/v1", "sk-canary-elsewhere", (MODEL,), priority=0
    )
    yield
    caller.remove_upstream("elsewhere")


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port that drops every further SYN: its queue is full, and nobody accepts."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        while True:
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.2)
            try:
                filler.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        yield port


@pytest.mark.parametrize("body", [HELLO, HELLO | {"stream": True}], ids=["whole", "stream"])
def test_nobody_listens_there(caller, body):  # F-3
    with elsewhere(caller, free_port()):
        got = caller.post(body)
    assert (got.status, got.error["code"]) == (502, "upstream_unavailable")
    has(caller.row(), **UNCHARGED, status=502, upstream="elsewhere", attempts=1)


@pytest.mark.parametrize("body", [HELLO, HELLO | {"stream": True}], ids=["whole", "stream"])
def test_connecting_has_a_time_limit_of_its_own(caller, body):  # F-4
    with full_backlog() as port, elsewhere(caller, port):
        if body.get("stream"):
            got = caller.stream(body)
            error = got.error
        else:
            got = caller.post(body)
            error = got.error
            assert got.status == 504
    assert error["code"] == "upstream_timeout"
    has(caller.row(), **UNCHARGED, error_code="upstream_timeout")


def test_another_upstream_is_tried_where_nobody_listens(caller, first):
    with elsewhere(caller, free_port()):
        assert caller.post(HELLO).text == "Hello."
        assert caller.stream(HELLO).text == "Hello."
    assert [row["upstream"] for row in caller.rows(2)] == ["first", "first"]


@pytest.mark.parametrize("end", [steps.fin(), steps.rst()], ids=["closes", "resets"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_pooled_connection_that_was_closed_is_replaced_without_the_client_s_notice(
    caller, first, end, stream
):
    first.then([steps.answer(replies.polite_answer)], [end])  # F-9
    ask = caller.stream if stream else caller.post
    assert [ask(HELLO).text, ask(HELLO).text] == ["Hello.", "Hello."]
    assert [row["attempts"] for row in caller.rows(2)] == [1, 1]
    reused, fresh = (call.connection for call in first.calls[1:])
    assert first.calls[0].connection == reused != fresh


def test_no_number_of_closed_connections_in_the_pool_is_noticed(caller, first):
    opened = [caller.open(HELLO) for _ in range(5)]
    for connection in opened:
        with connection:
            assert connection.read_response().status == 200
    first.then([steps.fin()])
    first.default = [
        steps.answer(lambda request: [steps.fin()] if request.connection in used else polite(request))
    ]
    used = {call.connection for call in first.calls}
    for _ in range(5):
        assert caller.post(HELLO).text == "Hello."
    assert {row["outcome"] for row in caller.rows(10)} == {"completed"}


def polite(request):
    return replies.polite_answer(request)


def test_a_few_interim_replies_are_passed_over(caller, first):
    first.then([steps.send(EARLY_HINTS * 3), *replies.plain_reply()])  # F-14
    assert caller.post(HELLO).text == "Hello."
    caller.row()


EXTRA = [STATUS_LINE + FRAMED.replace(b"Hello.", b"Smuggl"), b"garbage"]


@pytest.mark.parametrize("extra", EXTRA, ids=["reply", "garbage"])
def test_bytes_that_come_after_the_answer_belong_to_nobody(caller, first, extra):  # F-16
    first.then([steps.send(STATUS_LINE + FRAMED), steps.sleep(0.1), steps.send(extra), steps.wait(NEVER)])
    assert caller.post(HELLO).text == "Hello."
    first.wait_for_closed_early()
    assert caller.post(HELLO).text == "Hello."
    assert [row["outcome"] for row in caller.rows(2)] == ["completed", "completed"]
    assert first.calls[0].connection != first.calls[1].connection


@pytest.mark.parametrize("extra", EXTRA, ids=["reply", "garbage"])
def test_answer_that_comes_together_with_more_is_cut_off_there(caller, first, second, extra):  # F-16
    first.then([steps.send(STATUS_LINE + FRAMED + extra), steps.wait(NEVER)])
    assert caller.post(HELLO).text == "Hello."  # of the second, where the bytes cannot be told apart
    first.wait_for_closed_early()
    assert caller.post(HELLO).text == "Hello."
    caller.rows(2)


def test_events_after_the_end_marker_are_not_sent(caller, first):
    late = replies.chunk({"content": "Smuggled"})
    first.then([*replies.stream_reply(include_usage=True), steps.answer(lambda _: steps.sse([late]))])
    got = caller.stream(HELLO)
    assert (got.text, got.done) == ("Hello.", True)
    caller.row()


def test_trailers_are_not_sent_on(caller, first):  # F-47
    chunked = b"content-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-canary\r\n\r\n"
    framed = b"%x\r\n%b\r\n0\r\nx-canary: canary-cookie-of-the-upstream\r\n\r\n" % (len(BODY), BODY)
    first.then([steps.send(STATUS_LINE + chunked + framed)])
    assert caller.post(HELLO).text == "Hello."
    caller.row()


def test_folded_header_is_never_sent_on(caller, first):  # F-47
    first.then(
        [steps.send(STATUS_LINE + b"x-folded: a\r\n canary-cookie-of-the-upstream\r\n" + FRAMED), steps.fin()]
    )
    assert caller.post(HELLO).status in (200, 502)  # the parser may take or refuse it
    caller.row()


def test_upstream_that_does_not_read_the_request_is_given_up(caller):  # F-53
    large = HELLO | {"messages": [{"role": "user", "content": "x" * 20_000_000}]}
    with ScriptedUpstream(on_connect=[steps.wait(NEVER)]) as deaf, elsewhere(caller, deaf.port):
        got = caller.post(large)
    assert (got.status, got.error["code"]) == (504, "upstream_timeout")
    has(caller.row(), **UNCHARGED)


def test_refusal_that_comes_while_the_request_is_sent_is_passed_on(caller):  # F-54
    large = HELLO | {"messages": [{"role": "user", "content": "x" * 20_000_000}]}
    too_large = replies.error(413, "Too large.", type="invalid_request_error", code="too_large")
    with ScriptedUpstream(before_body=lambda _: [*too_large, steps.sleep(1)]) as early:
        with elsewhere(caller, early.port):
            got = caller.post(large)
        assert (got.status, got.error["code"]) == (413, "too_large")
        has(caller.row(), **UNCHARGED)
        assert early.open_connections <= 1  # ... which the script closes


def test_header_that_nobody_can_read_does_not_lose_the_row(caller, first):
    reply = steps.json(REPLY, fields={"x-request-id": "req_\xff"})
    first.then(reply, steps.json(REPLY, fields=JSON | {"x-request-id": "r" * 5_000}))
    assert caller.post(HELLO).text == caller.post(HELLO).text == "Hello."
    odd, long = caller.rows(2)
    assert odd["upstream_request_id"] is None
    assert long["upstream_request_id"] == "r" * 200


def test_no_socket_is_left_open(caller, first):
    before = _sockets(caller.gateway.process.pid)
    for _ in range(20):
        first.then([steps.rst()] * 1, [steps.rst()])
        caller.post(HELLO)
    caller.rows(20)
    assert _sockets(caller.gateway.process.pid) <= before + 2


def _sockets(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    links = []
    for name in os.listdir(folder):  # noqa: PTH208 - names are all that is needed
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"{folder}/{name}"))  # noqa: PTH115 - a socket is no path
    return sum(link.startswith("socket:") for link in links)
