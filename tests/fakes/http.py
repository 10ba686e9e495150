"""A small HTTP/1.1 client on plain sockets, for tests that send odd bytes or must see the exact ones."""

import json as json_module
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Self
from urllib.parse import urlsplit

import msgspec


class Response(msgspec.Struct, frozen=True):
    """A response, or its head with an empty body; header names are lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)

    @property
    def json(self) -> object:
        return json_module.loads(self.body)


class Connection:
    """One TCP connection to a server, from `with` to its end."""

    def __init__(self, url: str, timeout_s: float = 30) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._framing: int | str = 0  # the bytes of the body that are left, or "chunked" or "close"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Go away with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---- sending -----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send these bytes and no others."""
        self.socket.sendall(data)

    def send_request(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request with Host and, if it has a body, Content-Length; `headers` adds or replaces."""
        fields = {"host": self.host}
        if body:
            fields |= {"content-type": "application/json", "content-length": str(len(body))}
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    # ---- reading -----------------------------------------------------------------------------------------

    def read_response(self) -> Response:
        """Read one whole response."""
        head = self.read_head()
        return Response(head.status, head.fields, b"".join(self.pieces()))

    def read_head(self) -> Response:
        """Read a status line and its fields; the body is left for `pieces` or `events`."""
        text = self._read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = text.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        fields = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        head = Response(int(status_line.split(" ")[1]), fields)
        encoding = head.headers.get("transfer-encoding")
        length = head.headers.get("content-length")
        self._framing = encoding or (int(length) if length is not None else "close")
        if head.status in (204, 304):  # which have no body, whatever they say of its length
            self._framing = 0
        return head

    def pieces(self) -> Iterator[bytes]:
        """The body's pieces as they come: chunks of a chunked body, reads of any other.

        Raises EOFError if the server closes before the body's end.
        """
        match self._framing:
            case "chunked":
                while size := int(self._read_until(b"\r\n").split(b";")[0], 16):
                    yield self._read_exactly(size)
                    self._read_until(b"\r\n")
                self._read_until(b"\r\n")
            case "close":
                while data := self._take() or self.socket.recv(65536):
                    yield data
            case int(left):
                while left:
                    if not self._unread:
                        self._receive()
                    data = self._take(left)
                    left -= len(data)
                    yield data

    def events(self) -> Iterator[bytes]:
        """The blocks of an event stream as they come, each without the blank line that ends it."""
        waiting = b""
        for piece in self.pieces():
            *blocks, waiting = (waiting + piece).split(b"\n\n")
            yield from blocks
        assert not waiting, f"the stream ended inside an event: {waiting!r}"

    def data(self) -> Iterator[bytes]:
        """The payload of each event that has one, `[DONE]` among them."""
        for block in self.events():
            lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
            if lines:
                yield b"\n".join(lines)

    def read_to_end(self) -> bytes:
        """Read raw bytes until the server closes."""
        received = bytearray(self._take())
        while data := self.socket.recv(65536):
            received += data
        return bytes(received)

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed before the end")
        self._unread += data

    def _take(self, most: int | None = None) -> bytes:
        cut = len(self._unread) if most is None else most
        taken, self._unread = self._unread[:cut], self._unread[cut:]
        return taken

    def _read_until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._receive()
        taken, _, self._unread = self._unread.partition(mark)
        return taken

    def _read_exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        return self._take(size)


def request(
    url: str,
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: bytes = b"",
    json: object = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30,
) -> Response:
    """Send one request on a connection of its own and read the whole response."""
    with Connection(url, timeout_s) as connection:
        data = body if json is None else json_module.dumps(json).encode()
        connection.send_request(method, path, body=data, headers=_authorised(key, headers))
        return connection.read_response()


def post(url: str, json: object, *, key: str | None = None, path: str = "/v1/chat/completions") -> Response:
    """Post a completion request and read the whole response."""
    return request(url, "POST", path, key=key, json=json)


def stream(url: str, json: object, *, key: str | None = None, timeout_s: float = 30) -> Connection:
    """Post a completion request; the caller reads head and events, and closes."""
    connection = Connection(url, timeout_s)
    data = json_module.dumps(json).encode()
    connection.send_request("POST", "/v1/chat/completions", body=data, headers=_authorised(key, None))
    return connection


def _authorised(key: str | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    authorisation = {} if key is None else {"authorization": f"Bearer {key}"}
    return {**authorisation, **(headers or {})}
