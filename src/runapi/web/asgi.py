"""The ASGI side of one request: its head, its body, and the response being written."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from runapi.core import problems
from runapi.flows.deadlines import Within

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]


class ClientLeft(Exception):  # noqa: N818 - it happens every day
    """The client closed its connection before its request was whole."""


class Call:
    """One HTTP request and its response. Names of headers are lower case."""

    __slots__ = ("_receive", "_send", "headers", "method", "path", "request_id", "started")

    def __init__(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, request_id: str
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = headers
        self.request_id = request_id
        self.started = False
        self._receive = receive
        self._send = send

    async def read_body(self, most_bytes: int, deadline: Within) -> bytes:
        """Read the whole body before the deadline.

        Raises:
            Problem: 408, 413, 415.
            ClientLeft: it will never be whole.
        """
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise problems.encoded_body(encoding[:40].decode("latin-1"))
        length = self.headers.get(b"content-length", b"0")
        if int(length) > most_bytes:  # the edge has checked that it is a number
            raise problems.body_too_large(most_bytes)
        try:
            async with deadline:
                return await self._read_pieces(most_bytes)
        except TimeoutError:
            raise problems.slow_body() from None

    async def _read_pieces(self, most_bytes: int) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientLeft
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > most_bytes:
                raise problems.body_too_large(most_bytes)
            return body
        pieces = bytearray(body)
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientLeft
            pieces += message.get("body", b"")
            if len(pieces) > most_bytes:
                raise problems.body_too_large(most_bytes)
        return bytes(pieces)

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, data: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def wait_until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send a whole response; to a HEAD request its head alone."""
        await self.start(status, headers)
        await self.send(b"" if self.method == "HEAD" else body, last=True)
