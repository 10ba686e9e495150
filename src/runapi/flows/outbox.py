"""What streams have to send in one turn of the event loop, sent at its end in one go.

The edge writes from a thread of its own, which sleeps between two sends that are some microseconds apart; to wake it
for each piece of each stream costs more than the sending (docs/operate/bench.md).
"""

import asyncio
from typing import Protocol


class Sender(Protocol):
    def flush(self) -> None:
        """Send what is queued. Does not raise."""
        ...


class Outbox:
    """The senders that have something queued. One for all streams of a loop."""

    def __init__(self) -> None:
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """Flush `sender` at the end of this turn."""
        if not self._senders:
            asyncio.get_running_loop().call_soon(self._empty)
        self._senders.append(sender)

    def _empty(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.flush()
