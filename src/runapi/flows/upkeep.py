"""What a server does beside its requests: end what dead processes left, forget what is old, seal the day's receipts."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from runapi.flows.idempotency import forget_old_keys
from runapi.flows.office import Change, Office
from runapi.flows.sign_receipt import close_day
from runapi.flows.stored_responses import StoredResponses
from runapi.store.database import Database
from runapi.store.faults import StoreFailed
from runapi.store.ledger.recovery import recover_rest
from runapi.store.ledger.writer import Seat

HOURLY_S = 3600.0
RELOAD_EVERY_S = 3.0  # a key that another process revoked is refused here within 5 s
_log = structlog.get_logger("runapi.upkeep")


class Upkeep:
    """The background work of one server; `start` it on the loop, and `stop` it before the database is closed."""

    def __init__(
        self,
        database: Database,
        office: Office,
        seat: Seat,
        load: Callable[[Change], Awaitable[None]],
        stored_responses: StoredResponses,
    ) -> None:
        self._database = database
        self._office = office
        self._seat = seat
        self._load = load
        self._stored_responses = stored_responses
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loops = [self._repeat(self._work_hourly, HOURLY_S)]
        if self._database.is_shared:
            loops.append(self._repeat(self._reload, RELOAD_EVERY_S))
        self._tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await work()
            except (
                StoreFailed
            ) as fault:  # the database is away: said in one line, not with a trace every few seconds
                _log.warning("upkeep waits", work=work.__name__, reason=str(fault))
            except Exception:  # noqa: BLE001 - a background loop: what fails now is tried again
                _log.exception("upkeep failed", work=work.__name__)
            await asyncio.sleep(every_s)

    async def _work_hourly(self) -> None:
        """End holds that nobody looks after, forget old keys and answers, seal the receipts of days past."""
        ended = await recover_rest(self._database, self._seat, self._office.now_us())
        if ended:
            _log.warning("holds of dead processes ended", count=ended)
        await forget_old_keys(self._database, self._office.now_us())
        await self._stored_responses.forget_old()
        await close_day(self._database, self._office)

    async def _reload(self) -> None:
        """Read again what another process may have changed."""
        for change in Change:
            await self._load(change)
