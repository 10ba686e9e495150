"""A server that says exactly these bytes, connection by connection, in the loop of the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from runapi.upstream.address import Address

HEADERS = {"Content-Type": "application/json"}
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Play = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection, as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.ended = asyncio.Event()  # the client closed or reset it
        self.requests = 0

    async def request(self) -> None:
        """Read the next request to its end; ours have `{}` as their body."""
        await self.reader.readuntil(b"\r\n\r\n{}")
        self.requests += 1

    async def answer(self, *pieces: bytes) -> None:
        """Read a request, and send the pieces one after the other."""
        await self.request()
        for piece in pieces:
            self.writer.write(piece)
            await asyncio.sleep(0.02)

    async def end(self) -> None:
        """Wait until the client is gone."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65_536):
                pass
        self.ended.set()


class RawServer:
    """Where `play` meets each connection; `visits` are those there were."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.visits: list[Visit] = []
        self.port = 0

    @property
    def address(self) -> Address:
        return Address.of(f"http://127.0.0.1:{self.port}/v1/x")

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        self.visits.append(visit)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._play(visit)
        writer.close()


@contextlib.asynccontextmanager
async def serving(play: Play) -> AsyncIterator[RawServer]:
    server = RawServer(play)
    listening = await asyncio.start_server(server.meet, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(30):
            yield server
    finally:
        listening.close()
        for visit in server.visits:
            visit.writer.transport.abort()
        await asyncio.sleep(0)


def saying(*pieces: bytes, then_closes: bool = True) -> Play:
    """Answer one request with these pieces, each in its own packet, and close or wait for the client to leave."""

    async def play(visit: Visit) -> None:
        await visit.answer(*pieces)
        if not then_closes:
            await visit.end()

    return play


async def repeating(visit: Visit) -> None:
    """Answer every request whole, until the client leaves."""
    try:
        while True:
            await visit.answer(WHOLE)
    except (OSError, asyncio.IncompleteReadError):
        visit.ended.set()
