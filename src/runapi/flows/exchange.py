"""One request on its way: what was asked, what was promised, and the attempts to have it answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

from runapi.core import problems
from runapi.core.catalog import Model
from runapi.core.keys import Principal
from runapi.core.problems import Problem
from runapi.core.records import RequestRecord
from runapi.core.routing import Deployment
from runapi.core.upstream_errors import Blame, Refusal, judge, read_wait, repeat
from runapi.flows.admit import Hold, limit_header
from runapi.flows.client_side import Header
from runapi.flows.deadlines import Deadlines
from runapi.upstream.client import BrokenReplyError, Reply, UnreachableError, read_whole
from runapi.upstream.pool import SANDBOX_ID, UpstreamPool
from runapi.wire.normalise import UpstreamRequest
from runapi.wire.openai_chat.request import ChatRequest

_MOST_ID = 200
_GOODBYE_S = 1.0  # for the last bytes of an upstream's body, so that its connection can be used again


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each thing may take, in seconds, and how much may be read for a client that has left."""

    first_byte_s: float
    idle_s: float
    total_s: float
    heartbeat_first_s: float
    heartbeat_every_s: float
    stalled_reader_s: float
    drain_s: float
    drain_bytes: int
    most_drains: int

    @property
    def step_s(self) -> float:
        """How often to look at the clock so that none of these is missed, whatever begins meanwhile."""
        return min(
            self.first_byte_s, self.idle_s, self.total_s, self.heartbeat_first_s, self.stalled_reader_s
        )


class Interrupt(StrEnum):
    """Why a relay stopped itself."""

    IDLE = "idle"  # the upstream was silent for too long
    TOTAL = "total"  # the whole took too long
    LEFT = "left"  # the client left, and nobody reads on for it
    SHUTDOWN = "shutdown"  # the server stops and its patience is over


class DrainSlots:
    """How many upstreams are being read for clients that have left; past the limit they are cancelled."""

    def __init__(self, most: int) -> None:
        self._free = most

    def take(self) -> bool:
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        self._free += 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was admitted."""

    principal: Principal
    request: ChatRequest
    model: Model
    upstream_request: UpstreamRequest
    record: RequestRecord
    elapsed_us: Callable[[], int]  # since the request arrived
    hold: Hold

    @property
    def upstream_cap(self) -> int | None:
        """The output limit to send upstream; None where it is the model's own, which needs no saying."""
        cap = self.hold.output_cap
        return None if cap >= self.model.max_output_tokens else cap


class Attempts:
    """The upstreams of one request, tried one after the other until one answers."""

    def __init__(
        self, exchange: Exchange, pool: UpstreamPool, patience: Patience, deadlines: Deadlines
    ) -> None:
        self._exchange = exchange
        self._pool = pool
        self._patience = patience
        self._deadlines = deadlines
        self._left = iter(pool.plan(exchange.model.id, exchange.principal.mode))
        self._problem: Problem | None = None
        self.deployment: Deployment | None = None

    async def open(self) -> Reply:
        """Return the next answer that is a success; its body has not been read.

        Raises:
            Problem: there is no other upstream to try; it says what the last one did.
        """
        for deployment in self._left:
            self.deployment = deployment
            record = self._exchange.record
            record.attempts += 1
            record.upstream, record.upstream_model = deployment.upstream.name, deployment.model
            try:
                with self._deadlines.within(self._patience.first_byte_s):
                    reply = await self._call(deployment)
                    if reply.status == 200:
                        record.upstream_request_id = _shown(reply.headers.get("x-request-id"))
                        return reply
                    refusal = await self._read_refusal(deployment, reply)
            except TimeoutError:
                self.fail(problems.upstream_timeout())
            except UnreachableError:
                self.fail(problems.upstream_unavailable())
            except BrokenReplyError:
                self.fail(problems.upstream_bad_reply())
            else:
                self._take_refusal(deployment, refusal)
        raise self._problem or self._nobody()

    def _nobody(self) -> Problem:
        model = self._exchange.model.id
        wait_s = self._pool.cooling_s(model)
        return problems.upstream_busy(wait_s) if wait_s else problems.no_upstream(model)

    def _take_refusal(self, deployment: Deployment, refusal: Refusal) -> None:
        match refusal.blame:
            case Blame.REQUEST:
                raise refusal.problem
            case Blame.LOAD:
                self._pool.note_limited(deployment, refusal.rest_s)
                self._problem = refusal.problem
            case Blame.MODEL:
                if (
                    self._problem is None
                ):  # else some upstream has the model and failed: the client is told that
                    self._problem = refusal.problem
            case Blame.ACCOUNT | Blame.UPSTREAM:
                self.fail(refusal.problem, refusal.rest_s)
            case _:
                assert_never(refusal.blame)

    def fail(self, problem: Problem, rest_s: int = 0) -> None:
        """Note that the upstream being tried failed, and what to say should it have been the last."""
        if self.deployment is not None:
            self._pool.note_failure(self.deployment, rest_s)
        self._problem = problem

    def succeed(self) -> None:
        """Note that the upstream being tried gave a whole answer."""
        if self.deployment is not None:
            self._pool.note_success(self.deployment)

    async def _call(self, deployment: Deployment) -> Reply:
        """Call once, and once more on a new connection where a pooled one turned out to be closed already (F-9)."""
        exchange = self._exchange
        body = exchange.upstream_request.encode(deployment.model, exchange.upstream_cap)
        try:
            return await self._pool.call(deployment, body, exchange.record.id)
        except UnreachableError as error:
            if not error.was_connected:
                raise
        return await self._pool.call(deployment, body, exchange.record.id, afresh=True)

    async def _read_refusal(self, deployment: Deployment, reply: Reply) -> Refusal:
        try:
            body = await read_whole(reply)
        finally:
            reply.close()
        wait_s = read_wait(reply.headers, datetime.now(UTC))
        if deployment.upstream.id == SANDBOX_ID:
            return repeat(reply.status, body, wait_s if "retry-after" in reply.headers else None)
        return judge(reply.status, body, wait_s, self._pool.redaction(deployment, self._exchange.model.id))


def reply_headers(exchange: Exchange, content_type: Header) -> list[Header]:
    """The headers of a successful reply, as OpenAI sends them, and what was left out of the request."""
    request_id = exchange.record.id.encode()
    headers = [
        content_type,
        (b"x-request-id", request_id),
        (b"x-runapi-request-id", request_id),
        (b"openai-processing-ms", b"%d" % (exchange.elapsed_us() // 1000)),
        (b"openai-version", b"2020-10-01"),
    ]
    if exchange.record.dropped:
        headers.append((b"x-runapi-dropped", ", ".join(exchange.record.dropped).encode()))
    if exchange.hold.bound_by is not None:
        headers.append((b"x-runapi-limited", limit_header(exchange.hold).encode()))
    return headers


def _shown(upstream_request_id: str | None) -> str | None:
    """An upstream's name for a request as a row can hold it; None where it is nothing to read."""
    if upstream_request_id is None or not upstream_request_id.isascii():
        return None
    return upstream_request_id[:_MOST_ID]


async def say_goodbye(reply: Reply) -> None:
    """Read the upstream's last bytes, if they come at once, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_GOODBYE_S):
            while await reply.read():
                pass
    except (TimeoutError, BrokenReplyError):
        pass  # the connection is closed instead
