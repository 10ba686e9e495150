"""One request on its way: what was asked, what was promised, and the attempts to have it answered."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, assert_never

import msgspec

from runapi.core import problems
from runapi.core.catalog import Model
from runapi.core.dialects import ENDPOINTS, Dialect
from runapi.core.failed_attempts import FailedAttempt, Fault, shorten
from runapi.core.keys import Principal
from runapi.core.problems import Problem
from runapi.core.records import RequestRecord
from runapi.core.routing import Deployment
from runapi.core.upstream_errors import Blame, Refusal, judge, read_wait, repeat, upstream_request_id
from runapi.flows.admit import Hold, limit_header
from runapi.flows.client_side import Header
from runapi.flows.deadlines import Deadlines
from runapi.upstream.client import BrokenReplyError, Reply, UnreachableError, read_whole
from runapi.upstream.pool import SANDBOX_ID, UpstreamPool
from runapi.wire.endpoints.asking import Asking
from runapi.wire.endpoints.way import Target, Way
from runapi.wire.openai_chat.retell import retell
from runapi.wire.openai_chat.stream import StreamFault

_CHAT, _RESPONSES = "/v1/chat/completions", "/responses"
_MOST_ID = 200
_READABLE_ID = re.compile(r"[ -~]+")
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


class Then(StrEnum):
    """What follows an attempt that failed."""

    NEXT = "next"  # another upstream is tried, if one is left
    TOLD = "told"  # the client is told
    ANSWERED = "answered"  # the client has its whole answer all the same


class Step(NamedTuple):
    """An upstream to try, and the way to ask it."""

    deployment: Deployment
    way: Way


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
    asking: Asking
    model: Model
    route: Sequence["Step"]
    record: RequestRecord
    elapsed_us: Callable[[], int]  # since the request arrived
    hold: Hold

    def target(self, deployment: Deployment) -> Target:
        """What an attempt at this deployment aims at."""
        cap = self.hold.output_cap
        return Target(deployment.model, cap, cap >= self.model.max_output_tokens, origin_of(deployment))


class Attempts:
    """The upstreams of one request, tried one after the other until one answers."""

    _was_waiting = False  # for the head of an answer, when somebody stopped the attempt
    _failed: tuple[FailedAttempt, bytes] | None = None  # the last one, until it is known what follows

    def __init__(
        self, exchange: Exchange, pool: UpstreamPool, patience: Patience, deadlines: Deadlines
    ) -> None:
        self._exchange = exchange
        self._pool = pool
        self._patience = patience
        self._deadlines = deadlines
        self._left = iter(exchange.route)
        self._problem: Problem | None = None
        self._keeps_way = False
        self.deployment: Deployment | None = None
        self.way: Way = exchange.route[0].way  # of the attempt under way, or of the first one

    def keep_way(self) -> None:
        """From here on try only upstreams that are asked in the same way: the client's answer has begun in it."""
        self._keeps_way = True

    async def open(self) -> Reply:
        """Return the next answer that is a success; its body has not been read.

        Raises:
            Problem: there is no other upstream to try; it says what the last one did.
        """
        for deployment, way in self._left:
            if self._keeps_way and way is not self.way:
                continue
            body = self._encode(deployment, way)
            if body is None:
                continue
            if self._failed is not None:
                self._report(next_upstream=deployment.upstream.name)
            self.deployment, self.way = deployment, way
            record = self._exchange.record
            record.attempts += 1
            record.upstream, record.upstream_model = deployment.upstream.name, deployment.model
            record.dropped = way.dropped
            try:
                with self._deadlines.within(self._patience.first_byte_s):
                    reply = await self._call(deployment, body)
                    if reply.status == 200:
                        record.upstream_request_id = self._their_id(deployment, reply)
                        return reply
                    refusal = self._retold(await self._read_refusal(deployment, reply))
            except asyncio.CancelledError:
                self._was_waiting = True
                raise
            except (TimeoutError, UnreachableError, BrokenReplyError) as error:
                self._note(*self._no_answer(error, deployment))
            else:
                self._take_refusal(deployment, refusal, reply, body)
        problem = self._problem or problems.no_upstream(self._exchange.model.id)
        self._report(client_told=self._told(problem))
        raise problem

    def _take_refusal(self, deployment: Deployment, refusal: Refusal, reply: Reply, sent: bytes) -> None:
        fault, their_id = refusal.fault, self._their_id(deployment, reply)
        match refusal.blame:
            case Blame.REQUEST:
                record = self._exchange.record
                record.upstream_error, record.upstream_request_id = fault.what, their_id
                raise refusal.problem
            case Blame.LOAD:
                self._pool.note_limited(deployment, refusal.rest_s)
                self._problem = refusal.problem
                self._keep(fault, their_id, sent, model_rests_s=refusal.rest_s)
            case Blame.MODEL:
                if (
                    self._problem is None
                ):  # else some upstream has the model and failed: the client is told that
                    self._problem = refusal.problem
                self._keep(fault, their_id, sent)
            case Blame.ACCOUNT | Blame.UPSTREAM:
                self._note(fault, refusal.problem, refusal.rest_s, their_id, sent)
            case _:
                assert_never(refusal.blame)

    def fail(self, problem: Problem, then: Then = Then.NEXT) -> None:
        """Note that an answer failed while it was awaited or read, and what to say should no other upstream give one."""
        if self._was_waiting:
            self._was_waiting, fault, their_id = False, Fault("timeout"), None
        else:
            fault, their_id = Fault(f"200 {problem.code}", 200), self._exchange.record.upstream_request_id
        self._note(fault, problem, their_id=their_id)
        if then is not Then.NEXT:
            self._report(client_told="200" if then is Then.ANSWERED else self._told(problem))

    def _note(
        self, fault: Fault, problem: Problem, rest_s: int = 0, their_id: str | None = None, sent: bytes = b""
    ) -> None:
        """Count a failure against the upstream being tried."""
        self._problem = problem
        if self.deployment is not None:
            rests_s = self._pool.note_failure(self.deployment, rest_s)
            self._keep(fault, their_id, sent, rests_s=rests_s)

    def _keep(
        self, fault: Fault, their_id: str | None, sent: bytes, *, rests_s: int = 0, model_rests_s: int = 0
    ) -> None:
        """Keep what went wrong: in the row at once, for the log until it is known what follows."""
        record, deployment = self._exchange.record, self.deployment
        record.upstream_error, record.upstream_request_id = fault.what, their_id
        if deployment is None or deployment.upstream.id == SANDBOX_ID:  # who uses it asked for the failure
            return
        failed = FailedAttempt(
            upstream=deployment.upstream.name,
            model=self._exchange.model.id,
            upstream_model=deployment.model,
            request_id=record.id,
            fault=fault,
            upstream_request_id=their_id,
            rests_s=rests_s,
            model_rests_s=model_rests_s,
        )
        self._failed = failed, sent

    def _told(self, problem: Problem) -> str:
        """What the client reads; in a stream that has begun, after a 200."""
        return f"{200 if self._keeps_way else problem.status} {problem.code}"

    def _report(self, *, next_upstream: str | None = None, client_told: str | None = None) -> None:
        """Log the attempt that failed, with what follows."""
        if self._failed is not None:
            (failed, sent), self._failed = self._failed, None
            told = msgspec.structs.replace(failed, next_upstream=next_upstream, client_told=client_told)
            self._pool.failures.note(told, sent)

    def succeed(self) -> None:
        """Note that the upstream being tried gave a whole answer."""
        if self.deployment is not None:
            self._pool.note_success(self.deployment)

    def _encode(self, deployment: Deployment, way: Way) -> bytes | None:
        """Write the body of an attempt; None where the upstream's dialect cannot say it, and another's may."""
        try:
            return way.encode(self._exchange.target(deployment))
        except Problem as unsayable:
            if self._problem is None:
                self._problem = unsayable
            return None

    async def _call(self, deployment: Deployment, body: bytes) -> Reply:
        """Call once, and once more on a new connection where a pooled one turned out to be closed already (F-9)."""
        way, pool, request_id = self.way, self._pool, self._exchange.record.id
        try:
            return await pool.call(deployment, way.path, body, request_id, headers=way.headers)
        except UnreachableError as error:
            if not error.was_connected:
                raise
        return await pool.call(deployment, way.path, body, request_id, headers=way.headers, afresh=True)

    def _their_id(self, deployment: Deployment, reply: Reply) -> str | None:
        """An upstream's name for a request as a row and the log can hold it; None where it is nothing to read."""
        name = upstream_request_id(reply.headers)
        name = None if name is None else name[:_MOST_ID]
        if name is None or not _READABLE_ID.fullmatch(name) or self._pool.is_key_in(deployment, name):
            return None
        return name

    def _no_answer(
        self, error: TimeoutError | UnreachableError | BrokenReplyError, deployment: Deployment
    ) -> tuple[Fault, Problem]:
        """A call that came to no answer, for the operator and for the client.

        The operator reads the system's own words on a connection that failed; those on a broken answer quote it.
        """
        if isinstance(error, TimeoutError):
            return Fault("timeout"), problems.upstream_timeout()
        if isinstance(error, BrokenReplyError):
            return Fault(f"broken_reply {error}"), problems.upstream_bad_reply()
        redaction = self._pool.redaction(deployment, self._exchange.model.id)
        words = None if error.__cause__ is None else shorten(redaction.hide_keys(str(error.__cause__)))
        return Fault(f"unreachable {error}", message=words), problems.upstream_unavailable()

    def _retold(self, refusal: Refusal) -> Refusal:
        """Put a refusal of Responses in the words of Chat, where those were the client's."""
        if self.way.path != _RESPONSES or self._exchange.record.endpoint != _CHAT:
            return refusal
        return msgspec.structs.replace(refusal, problem=retell(refusal.problem))

    async def _read_refusal(self, deployment: Deployment, reply: Reply) -> Refusal:
        try:
            body = await read_whole(reply)
        finally:
            reply.close()
        wait_s = read_wait(reply.headers, datetime.now(UTC))
        if deployment.upstream.id == SANDBOX_ID:
            return repeat(
                reply.status,
                body,
                wait_s if "retry-after" in reply.headers else None,
                should_retry=False if reply.headers.get("x-should-retry") == "false" else None,
            )
        return judge(reply.status, body, wait_s, self._pool.redaction(deployment, self._exchange.model.id))


def origin_of(deployment: Deployment) -> str:
    """Name what can read the reasoning that it made."""
    return f"{deployment.upstream.id}:{deployment.model}"


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
    if exchange.asking.endpoint == ENDPOINTS[Dialect.ANTHROPIC]:
        headers.append((b"request-id", request_id))  # where Anthropic's SDKs look for it
    if exchange.record.dropped:
        headers.append((b"x-runapi-dropped", ", ".join(exchange.record.dropped).encode()))
    if exchange.hold.bound_by is not None:
        headers.append((b"x-runapi-limited", limit_header(exchange.hold).encode()))
    return headers


def check_stream_head(reply: Reply) -> None:
    """Check that an upstream's answer is a stream of events that can be read.

    Raises:
        BrokenReplyError: it is not.
    """
    headers = reply.headers
    if (
        not headers.get("content-type", "").lower().startswith("text/event-stream")
        or headers.get("content-encoding", "identity") != "identity"
    ):
        raise BrokenReplyError(StreamFault.UNREADABLE)


async def say_goodbye(reply: Reply) -> None:
    """Read the upstream's last bytes, if they come at once, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_GOODBYE_S):
            while await reply.read():
                pass
    except (TimeoutError, BrokenReplyError):
        pass  # the connection is closed instead
