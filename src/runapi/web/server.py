"""Listens, and holds the connections that are open."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from runapi.flows.deadlines import Deadlines
from runapi.web.call import Call
from runapi.web.connection import Connection
from runapi.web.manner import Manner
from runapi.web.response_head import ResponseHeads

_BACKLOG = 4096
_LAST_CALLS_S = 5.0
_LAST_BYTES_S = 0.2  # for what was written to leave


class Server:
    """HTTP/1.1 on one address."""

    def __init__(
        self,
        serve: Callable[[Call], Coroutine[Any, Any, None]],
        deadlines: Deadlines,
        *,
        idle: asyncio.Event,
        header_timeout_s: float,
        stall_timeout_s: float,
    ) -> None:
        """Have `serve` answer each call; it raises nothing and ends with `Call.end`.

        Args:
            serve: the application.
            deadlines: of the event loop.
            idle: set while no call is open.
            header_timeout_s: how long a client may take for a head.
            stall_timeout_s: how long it may take to read the end of a response.
        """
        self._open: set[Connection] = set()
        self._manner = Manner(
            serve=serve,
            deadlines=deadlines,
            heads=ResponseHeads(),
            open=self._open,
            header_timeout_s=header_timeout_s,
            stall_timeout_s=stall_timeout_s,
        )
        self._idle = idle
        self._stopped = asyncio.Event()
        self._listener: asyncio.Server | None = None

    async def open(self, address: str, port: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._manner), address, port, backlog=_BACKLOG
        )

    async def serve(self) -> None:
        """Serve until `stop`; then let calls end that were told to, and close every connection."""
        await self._stopped.wait()
        if self._listener is not None:
            self._listener.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_CALLS_S):
                await self._idle.wait()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(_LAST_BYTES_S if self._open else 0)
        for connection in list(self._open):
            connection.expire()

    def stop(self) -> None:
        self._stopped.set()
