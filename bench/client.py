"""One client connection: raw HTTP/1.1, and a check of every reply."""

import asyncio
import time
from array import array
from collections.abc import Callable
from typing import cast

from bench.forms import Marks

_MARK = b"data: {"


class ReplyFault(Exception):  # noqa: N818 - a fault is what the product calls it
    """A reply was not what it must be."""


class Connection(asyncio.Protocol):
    """One client: sends the request again and again while `next_request` says so."""

    def __init__(
        self, request: bytes, events: int, marks: Marks, next_request: Callable[["Connection"], bool]
    ) -> None:
        self._request = request
        self._content, self._end = marks.content, marks.end
        self._empty = marks.content + b'"'
        self._kept = max(len(marks.content) + 8, len(marks.end))  # bytes of a text that are looked at again
        self._events = events  # how many a stream must have
        self._next_request = next_request
        self._transport: asyncio.Transport
        self._buffer = b""
        self._chunked = False
        self._in_body = False
        self._left = 0  # bytes of a body with a length that are to come
        self._seen = 0
        self._tail = b""
        self._began = 0.0
        self.busy = False
        self.has_content = False
        self.times = array("d")
        self.first_times = array("d")
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy:
            self._fail(f"connection lost before the reply was complete: {exc}")

    def go(self) -> None:
        """Send the next request, or be done."""
        if not self._next_request(self):
            if not self.done.done():
                self.done.set_result(None)
            return
        self.busy = True
        self._in_body = self._chunked = self.has_content = False
        self._seen = 0
        self._tail = b""
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self._read(self._buffer + data if self._buffer else data)
        except ReplyFault as fault:
            self._fail(str(fault))

    def _fail(self, why: str) -> None:
        self.busy = False
        if not self.done.done():
            self.done.set_exception(ReplyFault(why))
        self._transport.abort()

    def _read(self, data: bytes) -> None:
        if not self._in_body:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            self._read_head(data[:end], data)
            data = data[end + 4 :]
        self._buffer = b""
        if self._chunked:
            self._read_frames(data)
        else:
            self._left -= len(data)
            if self._left < 0:
                raise ReplyFault("more bytes than Content-Length said")
            if self._left == 0:
                self._finish()

    def _read_head(self, head: bytes, data: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ReplyFault(f"not a 200: {data[:600].decode(errors='replace')}")
        lowered = head.lower()
        self._in_body = True
        if self._events and b"content-type: text/event-stream" not in lowered:
            raise ReplyFault(f"not a stream: {data[:600].decode(errors='replace')}")
        self._chunked = b"transfer-encoding: chunked" in lowered
        if not self._chunked:
            _, found, rest = lowered.partition(b"content-length: ")
            if not found:
                raise ReplyFault("neither a length nor chunks")
            self._left = int(rest.partition(b"\r\n")[0])

    def _read_frames(self, data: bytes) -> None:
        """Undo the chunked encoding. What is not whole yet waits in the buffer."""
        at = 0
        pieces = [self._tail]
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line], 16)
            end = line + 2 + size
            if len(data) < end + 2:
                break
            if size == 0:
                self._take(b"".join(pieces))
                self._finish()
                return
            pieces.append(data[line + 2 : end])
            at = end + 2
        self._buffer = data[at:]
        self._take(b"".join(pieces))

    def _take(self, text: bytes) -> None:
        """Count the events; `text` begins with the last bytes of what was counted before."""
        if not self.has_content and text.count(self._content) - text.count(self._empty) > 0:
            self.has_content = True
            self.first_times.append(time.perf_counter() - self._began)
        self._seen += text.count(_MARK) - self._tail.count(_MARK)  # those in the tail were counted before
        self._tail = text[-self._kept :]

    def _finish(self) -> None:
        self.times.append(time.perf_counter() - self._began)
        if self._chunked and self._events:
            if not self._tail.endswith(self._end):
                raise ReplyFault(f"a stream without its end: {self._tail!r}")
            if self._seen != self._events:
                raise ReplyFault(f"a stream of {self._seen} events instead of {self._events}")
        self.busy = False
        self.go()
