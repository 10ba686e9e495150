"""THE FLOOR: Granian and aiohttp, the field's usual parts, forwarding bytes and doing nothing else.

`python -m bench.floor PORT UPSTREAM_URL`. They are used as their manuals say. The gateway was built on them first and is
measured against them; the parts that it has now, alone, are in `parts.py`.
"""

import sys
from typing import Any

import uvloop
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from yarl import URL

_HEALTHY = b'{"status":"ok"}'
_UPSTREAM_HEADERS = {
    "Authorization": "Bearer sk-fake",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "identity",
    "User-Agent": "RunAPI-floor",
}


class Floor:
    """The ASGI application."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = URL(url)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/healthz":
            await self._reply(send, 200, b"application/json", _HEALTHY)
            return
        body = await self._read(receive)
        async with self._session.post(
            self._url, data=body, headers=_UPSTREAM_HEADERS, allow_redirects=False
        ) as response:
            kind = response.headers["content-type"].encode()
            if response.content_length is None:
                await self._stream(send, response, kind)
            else:
                await self._reply(send, response.status, kind, await response.read())

    @staticmethod
    async def _read(receive: Any) -> bytes:
        message = await receive()
        body: bytes = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        return body

    @staticmethod
    async def _reply(send: Any, status: int, kind: bytes, body: bytes) -> None:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    @staticmethod
    async def _stream(send: Any, response: ClientResponse, kind: bytes) -> None:
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        while piece := await response.content.readany():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def serve(port: int, url: str) -> None:
    session = ClientSession(
        connector=TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None, sock_connect=5),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=65_536,
        max_line_size=65_536,
        max_field_size=65_536,
        skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
    )
    async with session:
        server = Server(
            Floor(session, url),
            address="127.0.0.1",
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            runtime_threads=1,
            backlog=4096,
            backpressure=20_000,
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
            log_enabled=False,
        )
        await server.serve()


if __name__ == "__main__":
    # aiohttp binds its session to the running loop, so both are made inside `serve`.
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
