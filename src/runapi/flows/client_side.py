"""What a flow needs of the connection to the client; the edge provides it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

Header = tuple[bytes, bytes]


class ClientSide(Protocol):
    """The response being written. Writing to a client that has left does nothing."""

    def start(self, status: int, headers: Sequence[Header]) -> Awaitable[None]:
        """Send the status and headers; once."""
        ...

    def send(self, data: bytes, *, last: bool = False) -> Awaitable[None]:
        """Send a piece of the body; waits while the client reads more slowly than we write."""
        ...

    def begin(self, data: bytes) -> Awaitable[None] | None:
        """Send a piece of the body, and give what has to be waited for before the next one; None: nothing."""
        ...

    def on_gone(self, gone: Callable[[], object]) -> Callable[[], object]:
        """Call `gone` once the client has closed its connection; call what this gives to be told no more."""
        ...
