"""One event of a Messages stream, or a whole message: what is read of them."""

import msgspec
from msgspec import Raw

from runapi.wire.neutral import EndReason, Failure
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.half_characters import without_half_characters

END_REASONS = {
    "end_turn": EndReason.STOP,
    "max_tokens": EndReason.LENGTH,
    "model_context_window_exceeded": EndReason.LENGTH,
    "refusal": EndReason.CONTENT_FILTER,
    "stop_sequence": EndReason.STOP_SEQUENCE,
    "tool_use": EndReason.CALLS,
}
"""What Anthropic's reasons to stop mean; another one is taken for the end of a turn."""


_FAILED = "The service behind this model failed."


class Block(msgspec.Struct):
    """A content block; in a stream, its beginning."""

    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    data: str = ""
    input: Raw = NULL


class Delta(msgspec.Struct):
    """What an event adds to a block, or to the message."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Fault(msgspec.Struct):
    type: str | None = None
    message: str | None = None

    def failure(self) -> Failure:
        return Failure(self.type, self.message or _FAILED)


class UpstreamMessage(msgspec.Struct):
    """A whole message, or the one that a stream begins with."""

    type: str = ""
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = NULL
    error: Fault | None = None

    def failure(self) -> Failure:
        """What it says of its failing, if it is an error."""
        return (self.error or Fault()).failure()


class StreamEvent(msgspec.Struct):
    type: str
    index: int = -1
    delta: Delta | None = None
    content_block: Block | None = None
    message: UpstreamMessage | None = None
    usage: Raw = NULL
    error: Fault | None = None

    def failure(self) -> Failure:
        """What the upstream says of its failing, if it is an error."""
        return (self.error or Fault()).failure()


_decode_event = msgspec.json.Decoder(StreamEvent).decode
_decode_message = msgspec.json.Decoder(UpstreamMessage).decode


def read_event(data: bytes) -> StreamEvent | None:
    """Read the data of one event; None where it cannot be read. Half an emoji in it is mended."""
    try:
        if not data.isascii():
            data.decode()  # the parts that are skipped must be UTF-8 as well
        return _decode_event(data)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _decode_event(without_half_characters(data))
    except (ValueError, RecursionError):
        return None


def read_message(body: bytes) -> tuple[UpstreamMessage, bytes] | None:
    """Read a whole message; give with it the bytes that stand for it. None: it is none."""
    try:
        if not body.isascii():
            body.decode()  # the parts that are skipped must be UTF-8 as well
        return _decode_message(body), body
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        mended = without_half_characters(body)
        return _decode_message(mended), mended
    except (ValueError, RecursionError):
        return None


def compact(value: Raw) -> str:
    """The input of a call as the text of its arguments: without white space, and nothing else changed."""
    return msgspec.json.format(bytes(value), indent=-1).decode()


def end_reason(stop_reason: str | None) -> EndReason:
    return END_REASONS.get(stop_reason or "", EndReason.STOP)
