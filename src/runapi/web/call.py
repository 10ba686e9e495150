"""One HTTP request: its head, its body, and the response being written."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import unquote_to_bytes

from runapi.core import frame_problems
from runapi.core.limit_problems import too_many_strings
from runapi.core.problems import Problem
from runapi.flows.client_side import Header
from runapi.flows.deadlines import Within
from runapi.web.request_body import NO_BODY, RequestBody

MOST_STRINGS = 500_000
"""In one body. Of no use to a model, whose context they exceed, they hold everybody else up while they are read."""

_LARGE_BYTES = 1024 * 1024
_ECHOED = re.compile(rb"[ -~]{1,512}")  # a client's own id, which the reply repeats (api.md)
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")  # of a URL that is given whole


class Responder(Protocol):
    """What a call needs of its connection. Writing to a client that has left does nothing."""

    def peer(self) -> str:
        """The IP address at the other end; "" if there is none."""
        ...

    def start(self, call: "Call", status: int, headers: Sequence[Header]) -> None: ...

    def send(self, call: "Call", data: bytes, *, last: bool) -> Awaitable[None] | None:
        """Write, and give what has to be waited for before more is written; None: nothing."""
        ...

    def wants_body(self, call: "Call") -> None:
        """Have the client send its body, if it waits to be asked for it."""
        ...

    def end(self, call: "Call") -> None:
        """Nothing further will be written: the connection goes on to the next call, or closes."""
        ...


class Call:
    """One HTTP request and its response. Names of headers are lower case."""

    __slots__ = (
        *("_body_begun", "_connection", "_gone", "body", "fault", "head_bytes", "headers", "is_complete"),
        *(
            "is_lost",
            "keeps_alive",
            "method",
            "path",
            "query",
            "repeated",
            "request_id",
            "started",
            "target_bytes",
            "version",
        ),
    )

    def __init__(
        self, connection: Responder, method: str, target: bytes, version: str, headers: dict[bytes, bytes]
    ) -> None:
        self._connection = connection
        self.method = method
        self.version = version  # "1.1"
        self.target_bytes = len(target)
        self.path, self.query = _split(target)
        self.headers = headers
        self.repeated: Sequence[bytes] = ()  # the names that stand more than once
        self.head_bytes = 0  # about
        self.keeps_alive = True  # the client means to send more requests on its connection
        self.body: RequestBody = NO_BODY
        self.fault: Problem | None = None  # why no request could be made out
        self.request_id = ""
        self.started = False  # the status has been sent, or is about to be
        self.is_complete = False  # the whole response has
        self.is_lost = False  # the client has closed its connection
        self._body_begun = False
        self._gone: Callable[[], object] | None = None

    def client_address(self, trusted_proxies: int) -> str:
        """The caller's IP address: the connection's, or what the outermost trusted proxy in front of us has seen."""
        if not trusted_proxies:
            return self._connection.peer()
        forwarded = self.headers.get(b"x-forwarded-for")
        hops = [] if forwarded is None else forwarded.decode("latin-1").split(",")
        return hops[-trusted_proxies].strip() if len(hops) >= trusted_proxies else self._connection.peer()

    async def pass_over_body(self, most_bytes: int, deadline: Within) -> None:
        """Let a body that nobody has read arrive, if it is short and comes in time.

        A connection that is closed with bytes unread is reset, and the reset may overtake the answer on its way.
        """
        if self._body_begun or self.body.ended:
            return
        length = self.headers.get(b"content-length", b"0")
        waits = b"expect" in self.headers  # it hears the answer before it sends anything
        if waits or not length.isdigit() or int(length) > most_bytes:
            return
        with suppress(TimeoutError), deadline:
            await self.body.arrive(most_bytes)

    async def read_body(self, most_bytes: int, deadline: Within) -> bytes:
        """Read the whole body before the deadline.

        Raises:
            Problem: 400 where it will never be whole (also to a client that has left), 408, 413, 415.
        """
        self._body_begun = True
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise frame_problems.encoded_body(encoding[:40].decode("latin-1"))
        length = self.headers.get(b"content-length", b"0")
        if int(length) > most_bytes:  # the edge has checked that it is a number
            raise frame_problems.body_too_large(most_bytes)
        body = self.body
        if not body.ended:
            self._connection.wants_body(self)
            try:
                with deadline:
                    await body.arrive(most_bytes)
            except TimeoutError:
                raise frame_problems.slow_body() from None
        if body.came_bytes > most_bytes:
            raise frame_problems.body_too_large(most_bytes)
        if not body.ended:
            raise frame_problems.broken_body()
        data = body.take()
        if len(data) > _LARGE_BYTES and data.count(b'"') > 2 * MOST_STRINGS:
            raise too_many_strings(MOST_STRINGS)
        return data

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        self._start(status, headers)

    def _start(self, status: int, headers: Sequence[Header]) -> None:
        theirs = self.headers.get(b"x-client-request-id")
        if theirs is not None and _ECHOED.fullmatch(theirs):
            headers = [*headers, (b"x-client-request-id", theirs)]
        self._connection.start(self, status, headers)
        self.started = True

    async def send(self, data: bytes, *, last: bool = False) -> None:
        sending = self._connection.send(self, data, last=last)
        if sending is not None and not last:  # the connection sees to it that the last leaves, or is given up
            await sending

    def begin(self, data: bytes) -> Awaitable[None] | None:
        return self._connection.send(self, data, last=False)

    def on_gone(self, gone: Callable[[], object]) -> Callable[[], object]:
        """Call `gone` once the client has closed its connection; call what this gives to be told no more."""
        if self._gone is not None:
            raise RuntimeError("somebody watches this call already")
        self._gone = gone
        if self.is_lost:
            asyncio.get_running_loop().call_soon(self.lose)
        return self._forget_gone

    def lose(self) -> None:
        """The client has closed its connection."""
        self.is_lost = True
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    def end(self) -> None:
        """Nothing further will be written."""
        self._gone = None
        self._connection.end(self)

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
        self._start(status, headers)
        self._connection.send(self, body, last=True)  # the connection sees to it that it leaves

    def _forget_gone(self) -> None:
        self._gone = None


def _split(target: bytes) -> tuple[str, bytes]:
    """The path, decoded, and the query of what a request asks for."""
    whole, _, query = target.partition(b"?")
    if not whole.startswith(b"/"):
        match = _AUTHORITY.match(whole)
        if match:
            whole = whole[match.end() :] or b"/"
    path = whole if b"%" not in whole else unquote_to_bytes(whole)
    return path.decode("utf-8", "replace"), query
