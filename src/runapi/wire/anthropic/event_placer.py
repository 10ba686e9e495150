"""Which block of a message each event of an answer goes into; the same for streamed and whole messages."""

from typing import assert_never

from msgspec import Raw

from runapi.wire.anthropic.block_writer import Blocks, Gain, Written
from runapi.wire.anthropic.request import Thinking
from runapi.wire.anthropic.signature import sign
from runapi.wire.neutral import (
    Annotation,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    Event,
    Failure,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)

_TEXT, _THOUGHT = "text", "thinking"
_EMPTY_TEXT: Written = {"type": "text", "text": "", "citations": None}
_EMPTY_THOUGHT: Written = {"type": "thinking", "thinking": "", "signature": ""}
_NO_INPUT = Raw(b"{}")
_NOTHING = Reasoning(None, None)
_BETWEEN_SUMMARIES = "\n\n"


class EventPlacer:
    """Puts events into blocks.

    Every thinking block has a signature, so that one of ours can be told from a Claude model's when it comes back.
    """

    def __init__(self, blocks: Blocks, thinking: Thinking) -> None:
        self._blocks = blocks
        self._thinking = thinking
        self._has_thought = False  # some of the open thinking block's text has come
        self.refused = False  # the model has said, in a field of its own, that it will not answer

    def place(self, event: Event) -> bytes:
        """Put an event where it belongs; return what the client gets of it at once."""
        match event:
            case TextDelta() | RefusalDelta():
                self.refused = self.refused or isinstance(event, RefusalDelta)
                return self._place_text(event.text) if event.text else b""
            case CallDelta():
                text = event.arguments
                return self._blocks.add(event.index, Gain.ARGUMENTS, text) if text else b""
            case CallBegin():
                return self.end() + self._blocks.begin(event.index, _write_call(event), is_call=True)
            case CallEnd():
                return self._blocks.end(event.index)
            case ReasoningDelta():
                return self._place_thought(event.text)
            case ReasoningEnd():
                return self._end_thought(event.item)
            case Begin() | Annotation() | End() | Failure():
                return b""  # citations here point into documents, or searches of Anthropic's own
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """End the thinking block that is open, if any: nobody has signed it."""
        return self._sign(_NOTHING) if self._blocks.is_open(_THOUGHT) else b""

    def _place_text(self, text: str) -> bytes:
        if self._blocks.is_open(_TEXT):
            return self._blocks.add(_TEXT, Gain.TEXT, text)
        begun = self.end() + self._blocks.begin(_TEXT, _EMPTY_TEXT)
        return begun + self._blocks.add(_TEXT, Gain.TEXT, text)

    def _place_thought(self, text: str) -> bytes:
        if self._thinking is not Thinking.SHOWN or not text:
            return b""
        begun = self._open_thought()
        self._has_thought = True
        return begun + self._blocks.add(_THOUGHT, Gain.THINKING, text)

    def _open_thought(self) -> bytes:
        if self._blocks.is_open(_THOUGHT):
            return b""
        self._has_thought = False
        return self._blocks.begin(_THOUGHT, _EMPTY_THOUGHT)

    def _end_thought(self, item: Reasoning) -> bytes:
        """End a thinking block with its signature; one that has neither text nor anything to carry is no block."""
        if self._thinking is Thinking.HIDDEN:
            return b""
        out = b""
        if not (self._blocks.is_open(_THOUGHT) and self._has_thought):
            out = self._place_thought(_BETWEEN_SUMMARIES.join(item.summaries))
        if item.encrypted is not None:
            out += self._open_thought()
        return out + self._sign(item) if self._blocks.is_open(_THOUGHT) else out

    def _sign(self, item: Reasoning) -> bytes:
        signed = self._blocks.add(_THOUGHT, Gain.SIGNATURE, sign(item))
        return signed + self._blocks.end(_THOUGHT)


def _write_call(call: CallBegin) -> Written:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": _NO_INPUT,
        "caller": {"type": "direct"},
    }
