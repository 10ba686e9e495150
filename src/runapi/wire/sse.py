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

    __slots__ = ("_at_start", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the data of the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        rest = self._rest + data if self._rest else data
        if self._at_start:
            if len(rest) < len(_BOM) and _BOM.startswith(rest):
                self._rest = rest
                return []
            rest = rest.removeprefix(_BOM)
            self._at_start = False
        held = b""
        if b"\r" in rest:
            if rest.endswith(b"\r"):  # a line feed may follow in the next read and would belong to it
                rest, held = rest[:-1], b"\r"
            rest = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        blocks = rest.split(b"\n\n")
        self._rest = blocks.pop() + held
        if len(self._rest) > MOST_EVENT_BYTES:
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
        event = _data_of(self._rest.replace(b"\r", b"\n"))
        self._rest = b""
        return [event] if event else []

    @property
    def held_bytes(self) -> int:
        return len(self._rest)


def _data_of(block: bytes) -> bytes:
    """Join the data lines of one event."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
