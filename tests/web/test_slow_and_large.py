"""Clients that are slow, silent or endless get an end, and cost next to no memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fakes import http, specification
from fakes.server import Gateway
from web.exchange import BODY, GOOD, chunked, filled
from web.framing import post

pytestmark = pytest.mark.xdist_group("slow")  # one server for all of them
MIB = 1 << 20
MOST_BODY = MIB
POST = post(b"Transfer-Encoding: chunked", body=b"")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server with short deadlines and a low limit."""
    folder = tmp_path_factory.mktemp("impatient")
    served = Gateway(folder, header_timeout_s=0.6, body_timeout_s=0.8, max_body_bytes=MOST_BODY).start()
    yield served
    served.stop()
    served.assert_clean_log()


def drip(connection: http.Connection, data: bytes) -> None:
    """Send one byte at a time for as long as anybody listens."""

    def send() -> None:
        try:
            for byte in data:
                connection.send(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass

    threading.Thread(target=send, daemon=True).start()


def pour(connection: http.Connection, data: bytes, most_bytes: int) -> int:
    """Send `data` again and again until the server has had enough; give the bytes that went out."""
    sent = 0
    try:
        while sent < most_bytes:
            connection.send(data)
            sent += len(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


def peak_memory(gateway: Gateway) -> int:
    """The most memory that the server has ever held, in bytes."""
    assert gateway.process is not None
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines()
    [kib] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kib) * 1024


@pytest.mark.parametrize(
    "start", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"]
)
def test_who_sends_no_whole_head_is_hung_up_on(impatient: Gateway, start: bytes):
    with http.Connection(impatient.url) as connection:
        connection.send(start)
        assert connection.read_to_end() == b""


def test_head_that_drips_is_hung_up_on(impatient: Gateway):
    with http.Connection(impatient.url) as connection:
        drip(connection, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1000)
        with suppress(ConnectionResetError):  # a byte may be on its way when it closes
            assert connection.read_to_end() == b""


def test_idle_connection_is_closed(impatient: Gateway):
    with http.Connection(impatient.url) as connection:
        connection.send_request("GET", "/healthz")
        assert connection.read_response().status == 200
        assert connection.read_to_end() == b""


@pytest.mark.parametrize("more", [{"stream": False}, {"stream": True}], ids=str)
def test_answer_may_take_longer_than_the_deadlines_for_requests(impatient: Gateway, more: dict[str, bool]):
    message = {"role": "user", "content": "[[sandbox:delay 1.2]] Hi"}
    body = {"model": "gpt-5.5", "messages": [message], **more}
    assert http.post(impatient.url, body, key=impatient.test_key).status == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
def test_body_that_stops_gets_408(impatient: Gateway, framing: bytes):
    start = b"5\r\n{    \r\n" if framing.startswith(b"Transfer") else b"{"
    with http.Connection(impatient.url) as connection:
        connection.send(filled(post(framing, body=start), impatient, impatient.test_key))
        refused_as_slow(connection)


def test_body_that_drips_gets_408(impatient: Gateway):
    with http.Connection(impatient.url) as connection:
        connection.send(filled(post(b"Content-Length: 1000", body=b""), impatient, impatient.test_key))
        drip(connection, b" " * 1000)
        refused_as_slow(connection)


def refused_as_slow(connection: http.Connection) -> None:
    response = connection.read_response()
    specification.check_error(response.json)
    assert (response.status, response.headers["connection"]) == (408, "close")
    assert response.json["error"]["code"] == "request_timeout"  # type: ignore[index]


def test_good_clients_do_not_notice_three_hundred_idle_ones(impatient: Gateway):
    idle = [http.Connection(impatient.url) for _ in range(300)]
    assert http.post(impatient.url, GOOD, key=impatient.test_key).status == 200
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("size", [MOST_BODY, MOST_BODY + 1])
@pytest.mark.parametrize("how", ["length", "chunks"])
def test_body_of_the_limit_is_read_and_one_byte_more_is_refused(impatient: Gateway, how: str, size: int):
    body = BODY + b" " * (size - len(BODY))
    if how == "length":
        data = post(b"Content-Length: %d" % size, body=body)
    else:
        data = POST + chunked(body[:1000], body[1000:])
    with http.Connection(impatient.url) as connection:
        pour(connection, filled(data, impatient, impatient.test_key), 1)
        response = connection.read_response()
    assert response.status == (200 if size == MOST_BODY else 413)
    if response.status == 413:
        specification.check_error(response.json)
        assert str(MOST_BODY) in response.json["error"]["message"]  # type: ignore[index]
        assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (POST, b"10000\r\n" + b" " * 65536 + b"\r\n", 413),
        (POST + b"ffffffff\r\n", b" " * 65536, 413),
        (post(b"Content-Length: 4000000000", body=b""), b" " * 65536, 413),
        (POST.replace(b"{key}", b"sk-nobody"), b"10000\r\n" + b" " * 65536 + b"\r\n", 401),
        (
            POST.replace(b"POST /v1/chat/completions", b"GET /v1/models"),
            b"10000\r\n" + b" " * 65536 + b"\r\n",
            200,
        ),
    ],
    ids=["small chunks", "one chunk", "announced", "without a key", "where no body belongs"],
)
def test_endless_upload_is_cut_and_never_held_in_memory(
    impatient: Gateway, start: bytes, piece: bytes, status: int
):
    before = peak_memory(impatient)
    with http.Connection(impatient.url) as connection:
        connection.send(filled(start, impatient, impatient.test_key))
        sent = pour(connection, piece, 64 * MIB)
        assert connection.read_response().status == status
    assert sent < 32 * MIB  # what the limit lets in, and what the sockets' buffers hold
    assert peak_memory(impatient) - before < 16 * MIB
    assert http.post(impatient.url, GOOD, key=impatient.test_key).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip", "identity, gzip", ""])
def test_encoded_body_is_refused_unread(impatient: Gateway, encoding: str):
    headers = {"content-encoding": encoding, "content-length": "900000"}
    with http.Connection(impatient.url) as connection:
        authorised = {**headers, "authorization": f"Bearer {impatient.test_key}"}
        connection.send_request("POST", "/v1/chat/completions", headers=authorised)
        response = connection.read_response()
    specification.check_error(response.json)
    assert (response.status, response.json["error"]["code"]) == (415, "unsupported_encoding")  # type: ignore[index]


def test_body_with_encoding_identity_is_read(impatient: Gateway):
    response = http.request(
        impatient.url,
        "POST",
        "/v1/chat/completions",
        key=impatient.test_key,
        body=BODY,
        headers={"content-encoding": "Identity"},
    )
    assert response.status == 200


@pytest.mark.parametrize("leave", ["close", "reset", "shut"])
def test_client_that_leaves_inside_its_body_is_no_fault(impatient: Gateway, leave: str):
    with http.Connection(impatient.url) as connection:
        connection.send(filled(post(b"Content-Length: 1000"), impatient, impatient.test_key))
        match leave:
            case "close":
                connection.close()
            case "reset":
                connection.reset()
            case "shut":
                connection.socket.shutdown(1)
                response = connection.read_response()
                specification.check_error(response.json)
                assert (response.status, response.json["error"]["code"]) == (400, "broken_body")  # type: ignore[index]
    assert http.post(impatient.url, GOOD, key=impatient.test_key).status == 200
    impatient.assert_clean_log()
