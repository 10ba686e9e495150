"""The content blocks of a message: streamed, one after the other, or gathered whole.

What an upstream says of several calls may overlap; the blocks of a stream do not. What belongs to a later block waits
until those before it have ended.
"""

from collections import deque
from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Raw

from runapi.wire.anthropic.write_messages import write_input
from runapi.wire.neutral import CallKind

Written = dict[str, object]


class Gain(StrEnum):
    """What a block can gain, by the name of the field that holds it."""

    TEXT = "text"
    THINKING = "thinking"
    SIGNATURE = "signature"
    ARGUMENTS = "partial_json"


_DELTAS = {
    Gain.TEXT: b'{"type":"text_delta","text":%b}',
    Gain.THINKING: b'{"type":"thinking_delta","thinking":%b}',
    Gain.SIGNATURE: b'{"type":"signature_delta","signature":%b}',
    Gain.ARGUMENTS: b'{"type":"input_json_delta","partial_json":%b}',
}
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'


def write_event(name: str, fields: Written) -> bytes:
    """Write an event with its name, which clients go by, and its type, which is the same."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


class Blocks(Protocol):
    """Where blocks go, each under a key of the caller's: text and thinking end when another begins, calls by `end`.

    What is returned is for the client at once.
    """

    def is_open(self, key: object) -> bool:
        """Whether the newest block has this key, and has not ended."""
        ...

    def begin(self, key: object, block: Written, *, is_call: bool = False) -> bytes:
        """Begin a block behind all others."""
        ...

    def add(self, key: object, gain: Gain, text: str) -> bytes:
        """Add to a block that has begun."""
        ...

    def end(self, key: object) -> bytes:
        """End a block."""
        ...


class _Lane:
    """A block that has begun for the upstream; for the client once those before it have ended."""

    __slots__ = ("block", "deltas", "ended", "is_call", "key")

    def __init__(self, key: object, block: Written, *, is_call: bool) -> None:
        self.key = key
        self.block = block
        self.is_call = is_call
        self.ended = False
        self.deltas: list[bytes] = []  # that wait


class BlockWriter:
    """Writes the blocks of a stream."""

    __slots__ = ("_delta_head", "_index", "_is_shown", "_lanes", "_newest")

    def __init__(self) -> None:
        self._lanes: deque[_Lane] = deque()
        self._newest: dict[object, _Lane] = {}  # of each key; none before it is open
        self._is_shown = False  # the client knows of the first of them
        self._index = -1
        self._delta_head = b""

    def is_open(self, key: object) -> bool:
        return bool(self._lanes) and self._lanes[-1].key == key and not self._lanes[-1].ended

    def begin(self, key: object, block: Written, *, is_call: bool = False) -> bytes:
        if self._lanes and not self._lanes[-1].is_call:
            self._lanes[-1].ended = True
        self._newest[key] = lane = _Lane(key, block, is_call=is_call)
        self._lanes.append(lane)
        return self._go_on()

    def add(self, key: object, gain: Gain, text: str) -> bytes:
        lane = self._newest.get(key)
        if lane is None or lane.ended:
            return b""
        delta = _DELTAS[gain] % msgspec.json.encode(text)
        if lane is self._lanes[0]:
            return b"%b%b}\n\n" % (self._delta_head, delta)
        lane.deltas.append(delta)
        return b""

    def end(self, key: object) -> bytes:
        """End a block; the next one begins, if there is one."""
        lane = self._newest.pop(key, None)
        if lane is None:
            return b""
        lane.ended = True
        return self._go_on()

    def end_all(self) -> bytes:
        """End every block."""
        for lane in self._lanes:
            lane.ended = True
        return self._go_on()

    def _go_on(self) -> bytes:
        """Write all that need not wait any more."""
        out = []
        while self._lanes:
            lane = self._lanes[0]
            if not self._is_shown:
                out.append(self._show(lane))
            if not lane.ended:
                break
            out.append(_STOP % self._index)
            self._lanes.popleft()
            self._is_shown = False
        return b"".join(out)

    def _show(self, lane: _Lane) -> bytes:
        self._is_shown = True
        self._index += 1
        self._delta_head = _DELTA % self._index
        start = write_event("content_block_start", {"index": self._index, "content_block": lane.block})
        deltas, lane.deltas = lane.deltas, []
        return start + b"".join(b"%b%b}\n\n" % (self._delta_head, delta) for delta in deltas)


class _Folded:
    """A block of a whole message, and what it gained, by field."""

    __slots__ = ("block", "gains", "key")

    def __init__(self, key: object, block: Written) -> None:
        self.key = key
        self.block = block
        self.gains: dict[Gain, list[str]] = {}

    def written(self) -> Written:
        """The block; arguments that are no object stand in one."""
        gained = {gain: "".join(texts) for gain, texts in self.gains.items()}
        arguments = gained.pop(Gain.ARGUMENTS, "")
        fields: Written = {str(gain): f"{self.block[gain]}{text}" for gain, text in gained.items()}
        if "input" in self.block:
            fields["input"] = Raw(write_input(arguments, CallKind.FUNCTION))
        return self.block | fields


class BlockFolder:
    """Gathers the blocks of a whole message, as a client of the stream would."""

    def __init__(self) -> None:
        self._blocks: list[_Folded] = []
        self._newest: dict[object, _Folded] = {}  # of each key
        self._ended = True

    def is_open(self, key: object) -> bool:
        return not self._ended and self._blocks[-1].key == key

    def begin(self, key: object, block: Written, *, is_call: bool = False) -> bytes:
        del is_call
        self._newest[key] = folded = _Folded(key, block)
        self._blocks.append(folded)
        self._ended = False
        return b""

    def add(self, key: object, gain: Gain, text: str) -> bytes:
        folded = self._newest.get(key)
        if folded is not None:
            folded.gains.setdefault(gain, []).append(text)
        return b""

    def end(self, key: object) -> bytes:
        self._ended = self._ended or self.is_open(key)
        return b""

    def content(self) -> list[Written]:
        """The blocks, in the order in which they began."""
        return [folded.written() for folded in self._blocks]
