"""Bytes of a connection become calls.

The seam to HTTP/1.1: whoever replaces httptools (llhttp, in C) replaces this file. Odd and hostile bytes, and what
becomes of them: docs/operate/edge.md.
"""

from functools import lru_cache
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from runapi.core import frame_problems
from runapi.core.problems import Problem
from runapi.web.call import Call, Responder
from runapi.web.request_body import RequestBody

MOST_HEADER_BYTES = 32 * 1024
MOST_URL_BYTES = 8 * 1024
_MOST_HEAD_BYTES = MOST_HEADER_BYTES + MOST_URL_BYTES + 1024
_MOST_FRAMING_BYTES = 16 * 1024  # chunks' extensions and trailers of one body
_FRAMING_BYTES_PER_CHUNK = 32
_BYTES_AROUND_A_HEADER = 4  # ": " and the end of the line
_MOST_KNOWN_NAME_BYTES = 64
_FRAMING = (b"content-length", b"transfer-encoding")


class Taker(Responder, Protocol):
    """Who is given the calls."""

    def take(self, call: Call) -> None:
        """A head is complete; the body follows."""
        ...

    def fail(self, problem: Problem) -> None:
        """What comes is no request; nothing further is read."""
        ...

    def go_on(self) -> None:
        """More of a body is wanted."""
        ...


class RequestReader:
    """Lives from the first byte of a request to its last, so that an open stream does without it."""

    __slots__ = (
        *(
            "_call",
            "_chunks",
            "_connection",
            "_framing_bytes",
            "_head_bytes",
            "_headers",
            "_parser",
            "_raw_bytes",
        ),
        *("_is_body_ahead", "_piece_ends_one", "_repeated", "_target", "is_between"),
    )

    def __init__(self, connection: Taker) -> None:
        self._connection = connection
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._call: Call | None = None  # whose body is coming
        self._is_body_ahead = False  # the parser has passed over a body that is still to come
        self._raw_bytes = 0  # of a head that is not complete
        self._piece_ends_one = False  # a request ended in the piece being read
        self.is_between = True  # nothing of a request has come, but for those that are complete
        self.on_message_begin()
        self.is_between = True

    @property
    def body(self) -> RequestBody | None:
        """The body that is coming."""
        return None if self._call is None else self._call.body

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._piece_ends_one = False
        left = self._feed(data)
        while left:
            left = self._feed(left)

    def close(self) -> None:
        """Let go of the parser, which refers back: what is left of a request is not to wait for the garbage collector."""
        self._parser = self._call = None

    def _feed(self, data: bytes | memoryview) -> memoryview | None:
        """Take in what came; give what of it has to be read anew."""
        call, parser = self._call, self._parser
        if parser is None:
            return None
        came_bytes = 0 if call is None else call.body.came_bytes
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._stay(parser, memoryview(data)[upgrade.args[0] :])
        except HttpParserError:
            self._fail(frame_problems.malformed_request())
        else:
            if self._call is None:
                self._check_head(len(data))
            elif self._call is call:
                self._check_framing(len(data) - (call.body.came_bytes - came_bytes))
        return None

    # ---- what httptools calls -----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.is_between = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated: list[bytes] = []
        self._head_bytes = self._framing_bytes = self._chunks = 0

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._call is not None:
            return  # a trailer
        self._head_bytes += len(name) + len(value) + _BYTES_AROUND_A_HEADER
        name = _lower(name) if len(name) <= _MOST_KNOWN_NAME_BYTES else name.lower()
        headers = self._headers
        if name in headers:
            self._repeated.append(name)
        headers[name] = value

    def on_headers_complete(self) -> None:
        parser, headers, target = self._parser, self._headers, self._target
        if parser is None or self._call is not None:
            return  # of the body that was passed over
        call = Call(
            self._connection,
            parser.get_method().decode("ascii"),
            target,
            parser.get_http_version(),
            headers,
        )
        call.repeated = self._repeated
        call.head_bytes = self._head_bytes
        call.keeps_alive = parser.should_keep_alive() and call.method != "CONNECT"
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            call.body = RequestBody(self._connection.go_on)
            self._is_body_ahead = parser.should_upgrade() and call.method != "CONNECT"
        self._call = call
        self._headers = {}
        self._connection.take(call)

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, piece: bytes) -> None:
        if self._call is not None:
            self._call.body.feed(piece)

    def on_message_complete(self) -> None:
        if self._is_body_ahead:
            return
        call, self._call = self._call, None
        self._raw_bytes = 0
        self.is_between = self._piece_ends_one = True
        if call is not None and not call.body.ended:
            call.body.end()

    # ---- what is refused -----------------------------------------------------------------------------------

    def _stay(self, parser: HttpRequestParser, rest: memoryview) -> memoryview | None:
        """Go on in HTTP/1.1 though the client asked for another protocol; what follows CONNECT is nobody's request."""
        if parser.get_method() == b"CONNECT":
            return None
        self._parser = HttpRequestParser(self)
        if self._is_body_ahead and self._call is not None:
            self._is_body_ahead = False
            return self._read_on(self._call, rest)
        return rest

    def _read_on(self, call: Call, rest: memoryview) -> memoryview | None:
        """Have the new parser expect the body: httptools takes it for the other protocol, and it would be a request."""
        framing = [(name, call.headers[name]) for name in _FRAMING if name in call.headers]
        lines = b"".join(b"%b: %b\r\n" % line for line in framing)
        self._feed(b"POST / HTTP/1.1\r\n%b\r\n" % lines)
        return None if call.body.broke else rest

    def _check_head(self, more_bytes: int) -> None:
        if self.is_between:
            return
        if not self._piece_ends_one:  # or nobody knows how much of the piece is the head's
            self._raw_bytes += more_bytes
        if len(self._target) > MOST_URL_BYTES:
            self._fail(frame_problems.url_too_long(MOST_URL_BYTES))
        elif self._raw_bytes > _MOST_HEAD_BYTES:
            self._fail(frame_problems.headers_too_large(MOST_HEADER_BYTES))

    def _check_framing(self, more_bytes: int) -> None:
        """See to it that a body does not come with endless trailers and extensions."""
        self._framing_bytes += more_bytes
        if self._framing_bytes > _MOST_FRAMING_BYTES + _FRAMING_BYTES_PER_CHUNK * self._chunks:
            self._fail(frame_problems.malformed_request())

    def _fail(self, problem: Problem) -> None:
        call, self._call = self._call, None
        if call is not None and not call.body.ended:
            call.body.fail()
        self._connection.fail(problem)


@lru_cache(maxsize=1000)
def _lower(name: bytes) -> bytes:
    """The name in lower case; the same object for all requests. Long ones would stay in memory for ever."""
    return name.lower()
