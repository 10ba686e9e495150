"""Writes request records behind the requests' back: many rows a commit, and no request waits for it."""

import asyncio

import structlog

from runapi.core.records import RequestRecord
from runapi.store.database import Database
from runapi.store.faults import StoreFault
from runapi.store.requests import insert_each_record, insert_records

FLUSH_EVERY_S = 0.1
MOST_PENDING = 200_000
MOST_IN_BATCH = 5_000  # so that a long queue does not keep other calls from the writer thread
RETRY_AFTER_S = 1.0
LAST_TRIES = 3  # failures that closing puts up with

log = structlog.get_logger(__name__)


class RecordLog:
    """Collects records on the event loop and commits them in batches.

    What arrives while a batch is committed is the next batch. While the database fails, records wait, at most
    `most_pending` of them; beyond that new ones are lost, counted in `lost`, and logged. A kill loses what was not yet
    committed (some `flush_every_s` of it), and never a part of a batch.
    """

    def __init__(
        self, database: Database, *, most_pending: int = MOST_PENDING, flush_every_s: float = FLUSH_EVERY_S
    ) -> None:
        self.lost = 0
        self._database = database
        self._most_pending = most_pending
        self._flush_every_s = flush_every_s
        self._pending: list[RequestRecord] = []
        self._batch: list[RequestRecord] = []  # those that are being written
        self._done = 0  # those that were written or lost after waiting
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []  # until `_done` is so large
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._is_failing = False
        self._is_full = False
        self._is_closing = False
        self._last_tries = LAST_TRIES

    def add(self, record: RequestRecord) -> None:
        """Take a record that nobody changes any more. Never waits; call it on the event loop."""
        if len(self._pending) >= self._most_pending:
            self._lose_newest()
            return
        self._pending.append(record)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._flush(), name="request records")

    async def written(self) -> None:
        """Return once every record added so far is committed or counted as lost; flushes at once."""
        ahead = self._done + len(self._batch) + len(self._pending)
        if ahead == self._done:
            return
        reached = asyncio.get_running_loop().create_future()
        self._waiting.append((ahead, reached))
        self._hurry.set()
        await reached

    async def close(self) -> None:
        """Write everything that waits. When the database keeps failing, give up after some seconds and say so."""
        self._is_closing = True
        self._hurry.set()
        while self._task is not None:
            await self._task

    async def _flush(self) -> None:
        try:
            while self._pending:
                if len(self._pending) < MOST_IN_BATCH:
                    await self._gather()
                self._batch = self._pending[:MOST_IN_BATCH]
                del self._pending[:MOST_IN_BATCH]
                await self._write_batch()
                self._done += len(self._batch)
                self._batch = []
                self._wake_waiting()
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Let records come in for a moment, unless somebody waits for them."""
        try:
            async with asyncio.timeout(self._flush_every_s):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _wake_waiting(self) -> None:
        still = []
        for ahead, reached in self._waiting:
            if ahead > self._done:
                still.append((ahead, reached))
            elif not reached.done():
                reached.set_result(None)
        self._waiting = still
        if not still and not self._is_closing:
            self._hurry.clear()

    async def _write_batch(self) -> None:
        """Write the batch, however long it takes; closing alone ends the trying."""
        while True:
            try:
                refused = await self._try_write()
            except StoreFault as fault:
                if self._gives_up(fault):
                    return
                await asyncio.sleep(RETRY_AFTER_S)
            else:
                break
        if refused:
            self._lose(refused, "the database refuses what is in them")
        if self._is_failing or self._is_full:
            log.warning("request_rows_written_again", lost_since_start=self.lost)
        self._is_failing = self._is_full = False

    def _gives_up(self, fault: StoreFault) -> bool:
        """Say once that rows wait; when closing has waited long enough, count the batch as lost."""
        if self._is_closing:
            self._last_tries -= 1
            if self._last_tries <= 0:
                self._lose(self._batch, f"RunAPI is closing, and: {fault}")
                return True
        if not self._is_failing:
            self._is_failing = True
            log.error("request_rows_wait", reason=str(fault), retry_after_s=RETRY_AFTER_S)
        return False

    async def _try_write(self) -> list[RequestRecord]:
        """Write the batch in one commit; where a row is refused, the others alone. Give the refused ones."""
        try:
            await self._database.run(insert_records, self._batch)
        except StoreFault:
            raise
        except Exception:  # noqa: BLE001 - a background loop: whatever is wrong with one row, the others are written
            return await self._write_singly()
        return []

    async def _write_singly(self) -> list[RequestRecord]:
        try:
            return await self._database.run(insert_each_record, self._batch)
        except StoreFault:
            raise
        except Exception:  # a background loop, as above
            log.exception("request_rows_failed")
            return self._batch

    def _lose(self, records: list[RequestRecord], reason: str) -> None:
        self.lost += len(records)
        ids = [record.id for record in records[:10]]
        log.error("request_rows_lost", count=len(records), first_ids=ids, reason=reason)

    def _lose_newest(self) -> None:
        self.lost += 1
        if not self._is_full:
            self._is_full = True  # said once, and again with the number when rows are written again
            log.error("request_rows_lost", reason=f"{self._most_pending} rows wait for the database already")
