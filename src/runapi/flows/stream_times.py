"""When things last happened to a stream, and what is due because of it. Seconds of the loop's clock."""

from collections.abc import Callable

from runapi.flows.exchange import Interrupt, Patience


class StreamTimes:
    """The times of one stream; whoever does something notes it here."""

    __slots__ = ("_beat_s", "_patience", "began_s", "heard_s", "left_s", "now_s", "spoke_s", "write_s")

    def __init__(self, patience: Patience, clock: Callable[[], float]) -> None:
        """Begin now; `clock` is the loop's."""
        self._patience = patience
        self.now_s = clock
        self.began_s = now_s = clock()
        self.heard_s = now_s  # when the upstream was last heard of
        self.spoke_s = now_s  # when the client last got something of the upstream's
        self.write_s = 0.0  # when the newest send began
        self.left_s: float | None = None  # when the client was seen to have left
        self._beat_s = 0.0  # when the last heartbeat began

    def is_late(self, now_s: float) -> bool:
        """Whether the whole has taken too long."""
        return now_s - self.began_s >= self._patience.total_s

    def stall_due_s(self) -> float:
        """When the reader of the newest send counts as gone."""
        return self.write_s + self._patience.stalled_reader_s

    def end_due(self, *, is_reading: bool, delivers: bool) -> tuple[float, Interrupt]:
        """When the stream must be ended, and why.

        Args:
            is_reading: an upstream's body is open.
            delivers: it has said something. A model that thinks is silent before its first word, not inside its answer.
        """
        patience = self._patience
        deadlines = [(self.began_s + patience.total_s, Interrupt.TOTAL)]
        if is_reading:
            silence_s = patience.idle_s if delivers else patience.first_byte_s
            deadlines.append((self.heard_s + silence_s, Interrupt.IDLE))
        if self.left_s is not None:
            deadlines.append((self.left_s + patience.drain_s, Interrupt.LEFT))
        return min(deadlines)

    def beat_due_s(self) -> float:
        """When the client needs a sign of life."""
        if self.spoke_s >= self._beat_s:
            return self.spoke_s + self._patience.heartbeat_first_s
        return self._beat_s + self._patience.heartbeat_every_s

    def note_beat(self, now_s: float) -> float:
        """Note that a heartbeat begins; give when the next one is due."""
        self._beat_s = now_s
        return now_s + self._patience.heartbeat_every_s
