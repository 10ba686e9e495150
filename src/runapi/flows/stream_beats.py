"""The signs of life of a stream whose upstream is silent: at most one is on its way."""

import asyncio
from collections.abc import Coroutine


class Beats:
    """Owns the task of the heartbeat that is being sent."""

    __slots__ = ("are_barred", "running")

    def __init__(self) -> None:
        self.running: asyncio.Task[None] | None = None
        self.are_barred = False  # something is about to be sent whose numbers come before theirs

    def begin(self, beat: Coroutine[None, None, None]) -> None:
        """Send one; what goes on in `running` counts as its writer until it was waited for."""
        self.running = asyncio.create_task(beat)

    async def finish(self) -> None:
        """Wait for the one that is on its way, and bar others; being cancelled meanwhile does not harm it."""
        self.are_barred = True
        try:
            await self._finish()
        finally:
            self.are_barred = False

    async def _finish(self) -> None:
        while (running := self.running) is not None:
            await asyncio.wait({running})
            if self.running is running:  # else the next one has begun meanwhile
                self.running = None
            running.result()

    def stop(self) -> None:
        """Send no more."""
        if self.running is not None:
            self.running.cancel()
