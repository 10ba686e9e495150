"""What a call to an upstream gives: an answer that is read as it comes, or an error."""

from collections.abc import Callable, Mapping
from typing import Protocol

MOST_REPLY_BYTES = 16 * 1024 * 1024

Tap = Callable[[bytes], bool]
"""Takes a piece of a body in the very step of the loop in which it came, or refuses it. Never raises."""


class UnreachableError(Exception):
    """The upstream could not be connected to, or left before it answered: nothing of an answer exists."""

    def __init__(self, what: str, *, was_connected: bool) -> None:
        super().__init__(what)
        self.was_connected = was_connected  # a pooled connection may have been closed just then


class BrokenReplyError(Exception):
    """The upstream's answer broke off or cannot be HTTP."""


class TooLongError(BrokenReplyError):
    """The upstream's answer is longer than we take; another upstream's would be as long."""


class Reply(Protocol):
    """An upstream's answer: its head, and its body as it comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Look-ups ignore case. Of an upstream's headers only those are kept that anybody here looks at."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body; b"" at its end.

        Raises:
            BrokenReplyError: the body broke off.
        """
        ...

    def tap(self, take: Tap | None) -> None:
        """Offer each piece that comes while a `read` waits to `take` first; what it refuses is read.

        A convenience: pieces may be read that were never offered. None ends it.
        """
        ...

    def close(self) -> None:
        """Give the answer up: its connection is closed unless the body has ended. May be called twice."""
        ...


async def read_whole(
    reply: Reply, heard: Callable[[], None] = lambda: None, *, most_bytes: int = MOST_REPLY_BYTES
) -> bytes:
    """Read the body of a reply to its end and let its connection go back to the pool.

    Args:
        reply: its body has not been read.
        heard: called after each piece that came.
        most_bytes: how long it may be.

    Raises:
        TooLongError: it is longer than `most_bytes`.
        BrokenReplyError: it broke off, or is encoded though we asked for it plain.
    """
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise BrokenReplyError("content-encoding")
    pieces: list[bytes] = []
    length = 0
    while piece := await reply.read():
        heard()
        pieces.append(piece)
        length += len(piece)
        if length > most_bytes:
            raise TooLongError("too long")
    return b"".join(pieces)
