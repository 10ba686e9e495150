"""The HTTP client towards providers. The seam: whoever replaces aiohttp replaces this file alone."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

import aiohttp
from yarl import URL

from runapi import __version__

MOST_REPLY_BYTES = 16 * 1024 * 1024
MOST_HEADER_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


class UnreachableError(Exception):
    """The upstream could not be connected to, or left before it answered: nothing of an answer exists."""

    def __init__(self, what: str, *, was_connected: bool) -> None:
        super().__init__(what)
        self.was_connected = was_connected  # a pooled connection may have been closed just then


class BrokenReplyError(Exception):
    """The upstream's answer broke off or cannot be HTTP."""


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

    def close(self) -> None:
        """Give the answer up: its connection is closed unless the body has ended. May be called twice."""
        ...


class UpstreamClient:
    """Pooled connections to every upstream. Cookies, redirects, proxies and compression are off."""

    def __init__(self, *, connect_timeout_s: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BYTES,
            max_line_size=MOST_HEADER_BYTES,
            max_field_size=MOST_HEADER_BYTES,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        )

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request and wait for the head of its answer; the caller sets the deadline.

        Raises:
            UnreachableError: no connection, or it closed before an answer began.
            BrokenReplyError: what came is not HTTP.
        """
        try:
            response = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        except aiohttp.ServerDisconnectedError as error:
            raise UnreachableError("disconnected", was_connected=True) from error
        except (aiohttp.ClientConnectionError, ssl.SSLError, OSError) as error:
            was_connected = isinstance(error, ConnectionResetError)
            raise UnreachableError(type(error).__name__, was_connected=was_connected) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise BrokenReplyError(type(error).__name__) from error
        return _HttpReply(response)

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)  # lets the transports say goodbye


def call_headers(api_key: str) -> dict[str, str]:
    """The headers of every call to one upstream account."""
    return {
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"RunAPI/{__version__}",
    }


class _HttpReply:
    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BrokenReplyError(type(error).__name__) from error

    def close(self) -> None:
        self._response.close()


async def read_whole(reply: Reply) -> bytes:
    """Read the body of a reply to its end and let its connection go back to the pool.

    Raises:
        BrokenReplyError: it broke off, is longer than MOST_REPLY_BYTES, or is encoded though we asked for it plain.
    """
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise BrokenReplyError("content-encoding")
    pieces = [await reply.read()]
    length = len(pieces[0])
    while pieces[-1]:
        pieces.append(await reply.read())
        length += len(pieces[-1])
        if length > MOST_REPLY_BYTES:
            raise BrokenReplyError("too long")
    return b"".join(pieces)
