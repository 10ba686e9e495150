"""READ THIS FIRST: one request to a model, from its body to its settled charge. Every endpoint comes through here.

    read -> find the model -> find the ways -> admit (hold) -> open an upstream -> pass on -> settle -> end marker

From the open upstream on, a whole reply is handled by `whole_relay` and a stream by `stream_relay`, in the same order.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import structlog

from runapi.core import problems
from runapi.core.catalog import Catalog, Model, ModelStatus
from runapi.core.keys import ParameterPolicy, Principal
from runapi.core.problems import Problem
from runapi.core.records import Outcome, RequestRecord
from runapi.flows.client_side import ClientSide
from runapi.flows.deadlines import Deadlines
from runapi.flows.exchange import Attempts, DrainSlots, Exchange, Interrupt, Patience
from runapi.flows.find_ways import find_ways
from runapi.flows.memory import Memory
from runapi.flows.settle import Keep, Settlement, Till
from runapi.flows.stream_relay import StreamRelay
from runapi.flows.whole_relay import WholeRelay
from runapi.upstream.pool import UpstreamPool
from runapi.wire.endpoints.asking import Asking
from runapi.wire.endpoints.way import Caller
from runapi.wire.openai_chat.shape import read_ceiling

Read = Callable[[bytes], Asking]
"""Reads the body of a request to one endpoint."""

_log = structlog.get_logger("runapi.relay")


class Relay:
    """Serves requests to models with the catalogue, upstreams and records it was given."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        pool: UpstreamPool,
        till: Till,
        memory: Memory,
        patience: Patience,
        deadlines: Deadlines,
        unsold_tools: frozenset[str] = frozenset(),
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._till = till
        self._memory = memory
        self._unsold_tools = unsold_tools
        self._patience = patience
        self._deadlines = deadlines
        self._drains = DrainSlots(patience.most_drains)
        self._running: set[StreamRelay | WholeRelay] = set()

    async def answer(
        self,
        principal: Principal,
        read: Read,
        body: bytes,
        client: ClientSide,
        request_id: str,
        *,
        endpoint: str,
        headers: Mapping[bytes, bytes],
        max_costs: Sequence[str] = (),
        keep: Keep | None = None,
    ) -> None:
        """Answer one request; every request leaves a row, whatever becomes of it.

        Args:
            principal: who asks.
            read: reads the body, as the endpoint has it.
            body: the request's body.
            client: where the answer goes.
            request_id: our name for the request.
            endpoint: the URL's path, for the row.
            headers: the request's.
            max_costs: headers that say the most that it may cost, in USD.
            keep: makes the answer to be kept, for a request under an idempotency key.

        Raises:
            Problem: nothing has been sent to the client; tell it this.
        """
        settlement = self._begin(principal, request_id, endpoint, keep)
        try:
            self._till.admission.check_storm(principal)
            asking = read(body)
            settlement.request_sha256 = sha256(body).digest()
            exchange = await self._admit(principal, asking, settlement, headers, max_costs)
            relay = self._relay_for(exchange, settlement, client)
            self._running.add(relay)
            try:
                await relay.run()
            finally:
                self._running.discard(relay)
        except RecursionError:
            problem = problems.bad_json()  # nested as deep as just one of two readers can go
            await settlement.void(problem.status, problem.code, Outcome.REFUSED)
            raise problem from None
        except Problem as problem:
            refused = settlement.hold is None
            await settlement.void(
                problem.status, problem.code, Outcome.REFUSED if refused else Outcome.FAILED
            )
            raise
        except asyncio.CancelledError:
            settlement.void_soon(503, "server_shutdown", Outcome.FAILED)
            raise
        except Exception:  # noqa: BLE001 - the relay's boundary: the caller gets a problem, the log the trace
            _log.exception("request failed", request_id=request_id)
            await settlement.void(500, "internal_error", Outcome.FAILED)
            raise problems.internal_error() from None

    def note_refusal(self, principal: Principal, request_id: str, endpoint: str, problem: Problem) -> None:
        """Leave the row of a request whose body could not even be read."""
        self._begin(principal, request_id, endpoint).void_soon(problem.status, problem.code, Outcome.REFUSED)

    def _begin(
        self, principal: Principal, request_id: str, endpoint: str, keep: Keep | None = None
    ) -> Settlement:
        """Begin the row of a request, and with it the way to its one ending."""
        started_ns = time.perf_counter_ns()
        record = RequestRecord(
            id=request_id,
            at_us=time.time_ns() // 1000,
            account_id=principal.account_id,
            key_id=principal.key_id,
            mode=principal.mode,
            endpoint=endpoint,
            model="",
            stream=False,
        )
        return Settlement(self._till, record, lambda: (time.perf_counter_ns() - started_ns) // 1000, keep)

    def find_model(self, model_id: str) -> Model:
        """Look a model up by its id or by the name of its snapshot.

        Raises:
            Problem: 404 unknown, 410 retired.
        """
        model = self._catalog.find(model_id)
        if model is None:
            raise problems.unknown_model(model_id[:100])
        may_be_retired = model.shutdown_date is not None or model.status is not ModelStatus.ACTIVE
        if may_be_retired and model.is_retired(datetime.now(UTC).date()):
            raise problems.retired_model(model.id, model.successor)
        return model

    def stop_streams(self) -> None:
        """End every running answer, a stream with an error event: the server's patience at shutdown is over."""
        for relay in self._running:
            relay.interrupt(Interrupt.SHUTDOWN)

    async def _admit(
        self,
        principal: Principal,
        asking: Asking,
        settlement: Settlement,
        headers: Mapping[bytes, bytes],
        max_costs: Sequence[str],
    ) -> Exchange:
        record = settlement.record
        record.model, record.stream = asking.model[:100], asking.stream
        model = self.find_model(asking.model)
        record.model = model.id  # of which the client may have named the snapshot
        ceiling_nano = read_ceiling(asking.fields, max_costs)
        preferred = await self._memory.open(principal, asking)
        asking.prepare(
            model,
            Caller(
                principal.account_id,
                record.id,
                record.at_us // 1_000_000,
                headers,
                self._memory.recall(principal),
                principal.on_refused_parameter is ParameterPolicy.STRICT,
                self._unsold_tools,
            ),
        )
        deployments = self._pool.plan(model.id, principal.mode)
        if preferred is not None:  # which made the answers before, and alone can read the reasoning in them
            deployments = sorted(deployments, key=lambda one: one.upstream.name != preferred)
        route = find_ways(asking, model, deployments)
        if route:
            record.dropped = route[0].way.dropped
        shape = asking.shape()
        least_cap = max([step.way.least_cap for step in route], default=0)
        if shape.output_cap is not None and shape.output_cap < least_cap:
            shape = msgspec.structs.replace(shape, output_cap=least_cap)
        hold = settlement.hold = await self._till.admission.admit(
            principal, model, shape, record, ceiling_nano
        )
        if not route:
            wait_s = self._pool.cooling_s(model.id)
            raise problems.upstream_busy(wait_s) if wait_s else problems.no_upstream(model.id)
        return Exchange(principal, asking, model, route, record, settlement.elapsed_us, hold)

    def _relay_for(
        self, exchange: Exchange, settlement: Settlement, client: ClientSide
    ) -> StreamRelay | WholeRelay:
        attempts = Attempts(exchange, self._pool, self._patience, self._deadlines)
        if exchange.asking.stream:
            return StreamRelay(
                exchange,
                attempts,
                settlement,
                client,
                memory=self._memory,
                patience=self._patience,
                drains=self._drains,
            )
        return WholeRelay(
            exchange,
            attempts,
            settlement,
            client,
            memory=self._memory,
            patience=self._patience,
            deadlines=self._deadlines,
        )
