"""`python -m bench.pages`: what the pages of the site cost a running server, made before and kept."""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench import process
from bench.client import ReplyFault
from bench.process import free_port
from bench.targets import Gateway

GOAL_PER_S = 1_000  # pages a second and core
CONNECTIONS = 32
SETTLE_S = 0.3
PAGES = (
    "/",
    "/docs/chat",
    "/models/gpt-5.5",
    "/pricing",
    "/openclaw-gpt",
    "/status",
    "/docs/errors",
    "/models",
)
BROWSER = b"accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\naccept-language: en-GB,en;q=0.8\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_ETAG = re.compile(rb"\r\netag: ([^\r]+)\r\n", re.IGNORECASE)


class Visit(msgspec.Struct, frozen=True):
    """One kind of visit to all the pages in turn."""

    name: str
    headers: bytes
    ending: str = ""  # of the path
    knows: bool = False  # the visitor has the page already
    goal: int = GOAL_PER_S


VISITS = (
    Visit("gzip", BROWSER + b"accept-encoding: gzip, br\r\n"),
    Visit("known (304)", BROWSER + b"accept-encoding: gzip, br\r\n", knows=True),
    Visit("not compressed", BROWSER),
    Visit("twin", b"accept: */*\r\naccept-encoding: gzip\r\n", ending=".md"),
)


class Found(msgspec.Struct, frozen=True):
    """What came of one kind of visit."""

    requests: int
    wall_s: float
    cpu_s: float
    bytes_sent: int

    @property
    def per_core_s(self) -> float:
        return self.requests / self.cpu_s


class Reader(asyncio.Protocol):
    """One visitor on one connection: asks for page after page, and checks that each is whole."""

    def __init__(self, requests: Sequence[bytes], count: int, status: bytes) -> None:
        self._requests = requests
        self._left = count
        self._status = status
        self._buffer = b""
        self._transport: asyncio.Transport
        self.bytes_read = 0
        self.heads: list[bytes] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ReplyFault(f"connection lost: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        if len(body) < (int(length[1]) if length else 0):
            return
        if not head.startswith(b"HTTP/1.1 " + self._status):
            self.done.set_exception(ReplyFault(head[:300].decode()))
            return
        self.bytes_read += len(self._buffer)
        self.heads.append(head)
        self._buffer = b""
        self._ask()

    def _ask(self) -> None:
        if self._left <= 0:
            self.done.set_result(None)
            self._transport.close()
            return
        self._left -= 1
        self._transport.write(self._requests[self._left % len(self._requests)])


async def read_pages(
    port: int, requests: Sequence[bytes], count: int, connections: int, status: bytes
) -> list[Reader]:
    """Ask for `count` pages over so many connections; give the visitors, who have read them."""
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: Reader(requests, count // connections, status), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    readers = [reader for _, reader in made]
    await asyncio.gather(*(reader.done for reader in readers))
    return readers


def requests_for(port: int, visit: Visit, etags: Sequence[bytes]) -> list[bytes]:
    """The bytes of a request for each page."""
    lines = []
    for place, page in enumerate(PAGES):
        path = f"{page}{visit.ending}" if page != "/" or not visit.ending else "/index.md"
        known = b"if-none-match: " + etags[place] + b"\r\n" if visit.knows else b""
        lines.append(
            f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n".encode() + visit.headers + known + b"\r\n"
        )
    return lines


async def measure(pid: int, port: int, visit: Visit, count: int) -> Found:
    """Warm the pages up, then read them `count` times."""
    plain = requests_for(port, msgspec.structs.replace(visit, knows=False), [])
    [first] = await read_pages(port, plain, len(PAGES), 1, b"200")
    etags = [found[1] for head in first.heads if (found := _ETAG.search(head + b"\r\n"))][::-1]
    requests = requests_for(port, visit, etags)
    tree = process.process_tree(pid)
    cpu, began = process.cpu_seconds(tree), time.perf_counter()
    readers = await read_pages(port, requests, count, CONNECTIONS, b"304" if visit.knows else b"200")
    wall_s = time.perf_counter() - began
    await asyncio.sleep(SETTLE_S)
    cpu_s = process.cpu_seconds(tree) - cpu
    sent = sum(reader.bytes_read for reader in readers)
    return Found(sum(len(reader.heads) for reader in readers), wall_s, cpu_s, sent)


def report(found: dict[Visit, Found], memory: tuple[int, int]) -> bool:
    """Print the table; whether every goal was met."""
    print(f"  {'pages from memory':20}{'per core and s':>16}{'per s':>10}{'KB each':>10}   goal")
    all_met = True
    for visit, one in found.items():
        met = one.per_core_s >= visit.goal
        all_met = all_met and met
        size = one.bytes_sent / one.requests / 1000
        print(
            f"  {visit.name:20}{one.per_core_s:16,.0f}{one.requests / one.wall_s:10,.0f}{size:10.1f}"
            f"   >= {visit.goal:,}: {'met' if met else 'MISSED'}"
        )
    idle, visited = (f"{size / 2**20:.0f} MB" for size in memory)
    print(f"  memory before the first visitor {idle}, with the pages {visited}")
    return all_met


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--requests", type=int, default=8_000, help="pages of each kind (default 8000)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runapi-bench-") as name:
        gateway = Gateway(Path(name), free_port())
        gateway.start()
        try:
            tree = process.process_tree(gateway.pid)
            idle = process.rss_bytes(tree)
            found = {
                visit: uvloop.run(measure(gateway.pid, gateway.port, visit, options.requests))
                for visit in VISITS
            }
            all_met = report(found, (idle, process.rss_bytes(tree)))
        finally:
            gateway.stop()
    return 1 if options.strict and not all_met else 0


if __name__ == "__main__":
    raise SystemExit(main())
