"""The events of a Responses stream, split from bytes that may arrive cut anywhere, each as it was written.

Unlike the events of Chat, these have names, and may be long: the last one repeats the whole answer.
"""

from runapi.wire.sse import EventTooLongError

MOST_EVENT_BYTES = 32 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_END = b"\n\n"
_NAME = b"event: "
_DATA = b"data: "


class BlockSplitter:
    """Collect bytes and give each finished event, its lines joined by one newline.

    The same bytes give the same events however they were cut. Bytes of an unfinished event are looked at once.
    """

    __slots__ = ("_at_start", "_carriage", "_length", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # the beginning of an event
        self._length = 0
        self._carriage = b""  # a return whose line feed may still come
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        if self._carriage or b"\r" in data:
            data = self._with_plain_ends(data)
        if self._at_start:
            data = b"".join((*self._parts, data))
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._parts = [data]
                return []
            self._parts, self._at_start = [], False
            data = data.removeprefix(_BOM)
        parts = self._parts
        if _END not in data and not (data.startswith(b"\n") and parts and parts[-1].endswith(b"\n")):
            if data:
                parts.append(data)
                self._length += len(data)
            blocks: list[bytes] = []
        else:
            blocks = b"".join((*parts, data)).split(_END)
            rest = blocks.pop()
            self._parts, self._length = [rest] if rest else [], len(rest)
        if self._length > MOST_EVENT_BYTES:
            raise EventTooLongError
        return [block.lstrip(b"\n") for block in blocks if block.strip(b"\n")]

    def end(self) -> list[bytes]:
        """Return the last event of a body that ended with one newline, or none, after its data."""
        block = b"".join(self._parts).strip(b"\n")
        self._parts, self._length = [], 0
        return [block] if block else []

    def _with_plain_ends(self, data: bytes) -> bytes:
        data = self._carriage + data
        self._carriage = b"\r" if data.endswith(b"\r") else b""
        if self._carriage:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class DataSplitter:
    """The same, for whoever reads the data of events alone."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks = BlockSplitter()

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the data of the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        return list(map(data_of, self._blocks.feed(data)))

    def end(self) -> list[bytes]:
        """Return the data of the last event of a body that ended with one newline, or none, after it."""
        return list(map(data_of, self._blocks.end()))


def data_of(block: bytes) -> bytes:
    """Give the data of an event; nothing for a comment. Of several lines of data, JSON is made that stands in one."""
    at = _data_at(block)
    if at:
        return block[at:]
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return b" ".join(lines)


def is_canonical(block: bytes) -> bool:
    """Whether an event is written as OpenAI writes it: its name, then one line of data, and nothing else."""
    return _data_at(block) > 0


def _data_at(block: bytes) -> int:
    """Where the data of a canonical event begin; 0 for every other one."""
    if not block.startswith(_NAME):
        return 0
    at = block.find(b"\n") + 1
    return 0 if not block.startswith(_DATA, at) or block.find(b"\n", at) >= 0 else at + len(_DATA)


def write_event(kind: str, data: bytes) -> bytes:
    """Write one event, in one piece."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
