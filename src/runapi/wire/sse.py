"""Server-sent events, split from bytes that may arrive cut anywhere (WHATWG HTML, section 9.2.6)."""

MOST_EVENT_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventTooLongError(ValueError):
    """An event grew past MOST_EVENT_BYTES without ending."""


class EventSplitter:
    """Collect bytes and give the data of each finished event.

    Comments, `event:`, `id:` and `retry:` lines are left out: Chat streams have none, and SDKs trip over them.
    The same bytes give the same events however they were cut.
    """

    __slots__ = ("_at_start", "held")

    def __init__(self) -> None:
        self.held = b""  # the beginning of an event; whoever takes it away feeds it again
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the data of the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        rest = self.held + data if self.held else data
        if self._at_start:
            if len(rest) < len(_BOM) and _BOM.startswith(rest):
                self.held = rest
                return []
            rest = rest.removeprefix(_BOM)
            self._at_start = False
        line_end = b""
        if b"\r" in rest:
            if rest.endswith(b"\r"):  # a line feed may follow in the next read and would belong to it
                rest, line_end = rest[:-1], b"\r"
            rest = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        blocks = rest.split(b"\n\n")
        self.held = blocks.pop() + line_end
        if len(self.held) > MOST_EVENT_BYTES:
            raise EventTooLongError
        events = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            elif event := _data_of(block):
                events.append(event)
        return events

    def end(self) -> list[bytes]:
        """Return the last event of a body that ended with one newline, or none, after its data.

        The standard drops such an event; OpenAI-compatible servers exist that end so, and dropping it would lose
        their usage.
        """
        event = _data_of(self.held.replace(b"\r", b"\n"))
        self.held = b""
        return [event] if event else []


def _data_of(block: bytes) -> bytes:
    """Join the data lines of one event."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
