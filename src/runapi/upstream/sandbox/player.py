"""Play a plan in time, as the reply of an HTTP upstream is read."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from runapi.upstream.client import BrokenReplyError, Tap
from runapi.upstream.sandbox.plans import Cut, Event, Headers, Pause, Plan, Send
from runapi.wire import tokens

_LARGE_BODY_BYTES = 32 * 1024
_READS_A_TURN = 16
_HEAVY_BODY_BYTES = 1024 * 1024
_heavy_work = ThreadPoolExecutor(2, "sandbox")  # a body takes 30 times its size in memory while it is read


class CutError(BrokenReplyError, ConnectionResetError):
    """A directive cut the connection, or it was closed here: what `Reply` promises, and what a socket would raise."""


class SandboxReply:
    """A `Reply` whose body is read piece by piece."""

    def __init__(self, plan: Plan) -> None:
        self.status: int = plan.status
        self.headers: Headers = plan.headers
        self._events: Iterator[Event] = plan.events
        self._is_closed = False
        self._due_s: float | None = None  # when the pause that is being waited out ends
        self._waiter: asyncio.Future[None] | None = None
        self._reads = 0

    async def read(self) -> bytes:
        """Give the next bytes of the body; b"" at its end.

        A cancelled read loses nothing: the next one waits out the rest of the pause.

        Raises:
            CutError: a directive cuts the connection here, or `close` was called.
        """
        self._reads += 1
        if self._reads % _READS_A_TURN == 0:
            await asyncio.sleep(0)  # a long answer must not keep the loop to itself
        while True:
            if self._due_s is not None:
                await self._wait(self._due_s)
                self._due_s = None
            if self._is_closed:
                raise CutError("cut")
            match next(self._events, None):
                case Send(data):
                    return data
                case Pause(seconds):
                    self._due_s = asyncio.get_running_loop().time() + seconds
                case Cut():
                    self.close()
                case None:
                    return b""

    def tap(self, take: Tap | None) -> None:
        """Offer nothing: all is read."""

    def close(self) -> None:
        """End the reply at once; a waiting read raises CutError."""
        self._is_closed = True
        self._due_s = None
        self._events = iter(())
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_at(due_s, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


async def play(write: Callable[[int], Plan], body_bytes: int, *, is_light: bool = True) -> SandboxReply:
    """Have a plan written, on a thread where that may take long, and give the reply that plays it.

    The heaviest wait for each other, so that many of them take the memory of two.

    Args:
        write: writes the plan, given the Unix time in seconds.
        body_bytes: of the request: a long one takes long to count.
        is_light: whether a short request is a quick one.
    """
    created = int(time.time())
    if is_light and tokens.is_loaded() and body_bytes <= _LARGE_BODY_BYTES:
        return SandboxReply(write(created))
    threads = None if is_light and body_bytes <= _HEAVY_BODY_BYTES else _heavy_work
    return SandboxReply(await asyncio.get_running_loop().run_in_executor(threads, write, created))
