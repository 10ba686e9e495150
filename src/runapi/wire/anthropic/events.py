"""One event of a Messages stream, or a whole message: what is read of them."""

import msgspec
from msgspec import Raw

from runapi.wire.half_characters import decode_mending
from runapi.wire.neutral import EndReason, Failure
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.request import NULL

END_REASONS = {
    "end_turn": EndReason.STOP,
    "max_tokens": EndReason.LENGTH,
    "model_context_window_exceeded": EndReason.LENGTH,
    "refusal": EndReason.CONTENT_FILTER,
    "stop_sequence": EndReason.STOP_SEQUENCE,
    "tool_use": EndReason.CALLS,
}
"""What Anthropic's reasons to stop mean; another one is taken for the end of a turn."""

STOPPED = "stop_sequence"
"""With this reason an answer delivers something though it has no text: which of up to 64 sequences it was."""


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
        return Failure(self.type, self.message) if self.message else Failure(self.type)


class _Failing(msgspec.Struct, kw_only=True):
    """What may be an error in the place of what was to come."""

    error: Fault | None = None

    def failure(self) -> Failure:
        """What the upstream says of its failing, if it is an error."""
        return (self.error or Fault()).failure()


class UpstreamMessage(_Failing):
    """A whole message, or the one that a stream begins with."""

    type: str = ""
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = NULL


class StreamEvent(_Failing):
    type: str
    index: int = -1
    delta: Delta | None = None
    content_block: Block | None = None
    message: UpstreamMessage | None = None
    usage: Raw = NULL


_decode_event = msgspec.json.Decoder(StreamEvent).decode
_decode_message = msgspec.json.Decoder(UpstreamMessage).decode


def read_event(data: bytes) -> StreamEvent | None:
    """Read the data of one event; None where it cannot be read. Half an emoji in it is mended."""
    try:
        if not data.isascii():
            data.decode()  # the parts that are skipped must be UTF-8 as well
        return decode_mending(_decode_event, data)
    except (ValueError, RecursionError):
        return None


def read_answered(body: bytes) -> tuple[UpstreamMessage, list[Block], bytes]:
    """Read a whole answer: the message, its content, and the bytes that stand for it.

    Raises:
        FailedAnswerError: it is an error that came with status 200; a kind of the next.
        BadReplyError: it is no message.
    """
    read = _read_message(body)
    if read is None:
        raise BadReplyError
    message, body = read
    if message.type == "error" or message.error is not None:
        raise FailedAnswerError(message.failure())
    if message.content is None:
        raise BadReplyError
    return message, message.content, body


def _read_message(body: bytes) -> tuple[UpstreamMessage, bytes] | None:
    try:
        if not body.isascii():
            body.decode()  # the parts that are skipped must be UTF-8 as well
        return decode_mending(lambda mended: (_decode_message(mended), mended), body)
    except (ValueError, RecursionError):
        return None


def compact(value: Raw) -> str:
    """The input of a call as the text of its arguments: without white space, and nothing else changed."""
    return msgspec.json.format(bytes(value), indent=-1).decode()


def end_reason(stop_reason: str | None) -> EndReason:
    return END_REASONS.get(stop_reason or "", EndReason.STOP)
