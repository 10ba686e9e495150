"""The ASGI side of one request: its head, its body, and the response being written."""

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

from runapi.core import problems
from runapi.core.limit_problems import too_many_strings
from runapi.flows.deadlines import Within

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Any]  # gives a future of Granian's, whose result is a Message
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

MOST_STRINGS = 500_000
"""In one body. Of no use to a model, whose context they exceed, they hold everybody else up while they are read."""

_LARGE_BYTES = 1024 * 1024
_ECHOED = re.compile(rb"[ -~]{1,512}")  # a client's own id, which the reply repeats (api.md)


class _Watch:
    """Hears of a client's leaving, until it is stopped.

    Granian's futures keep their callbacks, and the garbage collector cannot see into them: whatever a callback holds
    when it is told no more would stay in memory for ever. So it holds nothing then.
    """

    __slots__ = ("_gone", "_receive", "_waiting")

    def __init__(self, receive: Receive, gone: Callable[[], object]) -> None:
        self._receive: Receive | None = receive
        self._gone: Callable[[], object] | None = gone
        self._waiting = waiting = receive()
        waiting.add_done_callback(self._hear)

    def stop(self) -> None:
        waiting, self._waiting, self._receive, self._gone = self._waiting, None, None, None
        if waiting is not None:
            waiting.cancel()

    def _hear(self, heard: Any) -> None:
        receive, gone = self._receive, self._gone
        if receive is None or gone is None or heard.cancelled():
            return
        if heard.result()["type"] == "http.disconnect":
            self._waiting = None
            gone()
        else:
            self._waiting = waiting = receive()
            waiting.add_done_callback(self._hear)


class Call:
    """One HTTP request and its response. Names of headers are lower case."""

    __slots__ = (
        "_body_begun",
        "_receive",
        "_scope",
        "_send",
        "headers",
        "method",
        "path",
        "request_id",
        "started",
    )

    def __init__(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, request_id: str
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._scope = scope
        self.headers = headers
        self.request_id = request_id
        self.started = False
        self._body_begun = False
        self._receive = receive
        self._send = send

    @property
    def query(self) -> bytes:
        """What follows the ? of the URL, as it was sent."""
        return bytes(self._scope["query_string"])

    def client_address(self, trusted_proxies: int) -> str:
        """The caller's IP address: the connection's, or what the outermost trusted proxy in front of us has seen."""
        peer = self._scope.get("client")
        address = str(peer[0]) if peer else ""
        if not trusted_proxies:
            return address
        forwarded = self.headers.get(b"x-forwarded-for")
        hops = [] if forwarded is None else forwarded.decode("latin-1").split(",")
        return hops[-trusted_proxies].strip() if len(hops) >= trusted_proxies else address

    async def pass_over_body(self, most_bytes: int, deadline: Within) -> None:
        """Let a body that nobody has read arrive, if it is short and comes in time.

        A connection that is closed with bytes unread is reset, and the reset may overtake the answer on its way.
        """
        length = self.headers.get(b"content-length", b"")
        is_short = length.isdigit() and 0 < int(length) <= most_bytes
        waits = b"expect" in self.headers  # it hears the answer before it sends anything
        if self._body_begun or waits or not (is_short or b"transfer-encoding" in self.headers):
            return
        with suppress(TimeoutError), deadline:
            left = most_bytes
            while left > 0:
                message = await self._receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return

    async def read_body(self, most_bytes: int, deadline: Within) -> bytes:
        """Read the whole body before the deadline.

        Raises:
            Problem: 400 where it will never be whole (also to a client that has left), 408, 413, 415.
        """
        self._body_begun = True
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise problems.encoded_body(encoding[:40].decode("latin-1"))
        length = self.headers.get(b"content-length", b"0")
        if int(length) > most_bytes:  # the edge has checked that it is a number
            raise problems.body_too_large(most_bytes)
        try:
            with deadline:
                message = await self._receive_piece()
                first: bytes = message.get("body", b"")
                if len(first) > most_bytes:
                    raise problems.body_too_large(most_bytes)
                is_all = not message.get("more_body", False) or self._is_all(first)
                body = first if is_all else await self._read_on(first, most_bytes)
        except TimeoutError:
            raise problems.slow_body() from None
        if len(body) > _LARGE_BYTES and body.count(b'"') > 2 * MOST_STRINGS:
            raise too_many_strings(MOST_STRINGS)
        return body

    def _is_all(self, first: bytes) -> bool:
        """Whether nothing can follow: Granian says so in a message of its own, which costs as much as a small body."""
        headers = self.headers
        return b"transfer-encoding" not in headers and b"%d" % len(first) == headers.get(b"content-length")

    async def _read_on(self, first: bytes, most_bytes: int) -> bytes:
        whole = BytesIO()  # a million tiny pieces take no more memory than their bytes
        read_bytes, more = whole.write(first), True
        while more:
            if read_bytes > most_bytes:
                raise problems.body_too_large(most_bytes)
            message = await self._receive_piece()
            read_bytes += whole.write(message.get("body", b""))
            more = message.get("more_body", False)
        if read_bytes > most_bytes:
            raise problems.body_too_large(most_bytes)
        return whole.getvalue()

    async def _receive_piece(self) -> Message:
        message: Message = await self._receive()
        if message["type"] != "http.request":
            raise problems.broken_body()
        return message

    def start(self, status: int, headers: Sequence[Header]) -> Awaitable[None]:
        self.started = True
        theirs = self.headers.get(b"x-client-request-id")
        if theirs is not None and _ECHOED.fullmatch(theirs):
            headers = [*headers, (b"x-client-request-id", theirs)]
        return self._send({"type": "http.response.start", "status": status, "headers": headers})

    def send(self, data: bytes, *, last: bool = False) -> Awaitable[None]:
        return self._send({"type": "http.response.body", "body": data, "more_body": not last})

    def begin(self, data: bytes) -> Awaitable[None] | None:
        sending = self._send({"type": "http.response.body", "body": data, "more_body": True})
        is_future = hasattr(
            sending, "add_done_callback"
        )  # else it is done: Granian gives the one or the other
        return sending if is_future else None

    def on_gone(self, gone: Callable[[], object]) -> Callable[[], object]:
        """Call `gone` once the client has closed its connection; call what this gives to be told no more.

        A callback on Granian's own future: a task that waits for it costs each request 30 microseconds more.
        """
        return _Watch(self._receive, gone).stop

    async def respond_json(self, status: int, body: bytes, *more: Header) -> None:
        """Send a whole response in JSON."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self.request_id.encode()),
            (b"x-runapi-request-id", self.request_id.encode()),
            *more,
        ]
        await self.respond(status, headers, body)

    async def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send a whole response; to a HEAD request its head alone."""
        await self.start(status, headers)
        await self.send(b"" if self.method == "HEAD" else body, last=True)
