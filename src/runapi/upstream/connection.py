"""One connection to an upstream: one request after the other, and nothing an upstream does makes of it more than that.

llhttp reads the answers (httptools). It is strict: two lengths, folded headers, bare line ends and control characters
are errors to it. What it lets through and no answer of ours may have, is refused here.
"""

import asyncio
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from runapi.upstream.address import Origin
from runapi.upstream.answer import KEPT_HEADERS, LIMIT_HEADERS, Answer

MOST_HEADER_BYTES = 64 * 1024
MOST_INTERIM_REPLIES = 8
MOST_UNREAD_BYTES = 128 * 1024
_MOST_QUIET_BYTES = 512 * 1024  # between two pieces of a body: trailers and the like have no other bound
_BODILESS = (204, 304)


class _OddError(Exception):
    """An answer that llhttp takes and we do not. What is raised in a callback stops llhttp."""


class Home(Protocol):
    """Where connections are known from their beginning to their end."""

    def opened(self, connection: "Connection") -> None: ...

    def keep(self, connection: "Connection") -> None:
        """Take a connection back that is ready for the next request."""
        ...

    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """A transport, a parser, and the answer that is coming in, if any.

    The parser holds on to methods of the connection: the two let go of each other when the connection ends, so that
    nothing waits for the garbage collector.
    """

    __slots__ = (
        "_answer",
        "_home",
        "_interim",
        "_is_framed",
        "_is_paused",
        "_is_reusable",
        "_parser",
        "_quiet_bytes",
        "_transport",
        "idle_since_s",
        "origin",
        "was_unasked",
    )

    def __init__(self, home: Home, origin: Origin, *, is_reusable: bool) -> None:
        self.origin = origin
        self.idle_since_s = 0.0
        self.was_unasked = False  # it was closed for what came though nothing had been asked
        self._home = home
        self._is_reusable = is_reusable
        self._transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._answer: Answer | None = None
        self._interim = 0  # interim replies before the answer
        self._is_framed = False  # the answer says itself where its body ends
        self._is_paused = False
        self._quiet_bytes = 0  # that came since there was last a piece of a body

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, head: bytes, body: bytes) -> Answer:
        """Send a request; only an open connection whose last answer has ended may be asked."""
        answer = self._answer = Answer(self)
        self._interim = self._quiet_bytes = 0
        self._is_framed = False
        if self._transport is not None:
            self._transport.writelines((head, body))
        return answer

    def close(self) -> None:
        """End the connection; an answer that is coming in breaks off."""
        if self._transport is not None:
            self._transport.abort()  # whoever does not read what we send cannot keep us
            self._let_go("closed")

    def resume(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    # ---- what the transport calls ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._home.opened(self)

    def data_received(self, data: bytes) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            self.was_unasked = True
            self.close()
            return
        try:
            if answer.status:
                parser.feed_data(data)
            else:
                self._feed_head(answer, parser, data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._refuse(type(error).__name__)
            return
        self._quiet_bytes += len(data)
        if answer.has_ended:
            self._give_back()
        elif len(answer.body) > MOST_UNREAD_BYTES:
            self._pause()
        elif self._quiet_bytes > _MOST_QUIET_BYTES:
            self._refuse("too much that is no body")

    def connection_lost(self, exc: Exception | None) -> None:
        answer = self._answer
        if answer is not None and answer.status and not self._is_framed and exc is None:
            answer.end()  # it had no other end
        cause = (
            exc if isinstance(exc, OSError) else ConnectionResetError("closed before its answer had ended")
        )
        self._let_go(type(cause).__name__, cause)

    # ---- what the parser calls ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.has_ended:
            raise _OddError("bytes behind an answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or answer.status:  # the last: behind a body
            return
        name = name.lower()
        kept = KEPT_HEADERS.get(name)
        if kept is None and name in LIMIT_HEADERS and parser.get_status_code() != 200:
            kept = LIMIT_HEADERS[name]
        if kept is not None:
            answer.values.setdefault(kept, value.strip().decode("latin-1"))
        elif name in {b"content-length", b"transfer-encoding"}:
            if self._is_framed or (name == b"transfer-encoding" and value.strip().lower() != b"chunked"):
                raise _OddError("a body in more than chunks")
            self._is_framed = True

    def on_headers_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            return
        status = parser.get_status_code()
        if status >= 200:
            if not parser.get_http_version().startswith("1."):
                raise _OddError("another version of HTTP")
            self._is_framed = self._is_framed or status in _BODILESS
            answer.status = status
            answer.wake()
            return
        self._interim += 1
        if status < 100 or status == 101 or self._interim > MOST_INTERIM_REPLIES:
            raise _OddError("no answer")
        answer.values.clear()
        self._is_framed = False

    def on_body(self, piece: bytes) -> None:
        self._quiet_bytes = 0
        if self._answer is not None:
            self._answer.feed(piece)

    def on_message_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is not None and parser is not None and answer.status:
            self._is_reusable = self._is_reusable and parser.should_keep_alive()
            answer.end()

    # ---- steps of these ----------------------------------------------------------------------------------

    def _feed_head(self, answer: Answer, parser: HttpResponseParser, data: bytes) -> None:
        """Feed the parser, but no head that is too long.

        Raises:
            HttpParserError: it is, or it is no HTTP.
        """
        left = MOST_HEADER_BYTES - self._quiet_bytes
        parser.feed_data(data[:left])
        if len(data) > left or not left:
            if not answer.status:
                raise HttpParserError("a head without end")
            if self._parser is not None:
                parser.feed_data(data[left:])

    def _refuse(self, fault: str) -> None:
        """Close the connection for what came; its answer, unless that has ended before, is no answer."""
        if self._transport is not None:
            self._transport.abort()
        self._let_go(fault)

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _give_back(self) -> None:
        """Let the next request have the connection, if this one has been sent whole: it may be answered before."""
        self._answer = None
        transport = self._transport
        if transport is None or not self._is_reusable or transport.get_write_buffer_size():
            self.close()
            return
        self.resume()  # TLS may bring the end of an answer after it was paused
        self._home.keep(self)

    def _let_go(self, fault: str, cause: OSError | None = None) -> None:
        answer, self._answer = self._answer, None
        if self._transport is not None:
            self._home.closed(self)
        self._transport = self._parser = None
        if answer is not None and not answer.has_ended:
            answer.end(fault, cause)
