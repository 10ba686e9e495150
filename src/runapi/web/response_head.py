"""The first bytes of a response, and how it says where it ends."""

import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

import msgspec

from runapi.flows.client_side import Header

_BODILESS = (204, 304)

_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


class Framing(msgspec.Struct, frozen=True):
    """How a response says where it ends."""

    is_chunked: bool
    keeps: bool  # the connection is there for another one
    lines: bytes  # of the head

    def frame(self, data: bytes, *, last: bool) -> tuple[bytes, ...]:
        """A piece of the body as it goes over the wire."""
        if not self.is_chunked:
            return (data,)
        if not data:
            return (b"0\r\n\r\n",) if last else ()
        return b"%x\r\n" % len(data), data, b"\r\n0\r\n\r\n" if last else b"\r\n"


NOT_CHOSEN = Framing(is_chunked=False, keeps=False, lines=b"")


def choose_framing(status: int, headers: Sequence[Header], *, is_old: bool, may_follow: bool) -> Framing:
    """Choose it for a response with these headers; `is_old` for a client that knows no chunks."""
    has_length = closes = False
    for name, _ in headers:
        if name == b"content-length":
            has_length = True
        elif name == b"connection":
            closes = True
    has_end = has_length or status in _BODILESS
    keeps = may_follow and not closes and (has_end or not is_old)
    lines = b"" if has_end or is_old else b"transfer-encoding: chunked\r\n"
    if not keeps and not closes:
        lines += b"connection: close\r\n"
    elif keeps and is_old:
        lines += b"connection: keep-alive\r\n"
    return Framing(is_chunked=not has_end and not is_old, keeps=keeps, lines=lines)


class ResponseHeads:
    """Writes heads; the time of day is made once a second."""

    __slots__ = ("_date", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._date = b""

    def write(self, status: int, headers: Sequence[Header], framing: bytes) -> bytes:
        """Write the status line, the headers, whole lines of `framing`, and the date.

        Raises:
            ValueError: a header holds a line break.
        """
        lines = [_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        lines += [b"%b: %b\r\n" % header for header in headers]
        lines += (framing, self._date_line())
        head = b"".join(lines)
        breaks = len(headers) + 3 + framing.count(b"\n")
        if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
            raise ValueError("a line break in a header")
        return head

    def _date_line(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = b"date: %b\r\n\r\n" % formatdate(second, usegmt=True).encode()
        return self._date
