"""One answer on its way in: what its connection puts into it, and what its reader takes out."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from runapi.upstream.reply import BrokenReplyError, Tap, UnreachableError

KEPT_HEADERS = {
    b"content-type": "content-type",
    b"content-encoding": "content-encoding",
    b"request-id": "request-id",
    b"retry-after": "retry-after",
    b"x-request-id": "x-request-id",
    b"x-should-retry": "x-should-retry",
}
"""Those that somebody looks at: an upstream sends thirty, and a stream would hold them for as long as it lasts."""

LIMIT_HEADERS = {
    name.encode(): name
    for what in ("remaining", "reset")
    for name in (
        *(f"x-ratelimit-{what}-{limit}" for limit in ("requests", "tokens")),
        *(
            f"anthropic-ratelimit-{limit}-{what}"
            for limit in ("requests", "tokens", "input-tokens", "output-tokens")
        ),
    )
}
"""Those that are looked at beside a refusal alone."""


class Carrier(Protocol):
    """The connection that an answer comes through."""

    def resume(self) -> None:
        """Read on, should the reading have been paused."""
        ...

    def close(self) -> None: ...


class Headers(Mapping[str, str]):
    """Headers by name, in any case."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Answer:
    """The `Reply` to one request. Its connection fills it in, and lets go of it when it has ended.

    It refers to its connection only until then: whoever reads slowly holds nobody else's connection up.
    """

    __slots__ = ("body", "carrier", "cause", "fault", "has_ended", "status", "tapped", "values", "waiter")

    def __init__(self, carrier: Carrier) -> None:
        self.carrier: Carrier | None = carrier
        self.status = 0  # until its head has come
        self.values: dict[str, str] = {}
        self.body: bytes | bytearray = b""  # what of it nobody has read yet
        self.has_ended = False
        self.fault = ""  # what it broke off for
        self.cause: OSError | None = None  # in the system's words
        self.tapped: Tap | None = None
        self.waiter: asyncio.Future[None] | None = None  # of who waits for the head, or for more of the body

    @property
    def headers(self) -> Headers:
        return Headers(self.values)

    # ---- its reader's side -------------------------------------------------------------------------------

    async def wait_for_head(self) -> None:
        """Wait until `status` and `headers` are there.

        Raises:
            UnreachableError: the connection was lost before.
            BrokenReplyError: what came is no answer.
        """
        if not self.status and not self.has_ended:
            await self._wait()
        if self.status:
            return
        if self.cause is not None:
            raise UnreachableError(self.fault, was_connected=True) from self.cause
        raise BrokenReplyError(self.fault)

    async def read(self) -> bytes:
        while not self.body and not self.has_ended:
            await self._wait()
        body = self.body
        if body:
            self.body = b""
            if self.carrier is not None:
                self.carrier.resume()
            return bytes(body)
        if self.fault:
            raise BrokenReplyError(self.fault)
        return b""

    async def _wait(self) -> None:
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None

    def tap(self, take: Tap | None) -> None:
        self.tapped = take

    def close(self) -> None:
        if self.carrier is not None:
            carrier = self.carrier
            self.end("closed")
            carrier.close()

    # ---- its connection's side ---------------------------------------------------------------------------

    def feed(self, piece: bytes) -> None:
        """Take in the next piece of the body; offer it to the tap first if somebody waits for it."""
        if self.body:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += piece
            return
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            if self.tapped is not None and self.tapped(piece):
                return
            self.wake()
        self.body = piece

    def wake(self) -> None:
        """Let who waits look again: the head has come, or the end."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def end(self, fault: str = "", cause: OSError | None = None) -> None:
        """Note that nothing more will come, and why, if it broke off; let go of the connection."""
        self.carrier, self.tapped = None, None
        self.has_ended, self.fault, self.cause = True, fault, cause
        self.wake()
