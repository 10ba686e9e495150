"""Server-sent events, split from bytes that may arrive cut anywhere (WHATWG HTML, section 9.2.6)."""

MOST_EVENT_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_END = b"\n\n"


class EventTooLongError(ValueError):
    """An event grew too long without ending."""


def is_name(text: str) -> bool:
    """Whether it can stand behind `event: `; with an end of line in it, it would be more than a name."""
    return "\n" not in text and "\r" not in text


class Splitter:
    """Collect bytes and cut them where an empty line ends an event.

    The same bytes give the same events however they were cut. Bytes of an unfinished event are looked at once, and take
    no more memory than they are long.
    """

    __slots__ = ("_at_start", "_carriage", "_held", "_most_bytes")

    def __init__(self, most_bytes: int) -> None:
        """Begin; an event that is not finished within `most_bytes` is too long."""
        self._most_bytes = most_bytes
        self._held = bytearray()  # the beginning of an event
        self._carriage = b""  # a return whose line feed may still come
        self._at_start = True

    def _cut(self, data: bytes) -> list[bytes]:
        """Add what arrived and return what it completes, each with its lines ended by line feeds.

        Raises:
            EventTooLongError: what is left unfinished is too long.
        """
        if self._carriage or b"\r" in data:
            data = self._with_plain_ends(data)
        held = self._held
        if self._at_start:
            data = bytes(held) + data
            held.clear()
            if len(data) < len(_BOM) and _BOM.startswith(data):
                held += data
                return []
            self._at_start = False
            data = data.removeprefix(_BOM)
        if _END in data or (held and data.startswith(b"\n") and held.endswith(b"\n")):
            if held:
                data = bytes(held) + data
                held.clear()
            blocks = data.split(_END)
            rest = blocks.pop()
        else:
            blocks, rest = [], data
        if rest:
            held += rest
            if len(held) > self._most_bytes:
                raise EventTooLongError
        return blocks

    def _rest(self) -> bytes:
        """Take out what was not finished, its last line ended if a return had come."""
        rest = bytes(self._held) + (b"\n" if self._carriage else b"")
        self._held, self._carriage = bytearray(), b""
        return rest

    def _with_plain_ends(self, data: bytes) -> bytes:
        data = self._carriage + data
        self._carriage = b"\r" if data.endswith(b"\r") else b""
        if self._carriage:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class EventSplitter(Splitter):
    """Give the data of each finished event.

    Comments, `event:`, `id:` and `retry:` lines are left out: Chat streams have none, and SDKs trip over them.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(MOST_EVENT_BYTES)

    @property
    def is_holding(self) -> bool:
        """Whether an event has begun."""
        return bool(self._held)

    def take_held(self) -> bytes:
        """Take away the beginning of an event; whoever does so feeds it again."""
        held = bytes(self._held) + self._carriage
        self._held, self._carriage = bytearray(), b""
        return held

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the data of the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        events = []
        for block in self._cut(data):
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
        event = _data_of(self._rest())
        return [event] if event else []


def _data_of(block: bytes) -> bytes:
    """Join the data lines of one event."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
