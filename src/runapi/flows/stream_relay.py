"""One streamed answer: upstream bytes to the client as they come, heartbeats in silence, and an exact end.

The reading of the upstream belongs to the server: when the client leaves, it goes on (drain) or ends (cancel) by the
key's policy, and the request is metered either way.
"""

import asyncio
import time

import structlog

from runapi.core import problems
from runapi.core.keys import DisconnectPolicy
from runapi.core.money import usd
from runapi.core.problems import Problem
from runapi.core.records import Outcome
from runapi.core.usage import UsageSource
from runapi.flows.checkpoint import EVERY_S, Checkpoints
from runapi.flows.client_side import ClientSide
from runapi.flows.estimate import estimate_usage
from runapi.flows.exchange import (
    Attempts,
    DrainSlots,
    Exchange,
    Interrupt,
    Patience,
    Then,
    check_stream_head,
    say_goodbye,
)
from runapi.flows.memory import Memory
from runapi.flows.settle import Counted, Settlement
from runapi.flows.stream_tap import StreamTap
from runapi.flows.stream_times import StreamTimes
from runapi.flows.stream_writer import StreamWriter
from runapi.upstream.client import BrokenReplyError, Reply
from runapi.wire.endpoints.way import Stream, is_due
from runapi.wire.openai_chat.stream import StreamFault

_LEAST_WAIT_S = 0.005
_log = structlog.get_logger("runapi.stream")


class _Stopped(Exception):  # noqa: N818 - a turn in the road, not an error
    """The relay was interrupted for good."""


class StreamRelay:
    """Passes one stream on. `run` is its whole life; it runs in the task that calls it."""

    def __init__(
        self,
        exchange: Exchange,
        attempts: Attempts,
        settlement: Settlement,
        client: ClientSide,
        *,
        memory: Memory,
        patience: Patience,
        drains: DrainSlots,
    ) -> None:
        self._exchange = exchange
        self._record = exchange.record
        self._attempts = attempts
        self._settlement = settlement
        self._client = client
        self._memory = memory
        self._patience = patience
        self._drains = drains
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._checkpoints = Checkpoints(settlement.ledger, exchange.hold, exchange.asking, exchange.record.id)
        self._times = times = StreamTimes(patience, self._loop.time)
        self._writer = StreamWriter(
            client,
            exchange,
            attempts,
            settlement=settlement,
            times=times,
            gone=self._note_left,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False  # an upstream's body is open
        self._over = False  # the last bytes are on their way
        self._draining = False
        self._interrupt: Interrupt | None = None
        self._drained_bytes = 0

    @property
    def _stream(self) -> Stream:
        """The client's stream, as the attempt under way has it."""
        return self._attempts.way.stream

    async def run(self) -> None:
        """Relay, settle and end the stream.

        Raises:
            Problem: nothing has been sent to the client; tell it this.
        """
        unwatch = self._client.on_gone(self._note_left)
        self._timer = self._loop.call_later(min(self._patience.step_s, EVERY_S), self._tick)
        try:
            await self._relay()
        finally:
            self._over = True
            self._timer.cancel()
            self._checkpoints.stop()
            unwatch()
            self._writer.end()
            if self._draining:
                self._drains.give_back()

    def interrupt(self, reason: Interrupt) -> None:
        """Stop what the relay is waiting for."""
        if not self._over and self._interrupt is None and self._task is not None:
            self._interrupt = reason
            self._task.cancel()

    async def _relay(self) -> None:
        try:
            reply, rest = await self._pass_on()
        except Problem as problem:
            await self._fail(problem)
        except _Stopped:
            await self._end_unfinished()
        except Exception:  # noqa: BLE001 - the relay's boundary: the client gets an ending, the log the trace
            _log.exception("relay failed", request_id=self._record.id)
            await self._fail(problems.internal_error())
        else:
            try:
                await self._finish(rest)
                await say_goodbye(reply)
            finally:
                reply.close()

    # ---- upstream to client ------------------------------------------------------------------------------

    async def _pass_on(self) -> tuple[Reply, bytes]:
        """Try upstreams until a stream has ended whole; return it, and the bytes that go out with its end."""
        while True:
            reply = None
            try:
                reply = await self._attempts.open()
                rest = await self._pass_one(reply)
            except BrokenReplyError as error:
                problem = self._problem_of(str(error))
            except asyncio.CancelledError:
                problem = self._resume()
            else:
                self._attempts.succeed()
                return reply, rest
            finally:
                self._reading = False
                if reply is not None and not self._stream.ended:
                    reply.close()
            if reply is not None and self._stream.is_stopped:  # only the usage is missing
                self._attempts.fail(problem, Then.ANSWERED)
                return reply, self._stream.feed_end()
            if (
                self._stream.delivers
                or self._times.left_s is not None
                or self._times.is_late(self._loop.time())
            ):
                self._attempts.fail(problem, Then.TOLD)
                raise problem
            self._attempts.fail(problem)
            self._stream.restart()

    async def _pass_one(self, reply: Reply) -> bytes:
        """Pass one upstream's stream on, to its end.

        Raises:
            BrokenReplyError: it broke; its text is the code of the problem.
        """
        check_stream_head(reply)
        stream, times, writer = self._stream, self._times, self._writer
        tap = StreamTap(stream, writer, times)
        times.heard_s = times.now_s()
        self._reading = True
        reply.tap(tap.take)
        try:
            while True:
                data = await reply.read()
                times.heard_s = times.now_s()
                if self._record.first_byte_us is None:
                    self._record.first_byte_us = self._exchange.elapsed_us()
                out = tap.feed(data) if data else stream.feed_end()
                if stream.ended:
                    return out
                if out:
                    await writer.write(out)
                if stream.fault is not None:
                    raise BrokenReplyError(stream.fault)
                if times.left_s is not None:
                    self._drained_bytes += len(data)
                    if self._drained_bytes > self._patience.drain_bytes:
                        raise _Stopped
        finally:
            reply.tap(None)

    def _resume(self) -> Problem:
        """After a cancellation: go on if it was our own doing and another upstream may help.

        Raises:
            _Stopped: there is nothing to go on for.
            CancelledError: somebody else cancelled the task.
        """
        reason, self._interrupt = self._interrupt, None
        if reason is None or self._task is None:
            raise asyncio.CancelledError
        self._task.uncancel()
        if reason is Interrupt.LEFT or self._is_abandoned():
            raise _Stopped
        if reason is Interrupt.SHUTDOWN:
            raise problems.shutting_down()
        return problems.upstream_timeout()

    def _problem_of(self, fault: str) -> Problem:
        """A stream that broke, as the client is told: it may have been the upstream's network or its words."""
        known = fault in tuple(StreamFault)
        return problems.stream_failed(fault if known else StreamFault.TRUNCATED)

    # ---- endings -----------------------------------------------------------------------------------------

    async def _finish(self, rest: bytes) -> None:
        """Settle a whole answer, then send its end."""
        await self._be_over()
        await self._writer.beats.finish()  # they belong to what the receipt and the kept answer say was sent
        stream, settlement, deployment = self._stream, self._settlement, self._attempts.deployment
        counted = await self._count()
        due = is_due(stream)
        charge = (settlement.price if due else settlement.forgive)(deployment, counted)
        last = rest + stream.tail(usd(charge.nano), counted.usage)
        if not due:
            await settlement.void(200, None, Outcome.COMPLETED)
        elif (problem := await self._settle(counted, last)) is not None:
            last = self._say(problem)
        await self._writer.write(last, last=True)

    async def _settle(self, counted: Counted, last: bytes) -> Problem | None:
        """Charge a whole answer before its end leaves; give the problem where a begun one cannot be charged."""
        head = None if self._writer.started else (200, self._writer.head())
        try:
            stored = await self._memory.keep(self._exchange, self._attempts, last)
            rest = b"" if self._times.left_s is not None else last
            await self._settlement.settle(counted, rest, head, stored=stored)
        except Problem as problem:
            if not self._writer.started:
                raise
            return problem
        return None

    async def _fail(self, problem: Problem) -> None:
        """End an answer that broke off: not charged, and never followed by the end marker."""
        await self._be_over()
        if not self._writer.started:
            raise problem
        counted = await self._count() if self._stream.delivers else Counted()
        self._settlement.forgive(self._attempts.deployment, counted)
        await self._settlement.void(200, problem.code, Outcome.FAILED)
        await self._writer.write(self._say(problem), last=True)

    async def _end_unfinished(self) -> None:
        """End an answer whose client has left, charging what had arrived."""
        await self._be_over()
        settlement, deployment = self._settlement, self._attempts.deployment
        if not is_due(self._stream):
            settlement.forgive(deployment, Counted())
            await settlement.void(200, "client_left", Outcome.CANCELLED)
            return
        counted = await self._count()
        settlement.price(deployment, counted)
        try:
            await settlement.settle(counted, outcome=Outcome.CANCELLED, error_code="client_left")
        except Problem as problem:  # nobody is there to be told
            _log.warning("charge lost", request_id=self._record.id, code=problem.code)

    async def _be_over(self) -> None:
        """From here on nothing interrupts; an interrupt that was under way already is let pass."""
        self._over = True
        if self._interrupt is not None and self._task is not None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self._task.uncancel()

    async def _count(self) -> Counted:
        stream = self._stream
        if stream.usage is not None:
            return Counted(stream.usage, UsageSource.REPORTED, stream.service_tier, stream.raw_usage)
        usage = await estimate_usage(self._exchange.asking.count_input, stream.text, stream.text_length)
        return Counted(usage, UsageSource.ESTIMATED, stream.service_tier)

    # ---- to the client -----------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._writer.beat(self._stream.heartbeat(self._attempts.way.answer_id, int(time.time())))

    def _say(self, problem: Problem) -> bytes:
        """The last words of an answer that broke off.

        Raises:
            Problem: its client would take any for the end of a whole one. The connection closes without them.
        """
        if self._exchange.asking.is_deaf_to_failure:
            raise problem
        return self._stream.error(problem, self._attempts.way.answer_id, int(time.time()))

    # ---- time and the client's leaving -------------------------------------------------------------------

    def _note_left(self) -> None:
        if self._times.left_s is not None or self._over:
            return
        self._times.left_s = self._loop.time()
        self._record.client_left = True
        if self._exchange.principal.on_disconnect is DisconnectPolicy.DRAIN and self._drains.take():
            self._draining = True
            self._tick()  # the drain has a deadline of its own
        else:
            self.interrupt(Interrupt.LEFT)

    def _is_abandoned(self) -> bool:
        """The client has left, and nobody reads on for it."""
        return self._times.left_s is not None and not self._draining

    def _tick(self) -> None:
        """Look at the clock: beat, give up, or both; and come back when there may be something to do."""
        now_s = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
        due_s = self._writer.mind(now_s) if self._writer.waiting is not None else self._mind_upstream(now_s)
        if not self._over:
            due_s = min(due_s, self._checkpoints.look(now_s, self._stream))
        due_s = min(due_s, now_s + self._patience.step_s)
        self._timer = self._loop.call_at(max(due_s, now_s + _LEAST_WAIT_S), self._tick)

    def _mind_upstream(self, now_s: float) -> float:
        if self._over:
            return now_s + self._patience.step_s
        due_s, reason = self._times.end_due(is_reading=self._reading, delivers=self._stream.delivers)
        if now_s >= due_s:
            self.interrupt(reason)
            return now_s + self._patience.heartbeat_every_s
        return due_s if self._times.left_s is not None else min(due_s, self._mind_silence(now_s))

    def _mind_silence(self, now_s: float) -> float:
        """Send a heartbeat when one is due; return when the next will be."""
        due_s = self._times.beat_due_s()
        if now_s < due_s:
            return due_s
        if not self._writer.beats.are_barred:
            self._beat()
        return self._times.note_beat(now_s)
