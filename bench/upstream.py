"""The fake upstream: answers as OpenAI does, for as little CPU as Python allows.

`python -m bench.upstream PORT`. A request that is no stream gets a fixed reply at once. A stream gets the head, the
role chunk and the first content chunk at once, and then one chunk each `interval_ms`; the request's first
message says how many: `chunks=50,interval_ms=10`.
"""

import asyncio
import gc
import re
import socket
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import cast

import uvloop

from bench import traffic
from bench.responses import responses_stream

TICK_S = 0.001
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PLAN = re.compile(rb"chunks=(\d+),interval_ms=(\d+)")
_HEALTHY = traffic.plain_reply(b'{"status":"ok"}')
_MODELS = traffic.plain_reply(
    b'{"object":"list","data":[{"id":"%b","object":"model","created":1773705600,"owned_by":"system"}]}'
    % traffic.MODEL.encode()
)
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Wheel:
    """Wakes all streams from one timer: a bucket of streams for each millisecond."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, list[Stream]] = defaultdict(list)
        self._tick = 0
        self._turning = False

    def add(self, stream: "Stream", interval: int) -> None:
        if not self._turning:
            self._turning = True
            self._tick = self._now()
            self._loop.call_later(TICK_S, self._turn)
        self._buckets[max(self._now(), self._tick) + interval].append(stream)

    def _now(self) -> int:
        return int(self._loop.time() / TICK_S)

    def _turn(self) -> None:
        now = self._now()
        for tick in range(self._tick + 1, now + 1):
            for stream in self._buckets.pop(tick, ()):
                if stream.send_next():
                    self._buckets[max(tick + stream.interval, now + 1)].append(stream)
        self._tick = now
        self._turning = bool(self._buckets)
        if self._turning:
            self._loop.call_later(TICK_S, self._turn)


class Stream:
    """One streamed reply."""

    __slots__ = ("_closing", "_contents", "_left", "_transport", "interval")

    def __init__(
        self, transport: asyncio.Transport, script: traffic.StreamScript, chunks: int, interval: int
    ) -> None:
        self._transport = transport
        self._left = chunks
        self._contents = script.contents
        self._closing = script.closing
        self.interval = max(interval, 1)
        transport.write(script.opening)

    def send_next(self) -> bool:
        """Send one chunk, and after the last the end; whether there is more to send."""
        if self._transport.is_closing():
            return False
        left = self._left = self._left - 1
        self._transport.write(self._contents[left % len(self._contents)])
        if left <= 0:
            self._transport.write(self._closing)
        return left > 0


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._transport: asyncio.Transport
        self._buffer = b""
        self._needed = 0  # bytes of the request that is coming in; 0: not known yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer:
            if not self._needed and not self._read_head():
                return
            if len(self._buffer) < self._needed:
                return
            request, self._buffer = self._buffer[: self._needed], self._buffer[self._needed :]
            self._needed = 0
            self._answer(request)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = _LENGTH.search(self._buffer, 0, end)
        self._needed = end + 4 + (int(length[1]) if length else 0)
        return True

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"POST /v1/chat/completions "):
            if b'"stream":true' in request:
                self._open_stream(request, traffic.chat_stream)
            else:
                self._transport.write(traffic.completion_reply())
        elif request.startswith(b"POST /v1/responses "):
            self._open_stream(request, responses_stream)
        elif request.startswith(b"GET /healthz "):
            self._transport.write(_HEALTHY)
        elif request.startswith(b"GET /v1/models"):
            self._transport.write(_MODELS)
        else:
            self._transport.write(_BAD)
            self._transport.close()

    def _open_stream(self, request: bytes, script: Callable[[int], traffic.StreamScript]) -> None:
        plan = _PLAN.search(request)
        chunks, interval = (int(plan[1]), int(plan[2])) if plan else (10, 10)
        stream = Stream(self._transport, script(chunks), chunks, interval)
        if stream.send_next():
            self._wheel.add(stream, stream.interval)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop)
    listener = socket.create_server(("127.0.0.1", port))
    server = await loop.create_server(lambda: Upstream(wheel), sock=listener, backlog=4096)
    gc.collect()
    gc.freeze()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
