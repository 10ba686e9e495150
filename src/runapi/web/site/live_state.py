"""The state of the models, looked at again every few seconds, and only while somebody asks."""

import asyncio
import time
from collections.abc import Mapping

import msgspec
import structlog

from runapi.flows.watch_models import Condition, ModelState, ModelWatch
from runapi.store.faults import StoreFault

LOOK_EVERY_S = 10.0
UNKNOWN = ModelState(Condition.OPERATIONAL, 0, 0, 0)
_log = structlog.get_logger("runapi.site")


class LiveState(msgspec.Struct, frozen=True):
    """How all models did at one moment."""

    seen_us: int = 0  # Unix microseconds
    states: Mapping[str, ModelState] = {}
    number: int = 0  # another one when it was looked again

    def of(self, model: str) -> ModelState:
        return self.states.get(model, UNKNOWN)


class LiveWatch:
    """Keeps the newest state; one look at a time, however many ask."""

    def __init__(self, watch: ModelWatch) -> None:
        self._watch = watch
        self._state = LiveState()
        self._looked_s = -LOOK_EVERY_S
        self._looking = asyncio.Lock()

    async def state(self) -> LiveState:
        """A state that is at most LOOK_EVERY_S old; the one before, if the database cannot be read."""
        if time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return self._state
        async with self._looking:
            if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
                await self._look()
        return self._state

    async def _look(self) -> None:
        try:
            seen_us, states = await self._watch.look()
        except StoreFault as fault:
            _log.warning("the state of the models is not known", reason=str(fault))
        else:
            self._state = LiveState(seen_us, states, self._state.number + 1)
        self._looked_s = time.monotonic()
