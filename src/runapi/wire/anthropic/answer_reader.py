"""What an upstream that speaks Messages answers, streamed or whole, as events of the neutral form.

Blocks of tools that run at Anthropic, and citations, are left out: no translated request can ask for them.
"""

from msgspec import Raw

from runapi.wire.anthropic.events import (
    Block,
    Delta,
    UpstreamMessage,
    compact,
    end_reason,
    read_answered,
    read_event,
)
from runapi.wire.anthropic.signature import seal_redacted, seal_thinking
from runapi.wire.anthropic.usage import merge_usage, read_anthropic_usage, read_tier
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    Event,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
)
from runapi.wire.openai_chat.reply import BadReplyError
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.sse import EventSplitter
from runapi.wire.stream_reader import StreamReader

_CALL = "tool_use"
_NO_INPUT = "{}"


class _Contradiction(ValueError):  # noqa: N818 - a word for what was seen
    """An event that does not fit those before it."""


class _OpenBlock:
    """A block that has begun: what is needed to end it."""

    __slots__ = ("call", "data", "has_arguments", "input", "kind", "signature", "thinking")

    def __init__(self, block: Block, call: int) -> None:
        self.kind = block.type
        self.call = call  # the place of a call among the answer's calls
        self.input = block.input  # given at once, by servers that do not stream it
        self.has_arguments = False
        self.thinking = [block.thinking]
        self.signature = [block.signature or ""]
        self.data = block.data


class _Folder:
    """Folds the events of a stream, or a whole message, into neutral ones."""

    def __init__(self, created_s: int) -> None:
        self.out: list[Event] = []
        self._created_s = created_s
        self._begun = False
        self._open: dict[int, _OpenBlock] = {}
        self._calls = 0
        self._raw_usage = b""
        self._tier: str | None = None
        self.stop_reason: str | None = None
        self._stop_sequence: str | None = None

    def begin(self, message: UpstreamMessage) -> None:
        if not self._begun:
            self._begun = True
            self.take_usage(message.usage)
            self.out.append(Begin(self._created_s, self._tier))

    def take_usage(self, raw: Raw) -> None:
        """Take in a report: each counts the whole message (reliability F-34)."""
        if raw != NULL:
            self._raw_usage = merge_usage(self._raw_usage, bytes(raw))
            self._tier = read_tier(self._raw_usage) or self._tier

    def begin_block(self, index: int, block: Block) -> None:
        if not self._begun or index in self._open:
            raise _Contradiction
        self._open[index] = _OpenBlock(block, self._calls)
        if block.text:
            self.out.append(TextDelta(block.text))
        elif block.thinking:
            self.out.append(ReasoningDelta(block.thinking))
        elif block.type == _CALL:
            if not block.id or not block.name:
                raise _Contradiction
            self.out.append(CallBegin(self._calls, block.id, block.name))
            self._calls += 1

    def add_to_block(self, index: int, delta: Delta) -> None:
        block = self._open.get(index)
        if block is None:
            raise _Contradiction
        if delta.text:
            self.out.append(TextDelta(delta.text))
        elif delta.partial_json:
            if block.kind == _CALL:
                block.has_arguments = True
                self.out.append(CallDelta(block.call, delta.partial_json))
        elif delta.thinking:
            block.thinking.append(delta.thinking)
            self.out.append(ReasoningDelta(delta.thinking))
        elif delta.signature:
            block.signature.append(delta.signature)

    def end_block(self, index: int) -> None:
        block = self._open.pop(index, None)
        if block is None:
            raise _Contradiction
        match block.kind:
            case "tool_use":
                given = _NO_INPUT if block.input == NULL else compact(block.input)
                if not block.has_arguments and given != _NO_INPUT:
                    self.out.append(CallDelta(block.call, given))
                self.out.append(CallEnd(block.call))
            case "thinking":
                self.out.append(
                    ReasoningEnd(seal_thinking("".join(block.signature), "".join(block.thinking)))
                )
            case "redacted_thinking":
                self.out.append(ReasoningEnd(seal_redacted(block.data)))
            case _:
                pass

    def take_end(self, stop_reason: str | None, stop_sequence: str | None) -> None:
        if not self._begun:
            raise _Contradiction
        self.stop_reason = stop_reason or self.stop_reason
        self._stop_sequence = stop_sequence or self._stop_sequence

    def end(self) -> None:
        """Say that the answer is over; blocks that nobody ended end with it."""
        for index in list(self._open):
            self.end_block(index)
        usage = read_anthropic_usage(self._raw_usage)
        self.out.append(
            End(
                end_reason(self.stop_reason),
                usage,
                Raw(self._raw_usage) if usage is not None else None,
                self._tier,
                self._stop_sequence,
            )
        )


class AnthropicReader(StreamReader[_Folder]):
    """Reads one upstream's stream; a stop_reason must come, `message_stop` need not."""

    def __init__(self, created_s: int = 0) -> None:
        """Begin.

        Args:
            created_s: Unix time, which Anthropic does not tell and other dialects do.
        """
        super().__init__(EventSplitter(), _Folder(created_s))

    def _take_event(self, data: bytes) -> None:
        event = read_event(data)
        if event is None:
            raise _Contradiction
        folder = self._folder
        match event.type:
            case "content_block_delta" if event.delta is not None:
                folder.add_to_block(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                folder.begin_block(event.index, event.content_block)
            case "content_block_stop":
                folder.end_block(event.index)
            case "message_start" if event.message is not None:
                folder.begin(event.message)
            case "message_delta":
                folder.take_usage(event.usage)
                if event.delta is not None:
                    folder.take_end(event.delta.stop_reason, event.delta.stop_sequence)
            case "message_stop":
                self._end()
            case "error":
                self.fault = StreamFault.ERROR
                folder.out.append(event.failure())
            case _:
                pass  # pings, and what is newer than this

    def _end(self) -> None:
        if self._folder.stop_reason is None:
            self.fault = StreamFault.TRUNCATED
            return
        self.ended = True
        self._folder.end()


def read_answer(body: bytes, created_s: int = 0) -> list[Event]:
    """Read a whole answer as the events that a stream of it would have been.

    Raises:
        FailedAnswerError: it is an error that came with status 200; a kind of the next.
        BadReplyError: it is no message.
    """
    message, content, _ = read_answered(body)
    folder = _Folder(created_s)
    folder.begin(message)
    try:
        for index, block in enumerate(content):
            folder.begin_block(index, block)
            folder.end_block(index)
        folder.take_end(message.stop_reason, message.stop_sequence)
        folder.end()
    except (ValueError, RecursionError):
        raise BadReplyError from None
    return folder.out
