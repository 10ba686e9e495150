"""One answer that is not streamed: read whole, settled, and sent in one piece."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from runapi.core import problems
from runapi.core.keys import DisconnectPolicy
from runapi.core.money import usd
from runapi.core.pricing import Charge
from runapi.core.records import Outcome
from runapi.core.usage import UsageSource
from runapi.flows.client_side import ClientSide, Header
from runapi.flows.deadlines import Deadlines, Within
from runapi.flows.estimate import estimate_usage
from runapi.flows.exchange import Attempts, Exchange, Interrupt, Patience, Then, reply_headers
from runapi.flows.memory import Memory
from runapi.flows.settle import Counted, Settlement
from runapi.upstream.client import MOST_REPLY_BYTES, BrokenReplyError, TooLongError, read_whole
from runapi.wire.endpoints.way import Reply, is_due
from runapi.wire.openai_chat.reply import BadReplyError

_WATCH_AFTER_S = 0.1  # watching takes a twentieth of a short request; who has left is found out then, too
_JSON: Header = (b"content-type", b"application/json")


class WholeRelay:
    """Passes one whole answer on. `run` is its whole life; it runs in the task that calls it."""

    def __init__(
        self,
        exchange: Exchange,
        attempts: Attempts,
        settlement: Settlement,
        client: ClientSide,
        *,
        memory: Memory,
        patience: Patience,
        deadlines: Deadlines,
    ) -> None:
        self._exchange = exchange
        self._attempts = attempts
        self._settlement = settlement
        self._client = client
        self._memory = memory
        self._patience = patience
        self._deadlines = deadlines
        self._task = asyncio.current_task(deadlines.loop)
        self._interrupt: Interrupt | None = None
        self._over = False  # the answer is there
        self._unwatch: Callable[[], object] | None = None

    async def run(self) -> None:
        """Read the answer, settle it and send it.

        Raises:
            Problem: nothing has been sent to the client; tell it this.
        """
        self._deadlines.set(self, _WATCH_AFTER_S)
        try:
            with self._deadlines.within(self._patience.total_s):
                reply, text = await self._read_reply()
            await self._be_over()
            await self._finish(reply, text)
        except TimeoutError:
            self._attempts.fail(problems.upstream_timeout(), Then.TOLD)
            raise problems.upstream_timeout() from None
        except asyncio.CancelledError:
            await self._resume()
        finally:
            self._over = True
            self._deadlines.remove(self)
            if self._unwatch is not None:
                self._unwatch()

    def expire(self) -> None:
        """Begin to look whether the client leaves: what is answered at once is answered to it either way."""
        self._unwatch = self._client.on_gone(self._note_left)

    def interrupt(self, reason: Interrupt) -> None:
        """Stop what the relay is waiting for."""
        if not self._over and self._interrupt is None and self._task is not None:
            self._interrupt = reason
            self._task.cancel()

    async def _resume(self) -> None:
        """After a cancellation: end the request, if it was our own doing.

        Raises:
            Problem: 503, where the server stops.
            CancelledError: somebody else cancelled the task.
        """
        reason = self._interrupt
        if reason is None or self._task is None:
            raise asyncio.CancelledError
        self._task.uncancel()
        if reason is Interrupt.SHUTDOWN:
            raise problems.shutting_down()
        await self._settlement.void(499, "client_left", Outcome.CANCELLED)

    async def _be_over(self) -> None:
        """From here on nothing interrupts; an interrupt that was under way already counts."""
        self._over = True
        if self._interrupt is not None:
            await asyncio.sleep(0)

    # ---- from the upstream -------------------------------------------------------------------------------

    async def _read_reply(self) -> tuple[Reply, str]:
        """Try upstreams until one gives a whole reply; its text is read where nobody else has counted it.

        Raises:
            Problem: the last one to be tried failed so, or the answer is too long, wherever it comes from.
        """
        while True:
            reply = await self._attempts.open()
            most_bytes = self._attempts.way.most_reply_bytes or MOST_REPLY_BYTES
            try:
                with self._deadlines.within(self._patience.first_byte_s) as limit:
                    body = await read_whole(reply, partial(self._hear, limit), most_bytes=most_bytes)
                answer = self._attempts.way.read_reply(body)
                text = "" if answer.usage is not None else answer.text()
            except TimeoutError:
                self._attempts.fail(problems.upstream_timeout())
            except TooLongError:
                if self._attempts.way.most_reply_bytes is not None:
                    self._refuse_length(most_bytes)
                self._attempts.fail(problems.upstream_bad_reply())  # nobody asked for anything so long
            except (BrokenReplyError, BadReplyError):
                self._attempts.fail(problems.upstream_bad_reply())
            else:
                self._attempts.succeed()
                return answer, text
            finally:
                reply.close()

    def _refuse_length(self, most_bytes: int) -> NoReturn:
        """Give an answer up that is long because the client asked for it: each upstream's would be.

        Raises:
            Problem: 400.
        """
        problem = problems.answer_too_long(most_bytes)
        self._exchange.record.upstream_error = f"200 {problem.code}"
        raise problem from None

    def _hear(self, limit: Within) -> None:
        record = self._exchange.record
        if record.first_byte_us is None:
            record.first_byte_us = self._exchange.elapsed_us()
        limit.extend(self._patience.idle_s)

    # ---- to the client -----------------------------------------------------------------------------------

    async def _finish(self, reply: Reply, text: str) -> None:
        """Settle, then send."""
        exchange, settlement, deployment = self._exchange, self._settlement, self._attempts.deployment
        counted = await self._count(reply, text)
        due = is_due(reply)
        charge = (settlement.price if due else settlement.forgive)(deployment, counted)
        body = reply.render(exchange.asking.model, usd(charge.nano), counted.usage)
        headers = self._headers(charge, body)
        if due:
            stored = await self._memory.keep(exchange, self._attempts, body)
            await settlement.settle(counted, body, (200, headers), stored=stored)
        else:
            await settlement.void(200, None, Outcome.COMPLETED)
        await self._client.start(200, headers)
        await self._client.send(body, last=True)

    def _headers(self, charge: Charge, body: bytes) -> list[Header]:
        return [
            *reply_headers(self._exchange, _JSON),
            (b"x-runapi-cost", usd(charge.nano).encode()),
            (b"content-length", b"%d" % len(body)),
        ]

    async def _count(self, reply: Reply, text: str) -> Counted:
        if reply.usage is not None:
            return Counted(reply.usage, UsageSource.REPORTED, reply.service_tier, reply.raw_usage)
        usage = await estimate_usage(self._exchange.asking.count_input, text, len(text))
        return Counted(usage, UsageSource.ESTIMATED, reply.service_tier)

    def _note_left(self) -> None:
        if self._settlement.ended:
            return
        self._exchange.record.client_left = True
        if self._exchange.principal.on_disconnect is DisconnectPolicy.CANCEL:
            self.interrupt(Interrupt.LEFT)
