"""What a flow needs of the connection to the client; the edge provides it."""

from collections.abc import Sequence
from typing import Protocol

Header = tuple[bytes, bytes]


class ClientSide(Protocol):
    """The response being written. Writing to a client that has left does nothing."""

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        """Send the status and headers; once."""
        ...

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece of the body; waits while the client reads more slowly than we write."""
        ...

    async def wait_until_gone(self) -> None:
        """Return when the client has closed its connection."""
        ...
