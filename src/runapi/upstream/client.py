"""The HTTP client towards providers: HTTP/1.1, and of it only what a call to an upstream needs (ADR 0005).

connect.py opens connections, connection.py speaks HTTP on them, idle.py keeps them, answer.py is what they give.
"""

import asyncio
import functools
from collections.abc import Mapping
from typing import assert_never

from runapi import __version__
from runapi.core.dialects import Dialect
from runapi.core.routing import Upstream, UpstreamAuth
from runapi.upstream.address import Address
from runapi.upstream.connect import Connector
from runapi.upstream.connection import MOST_HEADER_BYTES, MOST_INTERIM_REPLIES, Connection
from runapi.upstream.idle import Connections
from runapi.upstream.reply import (
    MOST_REPLY_BYTES,
    BrokenReplyError,
    Reply,
    Tap,
    TooLongError,
    UnreachableError,
    read_whole,
)

__all__ = (
    "ANTHROPIC_VERSION",
    "MOST_HEADER_BYTES",
    "MOST_INTERIM_REPLIES",
    "MOST_REPLY_BYTES",
    "Address",
    "BrokenReplyError",
    "Reply",
    "Tap",
    "TooLongError",
    "UnreachableError",
    "UpstreamClient",
    "account_headers",
    "call_headers",
    "read_whole",
)

ANTHROPIC_VERSION = "2023-06-01"
KEEP_IDLE_S = 30.0


class UpstreamClient:
    """Pooled connections to every upstream. There are no cookies, redirects, proxies or compression."""

    def __init__(self, *, connect_timeout_s: float, keep_idle_s: float = KEEP_IDLE_S) -> None:
        self._connector = Connector(connect_timeout_s)
        self._connections = Connections(keep_idle_s)

    async def post(
        self, url: Address, headers: Mapping[str, str], body: bytes, *, afresh: bool = False
    ) -> Reply:
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
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"Content-Length: {len(body)}")
        return await self._ask(url, _request_head("POST", url, lines, closes=afresh), body, afresh=afresh)

    async def get(self, url: Address, headers: Mapping[str, str]) -> Reply:
        """The same without a body, on a connection of its own."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return await self._ask(url, _request_head("GET", url, lines, closes=True), b"", afresh=True)

    async def close(self) -> None:
        self._connector.close()
        self._connections.close()
        await asyncio.sleep(0)  # lets the transports say goodbye

    async def _ask(self, url: Address, head: bytes, body: bytes, *, afresh: bool) -> Reply:
        origin = url.origin
        connection = None if afresh else self._connections.take(origin)
        if connection is None:
            make = functools.partial(Connection, self._connections, origin, is_reusable=not afresh)
            connection = await self._connector.connect(origin, make)
            _check_unused(connection)
        answer = connection.ask(head, body)
        try:
            await answer.wait_for_head()
        except BaseException:
            answer.close()
            raise
        return answer


def _check_unused(connection: Connection) -> None:
    """Check that a connection can be asked still: since it was opened, others have had their turn.

    Raises:
        UnreachableError: it was closed.
        BrokenReplyError: it spoke without having been asked, as servers of other protocols do.
    """
    if connection.was_unasked:
        raise BrokenReplyError("unasked")
    if not connection.is_open:
        raise UnreachableError("closed", was_connected=True)


def _request_head(method: str, url: Address, headers: list[str], *, closes: bool) -> bytes:
    """The request's line and headers.

    Raises:
        BrokenReplyError: one of them holds a line break.
    """
    lines = [f"{method} {url.target} HTTP/1.1", f"Host: {url.host_header}", *headers]
    if closes:
        lines.append("Connection: close")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise BrokenReplyError("a line break in a header")
    return f"{head}\r\n\r\n".encode()


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
