"""What one connection carries: requests in turn, and nothing that outlives it."""

import gc
import json
import re
import signal
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import StartGateway
from fakes import http, replies
from fakes.received import Request
from fakes.server import Gateway
from fakes.steps import Script, wait
from fakes.upstream import ScriptedUpstream
from runapi.web.call import Call
from runapi.web.request_reader import RequestReader
from runapi.web.response_head import ResponseHeads
from web.exchange import BODY, CANARY, GOOD, chunked, exchange, filled
from web.framing import get, post

MIB = 1 << 20
LENGTH = b"Content-Length: %d" % len(BODY)
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
)


class Taken:
    """Takes the calls of a reader, as a connection does."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.codes: list[str | None] = []

    def take(self, call: Call) -> None:
        self.calls.append(call)

    def fail(self, problem: object) -> None:
        self.codes.append(getattr(problem, "code", None))

    def go_on(self) -> None: ...


def read(*pieces: bytes) -> tuple[list[tuple[object, ...]], list[str | None]]:
    """What a reader makes of bytes that come in these pieces."""
    taken = Taken()
    reader = RequestReader(taken)  # type: ignore[arg-type]
    for piece in pieces:
        if not taken.codes:
            reader.feed(piece)
    seen: list[tuple[object, ...]] = [
        (call.method, call.path, call.headers, call.keeps_alive, call.body.ended, _body(call))
        for call in taken.calls
    ]
    return seen, taken.codes


def _body(call: Call) -> bytes:
    return call.body.take() if call.body.came_bytes else b""


def asking(text: str) -> bytes:
    """The body of a request."""
    return BODY.replace(b"Hi", text.encode())


SPLIT = {
    "length": post(LENGTH),
    "chunks": post(b"Transfer-Encoding: chunked", body=chunked(BODY[:9], BODY[9:])),
    "extension and trailer": post(
        b"Transfer-Encoding: chunked", body=b"2;a=b\r\n{}\r\n0\r\nHost: x\r\nX-A:\r\n\r\n"
    ),
    "no values": get(b"X-A:", b"X-B: ", b"X-C: c"),
    "empty lines before it": b"\r\n\r\n" + get(),
    "an upgrade": get(*UPGRADE),
    "an upgrade with a body": post(*UPGRADE, LENGTH),
    "an upgrade with chunks": post(*UPGRADE, b"Transfer-Encoding: chunked", body=chunked(BODY)),
    "an upgrade with a body of nothing": post(*UPGRADE, b"Content-Length: 00", body=b""),
    "a fault": post(b"Transfer-Encoding: chunked", body=b"5\r\nhello!\r\n"),
}


@pytest.mark.parametrize("data", SPLIT.values(), ids=SPLIT)
def test_request_that_is_split_at_any_byte_is_the_same_request(data: bytes):
    data = data + get(target=b"GET /behind HTTP/1.1")
    whole = read(data)
    faults = ["malformed_request"] if data.startswith(SPLIT["a fault"]) else []
    assert (len(whole[0]), whole[1]) == (1 if faults else 2, faults)
    for at in range(1, len(data)):
        seen = read(data[:at], data[at:])
        if faults:  # how much of the body has come before the fault is all that may differ
            assert (len(seen[0]), seen[1]) == (1, faults)
        else:
            assert seen == whole
    assert len(read(*(data[at : at + 1] for at in range(len(data))))[0]) == len(whole[0])


@pytest.mark.parametrize("pieces", [1, 7, 64])
def test_request_in_small_pieces_is_served(gateway: Gateway, upstream: ScriptedUpstream, pieces: int):
    data = filled(
        post(LENGTH) + post(b"Transfer-Encoding: chunked", body=chunked(BODY)), gateway, gateway.live_key()
    )
    with http.Connection(gateway.url) as connection:
        for at in range(0, len(data), pieces):
            connection.send(data[at : at + pieces])
        assert [connection.read_response().status for _ in range(2)] == [200, 200]
    assert [call.body for call in upstream.calls] == [BODY, BODY]


# ---- the body of a request for another protocol ---------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_body_of_a_request_for_an_upgrade_is_its_body_and_no_request(
    gateway: Gateway, upstream: ScriptedUpstream, framing: str
):
    smuggled = post(LENGTH)
    inner = asking("the first")
    body = inner if framing == "length" else chunked(inner)
    header = b"Content-Length: %d" % len(body) if framing == "length" else b"Transfer-Encoding: chunked"
    data = filled(post(*UPGRADE, header, body=body) + smuggled, gateway, gateway.live_key())
    outcome = exchange(gateway, data, requests=2, expect_open=True)
    assert (outcome.statuses, outcome.stayed_open) == ([200, 200], True)
    assert [call.body for call in upstream.calls] == [inner, BODY]


def test_request_within_the_body_of_a_request_for_an_upgrade_is_never_served(gateway: Gateway):
    hidden = get(target=b"GET /v1/models/hidden HTTP/1.1")
    data = filled(get(*UPGRADE, b"Content-Length: {length}") + hidden, gateway, gateway.test_key)
    hidden = filled(hidden, gateway, gateway.test_key)
    outcome = exchange(gateway, data.replace(b"{length}", b"%d" % len(hidden)), expect_open=True)
    assert (outcome.statuses, outcome.stayed_open) == ([200], True)


def test_thousands_of_upgrades_at_once_are_no_fault(gateway: Gateway):
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"
    outcome = exchange(gateway, one * 2000, requests=2000, expect_open=True)
    assert outcome.statuses == [200] * 2000


# ---- one after the other --------------------------------------------------------------------------------


def test_pipelined_bodies_are_answered_in_order_and_each_once(gateway: Gateway, upstream: ScriptedUpstream):
    bodies = [asking(f"question {number}") for number in range(12)]
    upstream.then(*(replies.plain_reply(f"answer {number}") for number in range(12)))
    requests = [
        post(b"Content-Length: %d" % len(body), body=body)
        if number % 2
        else post(b"Transfer-Encoding: chunked", body=chunked(body[:20], body[20:]))
        for number, body in enumerate(bodies)
    ]
    data = filled(b"".join(requests), gateway, gateway.live_key())
    outcome = exchange(gateway, data, requests=12, expect_open=True)
    assert (outcome.statuses, outcome.stayed_open) == ([200] * 12, True)
    assert [call.body for call in upstream.calls] == bodies
    texts = [re.findall(rb"answer \d+", response.body) for response in outcome.responses]
    assert texts == [[b"answer %d" % number] for number in range(12)]


def test_head_behind_a_long_body_in_one_piece_is_not_too_long(gateway: Gateway):
    body = BODY + b" " * 60_000
    first = filled(post(b"Content-Length: %d" % len(body), body=body), gateway, gateway.test_key)
    with http.Connection(gateway.url) as connection:
        connection.send(first + CANARY[:20])
        assert connection.read_response().status == 200
        connection.send(CANARY[20:])
        assert connection.read_response().status == 200


@pytest.mark.parametrize(
    "fault",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"],
)
def test_fault_in_a_pipeline_ends_it_after_the_earlier_answers(
    gateway: Gateway, upstream: ScriptedUpstream, fault: bytes
):
    data = post(LENGTH) + get() + fault + get() + post(LENGTH)
    outcome = exchange(gateway, filled(data, gateway, gateway.live_key()), expect_open=False)
    assert outcome.statuses == [200, 200, 400]
    assert outcome.responses[-1].headers["connection"] == "close"
    assert len(upstream.calls) == 1


def test_fault_in_the_body_of_a_waiting_request_is_its_answer(gateway: Gateway):
    broken = post(b"Transfer-Encoding: chunked", body=b"5\r\nhello!\r\n")
    data = filled(get() + broken + get(), gateway, gateway.test_key)
    assert exchange(gateway, data, expect_open=False).statuses == [200, 400]


@pytest.mark.parametrize(
    ("version", "header", "stays"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: keep-alive, Close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: close\r\n", False),
    ],
)
def test_connection_is_kept_as_the_version_and_the_client_say(
    gateway: Gateway, version: bytes, header: bytes, *, stays: bool
):
    data = b"GET /healthz HTTP/" + version + b"\r\nHost: a\r\n" + header + b"\r\n"
    outcome = exchange(gateway, data, expect_open=stays)
    assert (outcome.statuses, outcome.stayed_open) == ([200], stays)
    said = {b"1.1": None if stays else "close", b"1.0": "keep-alive" if stays else "close"}
    assert outcome.responses[0].headers.get("connection") == said[version]


def test_nothing_behind_a_request_that_closes_is_served(gateway: Gateway, upstream: ScriptedUpstream):
    data = filled(get(b"Connection: close") + post(LENGTH), gateway, gateway.live_key())
    assert exchange(gateway, data, expect_open=False).statuses == [200]
    assert not upstream.calls


def test_head_request_has_no_body_in_front_of_the_next_answer(gateway: Gateway):
    data = b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + CANARY
    with http.Connection(gateway.url) as connection:
        connection.send(data)
        first, second, body = connection.read_to_end().split(b"\r\n\r\n")
    assert (first[:15], second[:15]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK")
    assert (b"content-length: 15" in first, body) == (True, b'{"status":"ok"}')


@pytest.mark.parametrize("value", [b"a\r\nx-b: c", b"a\nx-b: c", b"a\rx-b: c", b"a\0"])
def test_header_with_a_line_break_is_never_written(value: bytes):
    with pytest.raises(ValueError, match="line break"):
        ResponseHeads().write(200, [(b"x-a", value)], b"")


@pytest.mark.parametrize("value", ["a\x7fb", "a\xe9", "a" * 513, "a\tb"])
def test_id_of_the_client_that_is_not_plain_text_is_not_repeated(gateway: Gateway, value: str):
    response = http.request(gateway.url, "GET", "/healthz", headers={"x-client-request-id": value})
    assert "x-client-request-id" not in response.headers


# ---- who does not read, and who leaves ------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server that waits for nobody."""
    served = Gateway(tmp_path_factory.mktemp("short"), stalled_reader_timeout_s=1, header_timeout_s=1).start()
    yield served
    served.stop()
    served.assert_clean_log()


@pytest.fixture
def large(short: Gateway, large_answers: ScriptedUpstream) -> ScriptedUpstream:
    """An upstream whose answers fill every buffer on their way."""
    large_answers.reset()
    return large_answers


@pytest.fixture(scope="module")
def large_answers(short: Gateway) -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(answer_at_length) as scripted:
        short.add_upstream("large", scripted.base_url, ["gpt-5.5"])
        yield scripted


def answer_at_length(request: Request) -> Script:
    if json.loads(request.body).get("stream"):
        return replies.stream_reply(["x" * MIB] * 12)
    return replies.plain_reply("x" * (12 * MIB))


def is_held(gateway: Gateway, connection: http.Connection) -> bool:
    """Whether the server still has its end of a connection open, ten seconds from now."""
    ends = f":{gateway.port:04X} 0100007F:{connection.socket.getsockname()[1]:04X} "
    for _ in range(100):
        lines = [line for line in Path("/proc/net/tcp").read_text().splitlines() if ends in line]
        if all(line.split()[9] == "0" for line in lines):  # no process has it
            return False
        threading.Event().wait(0.1)
    return True


@pytest.mark.parametrize("half_closes", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_who_never_reads_a_large_answer_is_let_go_of(
    short: Gateway, large: ScriptedUpstream, *, streams: bool, half_closes: bool
):
    body = json.dumps({**GOOD, "stream": streams}).encode()
    data = filled(post(b"Content-Length: %d" % len(body), body=body), short, short.live_key())
    with http.Connection(short.url) as connection:
        connection.send(data)
        large.wait_for_calls(1)
        connection.socket.recv(1)  # it has begun
        if half_closes:
            time.sleep(0.5)  # so that nothing more can be written
            connection.socket.shutdown(socket.SHUT_WR)
        assert not is_held(short, connection)
    short.assert_clean_log()


def test_who_reads_a_large_answer_slowly_gets_all_of_it(short: Gateway, large: ScriptedUpstream):
    data = filled(post(LENGTH), short, short.live_key())
    with http.Connection(short.url) as connection:
        connection.send(data)
        large.wait_for_calls(1)
        received = 0
        for _ in range(5):
            received += len(connection.socket.recv(2 * MIB, socket.MSG_WAITALL))
            time.sleep(0.6)  # longer in all than the server waits for who reads nothing
        received += len(connection.read_to_end())
    assert received > 12 * MIB


def test_client_that_leaves_while_its_answer_is_made_is_noticed(gateway: Gateway, upstream: ScriptedUpstream):
    body = json.dumps({**GOOD, "stream": True}).encode()
    may_go_on = threading.Event()
    upstream.then(replies.stream_reply(["a", "b"], between=[wait(may_go_on)]))
    key = gateway.new_key(account=account_of(gateway), mode="live", on_disconnect="cancel")
    with http.Connection(gateway.url) as connection:
        connection.send(filled(post(b"Content-Length: %d" % len(body), body=body), gateway, key))
        upstream.wait_for_calls(1)
    upstream.wait_for_closed_early(1)
    may_go_on.set()


def account_of(gateway: Gateway) -> str:
    gateway.live_key()
    return "tester"


# ---- memory -----------------------------------------------------------------------------------------------


def held_bytes(gateway: Gateway) -> int:
    """The memory that the server holds now."""
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    [kib] = re.findall(r"VmRSS:\s+(\d+)", status)
    return int(kib) * 1024


def test_long_names_of_headers_are_forgotten(short: Gateway):
    before = held_bytes(short)
    for number in range(1000):
        name = b"x%d" % number + b"a" * 39_000
        assert exchange(short, get(name + b": a"), expect_open=False).statuses == [431]
    assert held_bytes(short) - before < 40 * MIB


def test_bodies_that_nobody_read_are_forgotten_with_their_connections(short: Gateway):
    before = held_bytes(short)
    for _ in range(60):
        with http.Connection(short.url) as connection:
            connection.send(filled(post(b"Content-Length: 3000000", body=b""), short, short.test_key))
            connection.send(b" " * 2_000_000)
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.read_response().status == 400
    assert held_bytes(short) - before < 40 * MIB


def test_reader_that_is_closed_does_not_wait_for_the_garbage_collector():
    taken = Taken()
    reader = RequestReader(taken)  # type: ignore[arg-type]
    reader.feed(post(b"Content-Length: 1000"))
    connection = weakref.ref(taken)
    gc.disable()
    try:
        taken.calls.clear()
        reader.close()
        del reader, taken
        assert connection() is None
    finally:
        gc.enable()


# ---- the end ----------------------------------------------------------------------------------------------


def test_idle_connections_do_not_hold_up_the_stop(start_gateway: StartGateway):
    served = start_gateway()
    with (
        http.Connection(served.url) as fresh,
        http.Connection(served.url) as used,
        http.Connection(served.url) as half,
    ):
        used.send_request("GET", "/healthz")
        assert used.read_response().status == 200
        half.send(CANARY[:20])
        assert served.stop() == 0
        assert [connection.read_to_end() for connection in (fresh, used, half)] == [b"", b"", b""]


@pytest.mark.parametrize("signals", [1, 2])
def test_queue_of_requests_is_refused_when_the_server_stops(start_gateway: StartGateway, signals: int):
    served = start_gateway(shutdown_timeout_s=5)
    slow = json.dumps({**GOOD, "messages": [{"role": "user", "content": "[[sandbox:delay 1]] Hi"}]}).encode()
    data = filled(
        post(b"Content-Length: %d" % len(slow), body=slow) + post(LENGTH) * 20, served, served.test_key
    )
    with http.Connection(served.url) as connection:
        connection.send(data)
        wait_until_asked(served)
        assert served.process is not None
        for _ in range(signals):
            served.process.send_signal(signal.SIGTERM)
        assert served.stop() == 0
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", connection.read_to_end())
    assert statuses[:1] == [b"200"]
    assert set(statuses[1:]) <= {b"503"}


def wait_until_asked(gateway: Gateway) -> None:
    """Come back once the server has read what was sent before."""
    assert http.request(gateway.url, "GET", "/healthz").status == 200
