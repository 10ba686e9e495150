"""Send raw bytes, and see how many requests the server saw in them and what it did with the connection."""

import contextlib
import json

import msgspec

from fakes import http
from fakes.server import Gateway

BODY = b'{"model":"gpt-5.5","messages":[{"role":"user","content":"Hi"}]}'
GOOD = json.loads(BODY)
CANARY = b"GET /healthz HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n"


class Exchange(msgspec.Struct, frozen=True):
    """What came back, and whether the connection could be used again."""

    responses: tuple[http.Response, ...]
    stayed_open: bool

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses]


def exchange(gateway: Gateway, data: bytes, *, requests: int = 1, expect_open: bool) -> Exchange:
    """Send `data` and read every response; where the connection is expected to stay open, a last request tries it.

    `requests` is how many responses to read before that last request is sent.
    """
    with http.Connection(gateway.url) as connection:
        _send(connection, data)
        responses = [connection.read_response() for _ in range(requests)] if expect_open else []
        if expect_open:
            _send(connection, CANARY)
        responses += _read_all(connection)
    alive = expect_open and len(responses) > requests and responses[-1].body == b'{"status":"ok"}'
    return Exchange(tuple(responses[:-1] if alive else responses), alive)


def chunked(*pieces: bytes) -> bytes:
    """These pieces as the body of a request with Transfer-Encoding: chunked."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def filled(template: bytes, gateway: Gateway, key: str) -> bytes:
    """Put the server's address and a key into raw bytes."""
    host = gateway.url.removeprefix("http://").encode()
    return template.replace(b"{host}", host).replace(b"{key}", key.encode())


def _send(connection: http.Connection, data: bytes) -> None:
    """Send; a server that has answered and closed before all was sent is no fault, its answer can still be read."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.send(data)


def _read_all(connection: http.Connection) -> list[http.Response]:
    responses = []
    try:
        while True:
            responses.append(connection.read_response())
    except (EOFError, ConnectionResetError):
        return responses
