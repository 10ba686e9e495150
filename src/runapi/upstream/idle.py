"""The connections of a client: those that wait for a request, and all there are."""

import asyncio

from runapi.upstream.address import Origin
from runapi.upstream.connection import Connection

_SWEEP_S = 1.0  # at least, from one look for old ones to the next


class Connections:
    """Keeps idle connections for the next request to their origin, the newest first, and closes old ones.

    There is no limit to their number, and one timer for all of them, which runs while any is idle.
    """

    __slots__ = ("_all", "_idle", "_is_closed", "_keep_s", "_timer")

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._all: set[Connection] = set()
        self._idle: dict[
            Origin, list[Connection]
        ] = {}  # of each origin, in the order in which they came back
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, origin: Origin) -> Connection | None:
        """An idle connection, no longer idle; None where there is none."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    def opened(self, connection: Connection) -> None:
        self._all.add(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection; among the idle ones it may stand until the next look."""
        self._all.discard(connection)

    def keep(self, connection: Connection) -> None:
        if self._is_closed:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since_s = loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._keep_s, self._sweep)

    def close(self) -> None:
        """Close all connections, and each that comes back later."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._idle.clear()
        for connection in list(self._all):
            connection.close()

    def _sweep(self) -> None:
        """Close what has been idle for too long, and come again when the next one will have been."""
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - self._keep_s
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since_s <= oldest_s:
                    connection.close()
            idle[:] = [connection for connection in idle if connection.is_open]
            if not idle:
                del self._idle[origin]
        first_s = min((idle[0].idle_since_s for idle in self._idle.values()), default=None)
        self._timer = (
            None
            if first_s is None
            else loop.call_at(
                max(first_s + self._keep_s, loop.time() + min(_SWEEP_S, self._keep_s)), self._sweep
            )
        )
