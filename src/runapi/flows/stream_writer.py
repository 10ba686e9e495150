"""The client's side of a stream: one thing is sent at a time, and a reader that stalls counts as gone."""

import asyncio
from collections.abc import Awaitable, Callable

from runapi.flows.client_side import ClientSide, Header
from runapi.flows.exchange import Attempts, Exchange, reply_headers
from runapi.flows.settle import Settlement
from runapi.flows.stream_beats import Beats
from runapi.flows.stream_times import StreamTimes

_EVENT_STREAM: Header = (b"content-type", b"text/event-stream; charset=utf-8")
_NO_CACHE: Header = (b"cache-control", b"no-cache")
_NO_PROXY_BUFFER: Header = (b"x-accel-buffering", b"no")


class StreamWriter:
    """Sends to one client. Made in the task of the stream's relay, which is who writes unless a heartbeat does."""

    __slots__ = (
        *("_attempts", "_client", "_exchange", "_gone", "_head", "_is_stalled", "_sent", "_task", "_times"),
        *("_sending", "beats", "started", "waiting"),
    )

    def __init__(
        self,
        client: ClientSide,
        exchange: Exchange,
        attempts: Attempts,
        *,
        settlement: Settlement,
        times: StreamTimes,
        gone: Callable[[], None],
    ) -> None:
        """Join what a stream's sending needs; `gone` is called when the client reads no more."""
        self._client = client
        self._exchange = exchange
        self._attempts = attempts
        self._times = times
        self._gone: Callable[[], None] | None = gone
        self._sent = settlement.sent
        self._task = asyncio.current_task()
        self._head: list[Header] | None = None
        self._is_stalled = False
        self.beats = Beats()
        self.started = False  # the status has left
        self._sending: Awaitable[None] | None = None  # what was passed on and has not left yet
        self.waiting: asyncio.Task[None] | None = None  # who waits in a send

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Send to the client, if it is still there."""
        if self.beats.running is not asyncio.current_task():
            await self.beats.finish()
        times = self._times
        if times.left_s is not None:
            return
        times.write_s = times.now_s()
        if self.beats.running is None:
            self.waiting = writer = self._task
            times.spoke_s = times.write_s
        else:
            self.waiting = writer = self.beats.running
        try:
            if not self.started:
                self.started = True
                self._attempts.keep_way()
                await self._client.start(200, self.head())
            if self._sending is not None:
                sending, self._sending = self._sending, None
                await sending
            await self._client.send(data, last=last)
            if not last:
                self._sent.update(data)
        except asyncio.CancelledError:
            self._bear_stall(writer)
        finally:
            self.waiting = None

    def is_free(self) -> bool:
        """Whether `pass_on` may be called: nothing is before it, and somebody reads."""
        return (
            self.started
            and self._sending is None
            and self.beats.running is None
            and self._times.left_s is None
        )

    def pass_on(self, data: bytes) -> None:
        """Send in this step; what of it has to be waited for, comes before the next `write`."""
        times = self._times
        times.write_s = times.spoke_s = times.now_s()
        self._sent.update(data)
        self._sending = self._client.begin(data)

    def end(self) -> None:
        """Send no more. Who was to be told of a stall is forgotten, so that the two do not keep each other in memory."""
        self.beats.stop()
        self._gone = None

    def head(self) -> list[Header]:
        """The headers. Made once, for they say how long it took: what is kept under an idempotency key is what is sent."""
        if self._head is None:
            self._head = [*reply_headers(self._exchange, _EVENT_STREAM), _NO_CACHE, _NO_PROXY_BUFFER]
        return self._head

    def beat(self, sign_of_life: bytes) -> None:
        """Send a sign of life; it is written now, in front of whatever is read from here on."""
        self._attempts.keep_way()
        self.beats.begin(self.write(sign_of_life))

    def mind(self, now_s: float) -> float:
        """Stop a send whose reader has stalled; give when it is due."""
        due_s = self._times.stall_due_s()
        if now_s >= due_s and self.waiting is not None and not self._is_stalled:
            self._is_stalled = True
            self.waiting.cancel()
        return due_s

    def _bear_stall(self, writer: asyncio.Task[None] | None) -> None:
        """After a send was cancelled: the client counts as gone, if that was for its not reading.

        Raises:
            CancelledError: it was for something else.
        """
        self.waiting = None
        if not self._is_stalled or writer is None:
            raise asyncio.CancelledError
        writer.uncancel()
        self._is_stalled = False
        if self._gone is not None:
            self._gone()
