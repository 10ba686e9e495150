"""The load: a process of its own that speaks HTTP/1.1 on raw sockets, and checks every reply.

`python -m bench.load` reads one `Load` as JSON from stdin and writes one `Outcome` as JSON to stdout. A reply that is
not complete and right ends it with an error.
"""

import asyncio
import gc
import sys
import time
from array import array
from collections.abc import Sequence

import msgspec
import uvloop

from bench import process, traffic
from bench.client import Connection, ReplyFault
from bench.forms import MARKS, Form

SETTLE_S = 0.3  # after the last reply: what a server still does for these requests counts too
HOLD_S = 1.0  # all streams are open for this long before memory is read
APART_S = 0.001  # between the beginnings of streams that are held open


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. `chunks` above 0 makes each request a stream."""

    host: str = "127.0.0.1"
    port: int
    key: str
    pid: int  # the server that is measured
    connections: int
    requests: int
    warm_up: int = 0  # requests for each connection before the count begins
    body_bytes: int = 2_000
    chunks: int = 0
    interval_ms: int = 0
    form: Form = Form.CHAT
    memory: bool = False  # read memory with all streams open
    limit_s: float = 60.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Times are seconds from the moment the request was written."""

    requests: int
    chunks: int  # content chunks, over all requests
    wall_s: float
    cpu_s: float
    p50_s: float  # the whole reply
    p99_s: float
    first_p50_s: float  # the first content of a stream
    first_p99_s: float
    idle_bytes: int
    open_bytes: int


class Run:
    """The connections and the count of what they may still send."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._left = 0
        self._until = 0.0
        self._sent = 0
        self._marks = MARKS[load.form]
        body = traffic.request_body(
            load.body_bytes, chunks=load.chunks, interval_ms=load.interval_ms, form=load.form
        )
        self._request = traffic.request_bytes(load.host, load.port, load.key, body, self._marks.path)
        self._connections: list[Connection] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        events = self._load.chunks + self._marks.extra_events if self._load.chunks else 0
        for _ in range(self._load.connections):
            _, connection = await loop.create_connection(
                lambda: Connection(self._request, events, self._marks, self._may_send),
                self._load.host,
                self._load.port,
            )
            self._connections.append(connection)

    def _may_send(self, _: Connection) -> bool:
        if self._left <= 0 or time.perf_counter() > self._until:
            return False
        self._left -= 1
        self._sent += 1
        return True

    async def send(self, requests: int) -> int:
        """Send so many requests over all connections, and wait for the replies."""
        loop = asyncio.get_running_loop()
        self._left, self._sent = requests, 0
        self._until = time.perf_counter() + self._load.limit_s
        for connection in self._connections:
            connection.done = loop.create_future()
            connection.times = array("d")
            connection.first_times = array("d")
        for connection in self._connections:
            connection.go()
            if self._load.chunks:  # streams that begin at one instant would tick as one
                await asyncio.sleep(APART_S if self._load.memory else 0)
        await asyncio.wait_for(
            asyncio.gather(*(connection.done for connection in self._connections)), self._load.limit_s * 2
        )
        return self._sent

    async def memory_with_all_open(self, tree: Sequence[int]) -> int:
        """Read the server's memory once every stream has brought content and none has ended."""
        while not all(connection.has_content or connection.done.done() for connection in self._connections):
            await asyncio.sleep(0.02)
        await asyncio.sleep(HOLD_S)
        if not all(connection.busy for connection in self._connections):
            raise ReplyFault("streams ended before memory was read: make them longer")
        return process.rss_bytes(tree)

    def outcome(self, sent: int, wall_s: float, cpu_s: float, idle: int, opened: int) -> Outcome:
        times = sorted(time_s for connection in self._connections for time_s in connection.times)
        first = sorted(time_s for connection in self._connections for time_s in connection.first_times)
        if len(times) != sent or (self._load.chunks and len(first) != sent):
            raise ReplyFault(f"{sent} requests, {len(times)} replies, {len(first)} with content")
        return Outcome(
            requests=sent,
            chunks=sent * self._load.chunks,
            wall_s=wall_s,
            cpu_s=cpu_s,
            p50_s=_quantile(times, 0.5),
            p99_s=_quantile(times, 0.99),
            first_p50_s=_quantile(first, 0.5),
            first_p99_s=_quantile(first, 0.99),
            idle_bytes=idle,
            open_bytes=opened,
        )

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


async def run(load: Load) -> Outcome:
    tree = process.process_tree(load.pid)
    idle = process.rss_bytes(tree)
    bench = Run(load)
    await bench.open()
    if load.warm_up:
        await bench.send(load.warm_up * load.connections)
    gc.collect()
    gc.freeze()
    gc.disable()
    await asyncio.sleep(0.05)
    cpu, began = process.cpu_seconds(tree), time.perf_counter()
    reading = asyncio.ensure_future(bench.memory_with_all_open(tree)) if load.memory else None
    sent = await bench.send(load.requests)
    wall_s = time.perf_counter() - began
    await asyncio.sleep(SETTLE_S)
    cpu_s = process.cpu_seconds(tree) - cpu
    outcome = bench.outcome(sent, wall_s, cpu_s, idle, await reading if reading else 0)
    bench.close()
    return outcome


if __name__ == "__main__":
    load_asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    try:
        result = uvloop.run(run(load_asked))
    except (ReplyFault, TimeoutError, OSError) as fault:
        raise SystemExit(f"load: {type(fault).__name__}: {fault}") from fault
    sys.stdout.buffer.write(msgspec.json.encode(result))
