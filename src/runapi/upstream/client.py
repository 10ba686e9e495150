"""The HTTP client towards providers. The seam: whoever replaces aiohttp replaces this file alone."""

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol, assert_never

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

from runapi import __version__
from runapi.core.dialects import Dialect
from runapi.core.routing import Upstream, UpstreamAuth

MOST_REPLY_BYTES = 16 * 1024 * 1024
ANTHROPIC_VERSION = "2023-06-01"
MOST_HEADER_BYTES = 64 * 1024
MOST_INTERIM_REPLIES = 8
_READ_BYTES = 64 * 1024

Tap = Callable[[bytes], bool]
"""Takes a piece of a body in the very step of the loop in which it came, or refuses it. Never raises."""


class UnreachableError(Exception):
    """The upstream could not be connected to, or left before it answered: nothing of an answer exists."""

    def __init__(self, what: str, *, was_connected: bool) -> None:
        super().__init__(what)
        self.was_connected = was_connected  # a pooled connection may have been closed just then


class BrokenReplyError(Exception):
    """The upstream's answer broke off or cannot be HTTP."""


class TooLongError(BrokenReplyError):
    """The upstream's answer is longer than we take; another upstream's would be as long."""


class Reply(Protocol):
    """An upstream's answer: its head, and its body as it comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Look-ups ignore case."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body; b"" at its end.

        Raises:
            BrokenReplyError: the body broke off.
        """
        ...

    def tap(self, take: Tap | None) -> None:
        """Offer each piece that comes while a `read` waits to `take` first; what it refuses is read.

        A convenience: pieces may be read that were never offered. None ends it.
        """
        ...

    def close(self) -> None:
        """Give the answer up: its connection is closed unless the body has ended. May be called twice."""
        ...


class UpstreamClient:
    """Pooled connections to every upstream. There are no cookies, redirects, proxies or compression.

    aiohttp connects, keeps connections and reads HTTP; its session and request, which do much that no call here needs,
    are left out (ADR 0005).
    """

    def __init__(self, *, connect_timeout_s: float) -> None:
        self._pooled = _make_connector(is_pooled=True)
        self._fresh = _make_connector(is_pooled=False)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s)
        self._destinations: dict[
            URL, aiohttp.ClientRequest
        ] = {}  # what a connector wants to know of an address

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes, *, afresh: bool = False) -> Reply:
        """Send one request and wait for the head of its answer; the caller sets the deadline.

        Args:
            url: where to.
            headers: from `call_headers`.
            body: JSON.
            afresh: open a connection for this request alone.

        Raises:
            UnreachableError: no connection, or it closed before an answer began.
            BrokenReplyError: what came is not HTTP.
            TimeoutError: no connection within the time for connecting.
        """
        try:
            head = _request_head(url, headers, len(body), closes=afresh)
            connector = self._fresh if afresh else self._pooled
            connection = await connector.connect(self._destination(url), [], self._timeout)
            try:
                return await _ask(connection, head, body)
            except BaseException:
                connection.close()
                raise
        except (aiohttp.ClientConnectionError, ssl.SSLError, OSError) as error:
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise
            was_connected = not isinstance(error, aiohttp.ClientConnectorError)
            raise UnreachableError(type(error).__name__, was_connected=was_connected) from error
        except (aiohttp.ClientError, HttpProcessingError, ValueError) as error:
            raise BrokenReplyError(type(error).__name__) from error

    async def close(self) -> None:
        await self._pooled.close()
        await self._fresh.close()
        await asyncio.sleep(0)  # lets the transports say goodbye

    def _destination(self, url: URL) -> aiohttp.ClientRequest:
        place = url.origin()
        found = self._destinations.get(place)
        if found is None:
            found = self._destinations[place] = aiohttp.ClientRequest(
                "POST", place, loop=asyncio.get_running_loop()
            )
        return found


async def _ask(connection: Connection, head: bytes, body: bytes) -> "_HttpReply":
    """Send a request and read the head of its answer."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:  # it was lost just now
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BYTES,
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
    )
    transport.writelines((head, body))
    while True:
        message, payload = await protocol.read()
        if message.code >= 200:
            return _HttpReply(connection, message, payload)


def _request_head(url: URL, headers: Mapping[str, str], body_bytes: int, *, closes: bool) -> bytes:
    """The request's line and headers.

    Raises:
        ValueError: one of them holds a line break.
    """
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {body_bytes}")
    if closes:
        lines.append("Connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a line break in a header")
    return f"{head}\r\n\r\n".encode()


class _Body(aiohttp.StreamReader):
    """aiohttp's, but for the tap: to wake who reads costs as much as all that is done with a piece of a stream."""

    __slots__ = ()
    _protocol: "_Protocol"

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        protocol = self._protocol
        # The tap may be left over from an answer before, on the same connection; who waits has read all before this.
        if protocol.tapped is self and self._waiter is not None and protocol.tap(data):
            return False
        return super().feed_data(data, size)


class _Protocol(ResponseHandler):
    """aiohttp's, but for what an upstream could do to us with it.

    Bytes that follow an answer are never taken for the answer to the next request: the connection is closed. Malformed
    chunks and interim replies (103 and the like) without end keep nobody waiting.
    """

    tapped: aiohttp.StreamReader | None = None  # whose pieces are offered to `tap`
    tap: Tap
    _interim_replies = 0
    _is_answered = False  # the head of the answer has been read; what comes now is its body, and nothing else

    def set_response_params(self, **params: Any) -> None:
        self._is_answered = False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        ended = self._is_answered and (self._payload is None or self._payload.is_eof())
        if not ended:
            super().data_received(data)
        if (ended and data) or (self._is_answered and self._buffer):
            self._should_close = True
            if self.transport is not None:
                self.transport.close()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's signature
        """Resume what was paused, and nothing else: aiohttp asks for it after each piece that is read."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        if isinstance(exc, HttpProcessingError) and self._payload is not None:
            # Who reads the body is told by nobody else.
            self._payload.set_exception(aiohttp.ClientPayloadError("malformed"))

    async def read(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        message, payload = await super().read()
        self._interim_replies = self._interim_replies + 1 if message.code < 200 else 0
        if self._interim_replies > MOST_INTERIM_REPLIES:
            raise HttpProcessingError(message="too many interim replies")
        self._is_answered = message.code >= 200
        if type(payload) is aiohttp.StreamReader:
            payload.__class__ = _Body  # the parser knows no other way in
        return message, payload


def _make_connector(*, is_pooled: bool) -> aiohttp.TCPConnector:
    connector = (
        aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30)
        if is_pooled
        else aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, force_close=True)
    )
    factory = functools.partial(_Protocol, loop=asyncio.get_running_loop())
    connector._factory = factory  # type: ignore[assignment]  # noqa: SLF001 - there is no other way in
    return connector


def account_headers(upstream: Upstream, api_key: str) -> dict[str, str]:
    """The headers that show an upstream the key, and the version of Anthropic's API where it speaks that."""
    match upstream.auth:
        case UpstreamAuth.BEARER:
            headers = {"Authorization": f"Bearer {api_key}"}
        case UpstreamAuth.API_KEY:
            headers = {"api-key": api_key}
        case UpstreamAuth.ANTHROPIC:
            headers = {"x-api-key": api_key}
        case _:
            assert_never(upstream.auth)
    if upstream.auth is UpstreamAuth.ANTHROPIC or Dialect.ANTHROPIC in upstream.dialects:
        headers["anthropic-version"] = ANTHROPIC_VERSION
    return headers


def call_headers(upstream: Upstream, api_key: str) -> dict[str, str]:
    """The headers of every call to one upstream account."""
    return {
        **account_headers(upstream, api_key),
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"RunAPI/{__version__}",
    }


class _HttpReply:
    __slots__ = ("_connection", "_payload", "_protocol", "_read", "headers", "status")

    def __init__(
        self, connection: Connection, message: RawResponseMessage, payload: aiohttp.StreamReader
    ) -> None:
        self._connection = connection
        self._protocol = connection.protocol
        self._payload = payload
        self._read = payload.readany
        self.status = message.code
        self.headers: Mapping[str, str] = message.headers
        payload.on_eof(self._give_back)

    async def read(self) -> bytes:
        try:
            return await self._read()
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise BrokenReplyError(type(error).__name__) from error

    def tap(self, take: Tap | None) -> None:
        protocol, payload = self._protocol, self._payload
        if not isinstance(protocol, _Protocol):
            return
        if take is not None:
            protocol.tapped, protocol.tap = payload, take
        elif protocol.tapped is payload:
            protocol.tapped = None
            del protocol.tap

    def close(self) -> None:
        self._connection.close()

    def _give_back(self) -> None:
        """Let the next request have the connection, if this one has been sent whole: it may be answered before."""
        transport = self._connection.transport
        if transport is not None and transport.get_write_buffer_size():
            self._connection.close()
        else:
            self._connection.release()


async def read_whole(
    reply: Reply, heard: Callable[[], None] = lambda: None, *, most_bytes: int = MOST_REPLY_BYTES
) -> bytes:
    """Read the body of a reply to its end and let its connection go back to the pool.

    Args:
        reply: its body has not been read.
        heard: called after each piece that came.
        most_bytes: how long it may be.

    Raises:
        TooLongError: it is longer than `most_bytes`.
        BrokenReplyError: it broke off, or is encoded though we asked for it plain.
    """
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise BrokenReplyError("content-encoding")
    pieces: list[bytes] = []
    length = 0
    while piece := await reply.read():
        heard()
        pieces.append(piece)
        length += len(piece)
        if length > most_bytes:
            raise TooLongError("too long")
    return b"".join(pieces)
