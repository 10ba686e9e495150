"""The events of a Responses stream, split from bytes that may arrive cut anywhere, each as it was written.

Unlike the events of Chat, these have names, and may be long: the last one repeats the whole answer.
"""

from runapi.wire.sse import Splitter

MOST_EVENT_BYTES = 32 * 1024 * 1024
_NAME = b"event: "
_DATA = b"data: "


class BlockSplitter(Splitter):
    """Give each finished event, its lines joined by one newline."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(MOST_EVENT_BYTES)

    def feed(self, data: bytes) -> list[bytes]:
        """Add what arrived and return the events it completes, in order.

        Raises:
            EventTooLongError: what is left unfinished is longer than MOST_EVENT_BYTES.
        """
        return [block.lstrip(b"\n") for block in self._cut(data) if block.strip(b"\n")]

    def end(self) -> list[bytes]:
        """Return the last event of a body that ended with one newline, or none, after its data."""
        block = self._rest().strip(b"\n")
        return [block] if block else []


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
