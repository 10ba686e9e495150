"""READ THIS FIRST: one Chat Completions request, from its body to its settled charge.

    read -> find the model -> normalise -> admit (hold) -> open an upstream -> pass on -> settle -> end marker

A whole reply is handled here; a stream by `stream_relay`, in the same order.
"""

import asyncio
import time
from datetime import UTC, datetime

import structlog

from runapi.core import problems
from runapi.core.catalog import Catalog, Model
from runapi.core.keys import DisconnectPolicy, ParameterPolicy, Principal
from runapi.core.money import usd
from runapi.core.problems import Problem
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import UsageSource
from runapi.flows.admit import admit
from runapi.flows.client_side import ClientSide, Header
from runapi.flows.deadlines import Deadlines
from runapi.flows.estimate import estimate_usage
from runapi.flows.exchange import Attempts, DrainSlots, Exchange, Patience, reply_headers
from runapi.flows.settle import Settlement
from runapi.flows.stream_relay import Interrupt, StreamRelay
from runapi.store.record_log import RecordLog
from runapi.upstream.client import BrokenReplyError, Reply, read_whole
from runapi.upstream.pool import UpstreamPool
from runapi.wire.normalise import normalise
from runapi.wire.openai_chat.reply import BadReplyError, ChatReply, read_chat_reply
from runapi.wire.openai_chat.request import read_chat_request

ENDPOINT = "/v1/chat/completions"
_JSON: Header = (b"content-type", b"application/json")
_log = structlog.get_logger("runapi.relay")


class Relay:
    """Serves Chat Completions requests with the catalogue, upstreams and records it was given."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        pool: UpstreamPool,
        log: RecordLog,
        patience: Patience,
        deadlines: Deadlines,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._log = log
        self._patience = patience
        self._deadlines = deadlines
        self._drains = DrainSlots(patience.most_drains)
        self._streams: set[StreamRelay] = set()

    async def answer(self, principal: Principal, body: bytes, client: ClientSide, request_id: str) -> None:
        """Answer one request; every request leaves a row, whatever becomes of it.

        Raises:
            Problem: nothing has been sent to the client; tell it this.
        """
        started_ns = time.perf_counter_ns()
        record = RequestRecord(
            id=request_id,
            at_us=time.time_ns() // 1000,
            account_id=principal.account_id,
            key_id=principal.key_id,
            mode=principal.mode,
            endpoint=ENDPOINT,
            model="",
            stream=False,
        )
        settlement = Settlement(self._log, record, lambda: (time.perf_counter_ns() - started_ns) // 1000)
        try:
            exchange = await self._admit(principal, body, record, settlement)
            await self._serve(exchange, settlement, client)
        except Problem as problem:
            refused = settlement.hold is None
            settlement.void(problem.status, problem.code, Outcome.REFUSED if refused else Outcome.FAILED)
            raise
        except asyncio.CancelledError:
            settlement.void(503, "server_shutdown", Outcome.FAILED)
            raise
        except Exception:  # noqa: BLE001 - the relay's boundary: the caller gets a problem, the log the trace
            _log.exception("request failed", request_id=request_id)
            settlement.void(500, "internal_error", Outcome.FAILED)
            raise problems.internal_error() from None

    def find_model(self, model_id: str) -> Model:
        """Look a model up.

        Raises:
            Problem: 404 unknown, 410 retired.
        """
        model = self._catalog.get(model_id)
        if model is None:
            raise problems.unknown_model(model_id[:100])
        if model.is_retired(datetime.now(UTC).date()):
            raise problems.retired_model(model.id, model.successor)
        return model

    def stop_streams(self) -> None:
        """End every running stream with an error event: the server's patience at shutdown is over."""
        for stream in self._streams:
            stream.interrupt(Interrupt.SHUTDOWN)

    async def _admit(
        self, principal: Principal, body: bytes, record: RequestRecord, settlement: Settlement
    ) -> Exchange:
        request = read_chat_request(body)
        record.model, record.stream = request.model[:100], request.stream
        model = self.find_model(request.model)
        strict = principal.on_refused_parameter is ParameterPolicy.STRICT
        upstream_request = normalise(request, model, strict=strict)
        record.dropped = upstream_request.dropped
        settlement.hold = await admit(principal, model, record.id)
        return Exchange(principal, request, model, upstream_request, record, settlement.elapsed_us)

    async def _serve(self, exchange: Exchange, settlement: Settlement, client: ClientSide) -> None:
        attempts = Attempts(exchange, self._pool, self._patience, self._deadlines)
        if exchange.request.stream:
            stream = StreamRelay(
                exchange, attempts, settlement, client, patience=self._patience, drains=self._drains
            )
            self._streams.add(stream)
            try:
                await stream.run()
            finally:
                self._streams.discard(stream)
        elif exchange.principal.on_disconnect is DisconnectPolicy.CANCEL:
            await self._serve_while_there(exchange, attempts, settlement, client)
        else:
            await self._serve_whole(exchange, attempts, settlement, client)

    async def _serve_while_there(
        self, exchange: Exchange, attempts: Attempts, settlement: Settlement, client: ClientSide
    ) -> None:
        """Serve a whole reply; end the upstream call when the client leaves before it came."""
        work = asyncio.ensure_future(self._serve_whole(exchange, attempts, settlement, client))
        gone = asyncio.ensure_future(client.wait_until_gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            exchange.record.client_left = True
            if settlement.ended:
                return await work
            work.cancel()
            await asyncio.wait({work})
            settlement.void(499, "client_left", Outcome.CANCELLED)
        finally:
            work.cancel()
            gone.cancel()

    async def _serve_whole(
        self, exchange: Exchange, attempts: Attempts, settlement: Settlement, client: ClientSide
    ) -> None:
        reply = await self._read_reply(exchange, attempts)
        usage, source = reply.usage, UsageSource.REPORTED
        if usage is None:
            text = reply.text()
            usage, source = await estimate_usage(exchange.request, text, len(text)), UsageSource.ESTIMATED
        charge = await settlement.settle(
            attempts.deployment, usage, source, charged=reply.delivers, tier=reply.service_tier
        )
        body = reply.render(exchange.model.id, usd(charge.nano), usage)
        await client.start(200, [*reply_headers(exchange, _JSON), (b"content-length", b"%d" % len(body))])
        await client.send(body, last=True)

    async def _read_reply(self, exchange: Exchange, attempts: Attempts) -> ChatReply:
        """Try upstreams until one gives a whole reply."""
        while True:
            reply = await attempts.open()
            try:
                async with self._deadlines.within(self._patience.total_s):
                    chat = await _read_chat(reply)
            except TimeoutError:
                attempts.fail(problems.upstream_timeout())
            except (BrokenReplyError, BadReplyError):
                attempts.fail(problems.upstream_bad_reply())
            else:
                exchange.record.first_byte_us = exchange.elapsed_us()
                attempts.succeed()
                return chat


async def _read_chat(reply: Reply) -> ChatReply:
    try:
        return read_chat_reply(await read_whole(reply))
    finally:
        reply.close()
