"""The process's one way to write to the ledger: whatever arrived while the last commit ran is the next batch."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import overload

import msgspec
import structlog

from runapi.core.ledger.operations import (
    Checkpoint,
    Expire,
    ExtendHold,
    Held,
    HoldOutcome,
    OpenHold,
    Operation,
    Outcome,
    Post,
    PostOutcome,
    ReleaseOutcome,
    Settle,
    SettleOutcome,
    Void,
)
from runapi.store.database import Database
from runapi.store.faults import LedgerDamaged, LedgerFenced, LedgerUnavailable, StoreBroken, StoreFault
from runapi.store.ledger.batch import write_operations

MOST_WAITING = 5_000
MOST_IN_BATCH = 512
NOTE_WITHIN_S = 0.05  # a note that no batch takes along waits no longer
RETRY_AFTER_S = 0.5
LAST_TRIES = 3  # failures that closing puts up with
GATHER_S = 0.01
"""How long a batch gathers at most, when operations come so fast that some more will have come by then (ADR 0002)."""

WORTH_GATHERING = 16  # operations expected within that time
ALONE_OPERATIONS = 3  # fewer in a batch may be one or two clients that are quickly answered: they do not wait
ENOUGH_GATHERED = 48  # operations, with which it begins at once

FATAL = (StoreBroken, LedgerFenced, LedgerDamaged)
"""After these the process must stop: the disk, the books or this process's right to write them is gone."""

Waited = Settle | Void | Expire | OpenHold | ExtendHold | Post
_Item = tuple[Operation, asyncio.Future[Outcome] | None]

log = structlog.get_logger(__name__)


class Seat(msgspec.Struct, frozen=True):
    """Which process writes: its node and that node's epoch, which grows with each start."""

    node: int
    epoch: int


class LedgerWriter:
    """Gathers operations on the event loop and commits them in batches on the database's thread.

    An outcome is given only after the commit is durable. A batch that cannot be committed fails as a whole, and until
    one succeeds again new holds are refused at once. A hold that nobody waits for any more, or of which nobody can say
    whether it was committed, is voided.
    """

    def __init__(
        self,
        database: Database,
        seat: Seat,
        on_fatal: Callable[[BaseException], None],
        *,
        most_waiting: int = MOST_WAITING,
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        """Make a writer for the running loop; `on_fatal` is called once, on it, and must end the process."""
        self.batches = 0  # committed
        self.operations = 0  # in them
        self._database = database
        self._seat = seat
        self._on_fatal = on_fatal
        self._most_waiting = most_waiting
        self._retry_after_s = retry_after_s
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Item] = []
        self._checkpoints: dict[str, Checkpoint] = {}
        self._is_busy = False  # a batch is on its way, or about to be
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None  # ends it
        self._failures = 0  # batches in a row
        self._began_s = 0.0  # the last batch
        self._per_s = 0.0  # operations that came lately
        self._together = 0  # in the last batch
        self._is_over = False
        self._is_closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._singly: asyncio.Task[None] | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last commit failed: new holds are refused until one succeeds."""
        return self._failures > 0 or self._is_over

    @overload
    async def submit(self, operation: OpenHold | ExtendHold) -> HoldOutcome: ...
    @overload
    async def submit(self, operation: Settle) -> SettleOutcome: ...
    @overload
    async def submit(self, operation: Void | Expire) -> ReleaseOutcome: ...
    @overload
    async def submit(self, operation: Post) -> PostOutcome: ...
    async def submit(self, operation: Waited) -> Outcome:
        """Carry out the operation and give its outcome once that is durable.

        A cancelled caller's OpenHold is undone; whatever else it asked for is done all the same.

        Raises:
            LedgerUnavailable: it was not, or perhaps not, carried out. It may be asked again: nothing happens twice.
        """
        if self._is_over or self._is_closing:
            raise LedgerUnavailable("The ledger takes nothing more: RunAPI is stopping.")
        if isinstance(operation, OpenHold | ExtendHold | Post):
            if self._failures:
                raise LedgerUnavailable("The ledger cannot be written at the moment.")
            if len(self._waiting) >= self._most_waiting:
                raise LedgerUnavailable(f"{self._most_waiting} operations wait for the ledger already.")
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append((operation, future))
        if self._gathering is None:
            self._hurry()
        elif len(self._waiting) >= ENOUGH_GATHERED:
            self._end_gathering()
            self._loop.call_soon(self._begin)
        try:
            return await future
        except asyncio.CancelledError:
            # Cancelled in the moment between the outcome and its arrival; before it, `_give` sees to it.
            if future.done() and not future.cancelled() and future.exception() is None:
                self._undo_hold(operation, future.result())
            raise

    def note(self, operation: Checkpoint | Settle | Void) -> None:
        """Carry out the operation soon, in some batch, for nobody: it is tried until it is committed."""
        if self._is_over:
            return
        if isinstance(operation, Checkpoint):
            self._checkpoints[operation.request_id] = operation
        else:
            self._waiting.append((operation, None))
        if not self._is_busy and self._timer is None:
            self._timer = self._loop.call_later(NOTE_WITHIN_S, self._hurry)
            self._idle.clear()

    async def close(self) -> None:
        """Commit everything that waits. When the database keeps failing, give up after some tries."""
        self._is_closing = True
        while not self._idle.is_set():  # somebody who was just answered may ask for one thing more
            self._hurry()
            await self._idle.wait()
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _hurry(self) -> None:
        """Begin a batch when none is on its way: at the loop's next turn, so that what comes in this one rides along."""
        if self._is_busy or (self._failures and self._timer is not None and not self._is_closing):
            return
        self._is_busy = True
        self._idle.clear()
        self._begin_soon()

    def _begin_soon(self) -> None:
        """Begin at the loop's next turn; a moment later when that lets many share one commit."""
        is_calm = self._together < ALONE_OPERATIONS or self._per_s * GATHER_S < WORTH_GATHERING
        if is_calm or len(self._waiting) >= ENOUGH_GATHERED or self._is_closing:
            self._loop.call_soon(self._begin)
        else:
            self._gathering = self._loop.call_later(GATHER_S, self._begin)

    def _end_gathering(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None

    def _begin(self) -> None:
        self._end_gathering()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        checkpoints, self._checkpoints = self._checkpoints, {}
        batch: list[_Item] = [(checkpoint, None) for checkpoint in checkpoints.values()]
        taken, self._waiting = self._waiting[:MOST_IN_BATCH], self._waiting[MOST_IN_BATCH:]
        batch += [item for item in taken if not _is_forsaken(item)]
        now_s = self._loop.time()
        self._per_s = (self._per_s + len(taken) / max(now_s - self._began_s, 1e-6)) / 2
        self._began_s, self._together = now_s, len(taken)
        if not batch and not self._failures:
            self._rest()
            return
        try:
            done = self._database.start(
                write_operations,
                [operation for operation, _ in batch],
                node=self._seat.node,
                epoch=self._seat.epoch,
            )
        except RuntimeError as fault:  # the database was closed under us
            self._fail(batch, fault)
            return
        done.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._finish, batch, done))

    def _finish(self, batch: list[_Item], done: "Future[list[Outcome]]") -> None:
        """Give the outcomes out, or say that there are none; then begin the next batch."""
        fault = done.exception()
        if fault is None:
            if self._failures:
                log.warning("ledger_works_again", failures=self._failures)
            self._failures = 0
            self.batches += 1
            self.operations += len(batch)
            self._give(batch, done.result())
            self._rest()
        elif isinstance(fault, FATAL):
            self._end(batch, fault)
        elif isinstance(fault, StoreFault):
            self._fail(batch, fault)
        else:
            log.error("ledger_batch_refused", reason=repr(fault), operations=len(batch))
            self._singly = self._loop.create_task(self._write_singly(batch), name="ledger, one by one")

    def _give(self, batch: Sequence[_Item], outcomes: Sequence[Outcome]) -> None:
        for (operation, future), outcome in zip(batch, outcomes, strict=True):
            if future is None:
                continue
            if not future.cancelled():
                future.set_result(outcome)
            else:
                self._undo_hold(operation, outcome)

    def _undo_hold(self, operation: Operation, outcome: Outcome) -> None:
        """Void a hold that was granted to somebody who is gone."""
        if isinstance(operation, OpenHold) and isinstance(outcome, Held):
            self.note(Void(request_id=operation.request_id, reason="the client left", at_us=operation.at_us))

    def _rest(self) -> None:
        """Go on with what came meanwhile: after those who were just answered have asked for more."""
        if self._waiting or self._checkpoints:
            self._begin_soon()
        else:
            self._is_busy = False
            self._idle.set()

    def _fail(self, batch: Sequence[_Item], fault: BaseException) -> None:
        """Refuse the batch; keep what nobody waits for, and try that again in a while."""
        self._failures += 1
        if self._failures == 1:
            log.error("ledger_unavailable", reason=str(fault))
        kept: list[_Item] = []
        for operation, future in batch:
            if future is None:
                if isinstance(operation, Checkpoint):
                    self._checkpoints.setdefault(operation.request_id, operation)
                else:
                    kept.append((operation, None))
                continue
            if not future.cancelled():
                future.set_exception(LedgerUnavailable(f"The ledger could not be written: {fault}"))
            if isinstance(operation, OpenHold):  # it may have been committed in the moment of the failure
                undo = Void(request_id=operation.request_id, reason="in doubt", at_us=operation.at_us)
                kept.append((undo, None))
        self._waiting = kept + self._waiting
        self._is_busy = False
        if self._is_closing and self._failures >= LAST_TRIES:
            self._give_up(fault)
        else:
            self._timer = self._loop.call_later(self._retry_after_s, self._retry)

    def _retry(self) -> None:
        self._timer = None
        self._hurry()

    def _end(self, batch: Sequence[_Item], fault: BaseException) -> None:
        """Acknowledge nothing any more and let the process end."""
        log.critical("ledger_lost", reason=str(fault))
        self._is_over = True
        self._waiting = [*batch, *self._waiting]
        self._give_up(fault)
        self._on_fatal(fault)

    def _give_up(self, fault: BaseException) -> None:
        self._is_over = True
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if future is not None and not future.done():
                future.set_exception(LedgerUnavailable(f"The ledger could not be written: {fault}"))
        left = sum(future is None for _, future in waiting) + len(self._checkpoints)
        if left:
            log.error("ledger_operations_lost", count=left, reason=str(fault))
        self._checkpoints.clear()
        self._is_busy = False
        self._idle.set()

    async def _write_singly(self, batch: Sequence[_Item]) -> None:
        """Commit each operation alone, so that one that the database refuses does not take the others with it."""
        for place, item in enumerate(batch):
            try:
                await self._write_one(item)
            except FATAL as fault:
                self._end(batch[place:], fault)
                return
            except StoreFault as fault:
                self._fail(batch[place:], fault)
                return
        self._rest()

    async def _write_one(self, item: _Item) -> None:
        operation, future = item
        try:
            outcomes = await self._write_alone(operation)
        except StoreFault:
            raise
        except (
            Exception
        ) as fault:  # a background loop: whatever is wrong with one operation, the others go on
            log.exception("ledger_operation_refused", operation=type(operation).__name__)
            if future is not None and not future.cancelled():
                future.set_exception(LedgerUnavailable(f"The ledger refused it: {fault!r}"))
            return
        self._give([item], outcomes)

    async def _write_alone(self, operation: Operation) -> list[Outcome]:
        """Commit it; where its request's row is what the database refuses, without that: money first."""
        node, epoch = self._seat.node, self._seat.epoch
        try:
            return await self._database.run(write_operations, [operation], node=node, epoch=epoch)
        except StoreFault:
            raise
        except Exception as fault:
            if isinstance(operation, Checkpoint | OpenHold | ExtendHold | Post) or operation.record is None:
                raise
            log.exception("request_row_lost", request=operation.request_id, reason=repr(fault))
            bare = msgspec.structs.replace(operation, record=None)
            if isinstance(bare, Settle):
                bare = msgspec.structs.replace(bare, receipt=None, answer=None, stored=None)
            return await self._database.run(write_operations, [bare], node=node, epoch=epoch)


def _is_forsaken(item: _Item) -> bool:
    """Whether the only one who wanted this is gone, and nothing was done yet."""
    operation, future = item
    return future is not None and future.cancelled() and isinstance(operation, OpenHold)
