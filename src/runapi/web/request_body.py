"""The body of one request, as it comes."""

import asyncio
from collections.abc import Callable
from io import BytesIO

MOST_WAITING_BYTES = 64 * 1024
"""What is taken of a body before anybody reads it."""


class RequestBody:
    """Gathers what a client sends behind its head. The connection feeds it, one call reads it."""

    __slots__ = ("_first", "_go_on", "_most_bytes", "_reader", "_rest", "broke", "came_bytes", "ended")

    def __init__(self, go_on: Callable[[], None]) -> None:
        """Be empty; `go_on` is called when more is wanted."""
        self._go_on = go_on
        self._first = b""
        self._rest: BytesIO | None = None  # a million tiny pieces take no more memory than their bytes
        self._reader: asyncio.Future[None] | None = None
        self._most_bytes = MOST_WAITING_BYTES
        self.came_bytes = 0
        self.ended = False  # it is whole
        self.broke = False  # it will never be

    @property
    def is_full(self) -> bool:
        """Whether no more of it is wanted, for now."""
        return self.came_bytes > self._most_bytes

    def feed(self, piece: bytes) -> None:
        self.came_bytes += len(piece)
        if not self._first:
            self._first = piece
        else:
            if self._rest is None:
                self._rest = BytesIO()
                self._rest.write(self._first)
            self._rest.write(piece)
        if self.is_full:
            self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    def fail(self) -> None:
        """Nothing further will come."""
        self.broke = True
        self._wake()

    async def arrive(self, most_bytes: int) -> None:
        """Wait until it is whole, longer than `most_bytes`, or broken."""
        self._most_bytes = most_bytes
        if self.ended or self.broke or self.is_full:
            return
        self._reader = asyncio.get_running_loop().create_future()
        self._go_on()
        try:
            await self._reader
        finally:
            self._reader = None

    def take(self) -> bytes:
        """Give what has come, and keep nothing of it."""
        whole = self._first if self._rest is None else self._rest.getvalue()
        self._first, self._rest = b"", None
        return whole

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


NO_BODY = RequestBody(lambda: None)
"""Of all requests that have none."""
NO_BODY.end()
