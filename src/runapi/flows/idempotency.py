"""Serve each request under an Idempotency-Key once: who sends it again joins it, or gets the answer that was kept.

A key counts for 24 hours within one account and mode. The answer is stored in the commit that settles the request, so
that there is never a charge without its answer because of a crash; a request that was not charged gives its key back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from runapi.core import problems
from runapi.core.idempotency import (
    MOST_ANSWER_BYTES,
    Asked,
    KeptAnswer,
    Place,
    identify,
    is_acceptable,
    open_answer,
    seal_answer,
)
from runapi.core.idempotency_problems import (
    bad_idempotency_key,
    idempotent_answer_lost,
    idempotent_request_running,
    reused_idempotency_key,
)
from runapi.core.keys import DisconnectPolicy, Principal
from runapi.core.problems import Problem
from runapi.flows.client_side import ClientSide, Header
from runapi.flows.running_requests import Budget, Recording
from runapi.store.database import Database
from runapi.store.faults import StoreFault
from runapi.store.idempotency import (
    MOST_FORGOTTEN,
    Claimed,
    Granted,
    Kept,
    Lost,
    OtherBody,
    RunningElsewhere,
    claim_key,
    forget_keys,
    release_key,
)

MOST_TOTAL_BYTES = 256 * 1024 * 1024  # of answers that are being recorded
_log = structlog.get_logger("runapi.idempotency")


class Recorder:
    """What a request under a key is given: the client side to answer, and the means to keep the answer."""

    def __init__(self, client: Recording, request_id: str, key: bytes, pepper: bytes) -> None:
        self.client: ClientSide = client
        self._recording = client
        self._request_id = request_id
        self._key = key
        self._pepper = pepper

    def keep(
        self, rest: bytes, at_us: int, head: tuple[int, Sequence[Header]] | None = None
    ) -> KeptAnswer | None:
        """Give the row to be written in the commit that settles the request, by `store.idempotency.insert_answers`.

        Call it when everything but the last bytes was sent; then commit; then send `rest`. None where the answer is
        not kept: it is too long, or broke off.

        Args:
            rest: the last bytes of the body, exactly as they will be sent.
            at_us: now.
            head: status and headers, where they are not sent yet either.
        """
        answer = self._recording.answer(rest, head)
        if answer is None:
            return None
        sealed = seal_answer(answer, self._request_id, self._key, self._pepper)
        return KeptAnswer(self._request_id, at_us, sealed)


Run = Callable[[Recorder], Awaitable[None]]
"""Serves the request, writing to the recorder's client. Raises Problem where nothing was sent."""


class _Running:
    """A request that runs here under a key."""

    __slots__ = ("asked", "closed", "granted", "judged", "recording", "request_id")

    def __init__(self, asked: Asked, request_id: str, recording: Recording) -> None:
        self.asked = asked
        self.request_id = request_id
        self.recording = recording
        self.granted = False  # the key is its own
        self.judged = asyncio.Event()
        self.closed = asyncio.Event()


class IdempotentRequests:
    """The requests with a key that run in this process, and the way to those that ran before."""

    def __init__(
        self,
        database: Database,
        *,
        pepper: bytes,
        node: int,
        now_us: Callable[[], int],
        stall_s: float,
        most_answer_bytes: int = MOST_ANSWER_BYTES,
        most_total_bytes: int = MOST_TOTAL_BYTES,
    ) -> None:
        """Begin with nothing running.

        Args:
            database: where keys and answers are.
            pepper: the installation's; keys are digested and answers sealed under it.
            node: this process among those that share the database.
            now_us: the clock.
            stall_s: a client that reads nothing for so long counts as gone.
            most_answer_bytes: longer answers are not kept.
            most_total_bytes: of all answers being recorded; beyond it, answers are passed on and not kept.
        """
        self._database = database
        self._pepper = pepper
        self._node = node
        self._now_us = now_us
        self._stall_s = stall_s
        self._most_answer_bytes = most_answer_bytes
        self._budget = Budget(most_total_bytes)
        self._running: dict[Place, _Running] = {}

    async def answer(
        self,
        principal: Principal,
        key: bytes,
        *,
        path: str,
        body: bytes,
        client: ClientSide,
        request_id: str,
        run: Run,
    ) -> None:
        """Answer a request under a key: by `run` if it is the first, and by what that one gets if it is not.

        Raises:
            Problem: nothing was sent to the client; tell it this. Whoever waits for the same request is told the same.
            StoreFault: the key could not be looked up; `run` was not called.
        """
        if not is_acceptable(key):
            raise bad_idempotency_key()
        asked = identify(principal, key, path, body, self._pepper)
        while (running := self._running.get(asked.place)) is not None:
            if running.asked.body_digest != asked.body_digest:
                await running.judged.wait()  # until it has the key, it may itself be the one that is wrong
                if running.granted:
                    raise reused_idempotency_key(running.request_id)
                await running.closed.wait()
            elif running.recording.over:  # it is being put away
                await running.closed.wait()
            elif running.recording.whole:
                return await running.recording.follow(client, replayed=True)
            else:
                raise idempotent_request_running(running.request_id)
        recording = Recording(
            self._budget,
            most_bytes=self._most_answer_bytes,
            stall_s=self._stall_s,
            stop_when_alone=principal.on_disconnect is DisconnectPolicy.CANCEL,
        )
        # From here on others join, also while we ask the database.
        running = self._running[asked.place] = _Running(asked, request_id, recording)
        return await self._answer_first(running, key, client, run)

    async def _answer_first(self, running: _Running, key: bytes, client: ClientSide, run: Run) -> None:
        asked, request_id, recording = running.asked, running.request_id, running.recording
        try:
            found = await self._database.run(claim_key, asked, request_id, self._node, self._now_us())
            running.granted = isinstance(found, Granted)
            running.judged.set()
            if running.granted:
                recorder = Recorder(recording, request_id, key, self._pepper)
                return await self._serve(running, recorder, client, run)
            self._repeat(recording, found, key)
        except BaseException:
            recording.fail(problems.internal_error())
            raise
        finally:
            self._close(running)
        return await recording.follow(client, replayed=True)

    async def _serve(self, running: _Running, recorder: Recorder, client: ClientSide, run: Run) -> None:
        """Run the request to its end, whether or not its first client stays."""
        recording = running.recording
        first = asyncio.ensure_future(recording.follow(client, replayed=False))
        try:
            problem = problems.internal_error()  # for a request that returns without an end
            try:
                await run(recorder)
            except Problem as raised:
                problem = raised
            await self._release(running)
            self._close(running)  # who is told of the problem may try again at once
            if not recording.over:
                recording.fail(problem)
            await first
        finally:
            first.cancel()

    def _repeat(self, recording: Recording, found: Claimed, key: bytes) -> None:
        """Answer as the first request was answered, or say why not."""
        match found:
            case Kept(kept):
                answer = open_answer(kept.sealed, kept.request_id, key, self._pepper)
                if answer is None:
                    recording.fail(idempotent_answer_lost(kept.request_id))
                else:
                    recording.play(answer)
            case Lost(first):
                recording.fail(idempotent_answer_lost(first))
            case OtherBody(first):
                recording.fail(reused_idempotency_key(first))
            case RunningElsewhere(first):
                recording.fail(idempotent_request_running(first))
            case Granted():
                raise AssertionError("a granted key is served")

    async def _release(self, running: _Running) -> None:
        """Give the key back if the request was neither charged nor its answer kept."""
        try:
            await self._database.run(release_key, running.asked.place, running.request_id)
        except StoreFault as fault:  # the next claim finds out by itself
            _log.warning("key not released", request_id=running.request_id, reason=str(fault))

    def _close(self, running: _Running) -> None:
        if not running.closed.is_set():
            running.judged.set()
            running.closed.set()
            del self._running[running.asked.place]
            running.recording.close()


async def forget_old_keys(database: Database, now_us: int) -> None:
    """Delete keys and answers older than 24 hours, a few at a time."""
    while await database.run(forget_keys, now_us) == MOST_FORGOTTEN:
        pass
