"""The parts of a Chat answer that are read where it is translated: of a chunk, and of a whole reply."""

import msgspec
from msgspec import Raw

from runapi.core.problems import ErrorBody
from runapi.core.usage import Usage
from runapi.wire.half_characters import decode_mending
from runapi.wire.meter import read_chat_usage
from runapi.wire.neutral import CallKind, EndReason, Failure
from runapi.wire.openai_chat.request import NULL


class Called(msgspec.Struct):
    """What is called; of a stream, a piece of it."""

    name: str | None = None
    arguments: str | None = None  # of a function
    input: str | None = None  # of a custom tool


class ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Called | None = None
    custom: Called | None = None

    @property
    def called(self) -> Called:
        return self.custom or self.function or Called()

    @property
    def kind(self) -> CallKind:
        return CallKind.FUNCTION if self.custom is None else CallKind.CUSTOM


class _ContentPart(msgspec.Struct):
    text: str | None = None


class Said(msgspec.Struct):
    """A message, or what a chunk adds to it."""

    content: str | list[_ContentPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None  # so some servers show what the model thinks,
    reasoning: str | None = None  # ... and so others
    annotations: list[Raw] | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Called | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content)
        return self.content or ""

    @property
    def thought(self) -> str:
        return self.reasoning_content or self.reasoning or ""


class Logprobs(msgspec.Struct):
    content: Raw = NULL

    @property
    def given(self) -> Raw | None:
        """The likelihoods, if they are a list as they should be."""
        return self.content if bytes(self.content).startswith(b"[") else None


class Choice(msgspec.Struct):
    """One of the answers; `delta` in a stream, else `message`."""

    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Answer(msgspec.Struct):
    """A chunk, or a whole reply."""

    id: str | None = None
    created: int | float | None = None
    choices: list[Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None

    @property
    def created_s(self) -> int:
        return int(self.created or 0)


_decode = msgspec.json.Decoder(Answer).decode
_decode_error = msgspec.json.Decoder(ErrorBody | str).decode
_REASONS = {
    "length": EndReason.LENGTH,
    "content_filter": EndReason.CONTENT_FILTER,
    "tool_calls": EndReason.CALLS,
    "function_call": EndReason.CALLS,
}


def read_answer_parts(data: bytes) -> Answer:
    """Read a chunk or a whole reply.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    if not data.isascii():
        data.decode()  # the skipped parts must be UTF-8 as well
    return decode_mending(_decode, data)


def end_reason(finish_reason: str, *, has_calls: bool) -> EndReason:
    """Say why an answer ended. Servers exist that call tools and say `stop`, as OpenAI does where one was demanded."""
    reason = _REASONS.get(finish_reason, EndReason.STOP)
    return EndReason.CALLS if has_calls and reason is EndReason.STOP else reason


def failure_of(error: Raw) -> Failure:
    """Read what an upstream says went wrong, whatever shape it has."""
    try:
        read = _decode_error(error)
    except msgspec.DecodeError:
        read = ErrorBody()
    if isinstance(read, str):
        read = ErrorBody(message=read)
    code = read.code if read.code is not None else read.type
    said = None if code is None else str(code)
    return Failure(said, read.message) if read.message else Failure(said)


def usage_of(raw: Raw) -> tuple[Usage | None, Raw | None]:
    """Read a usage, and give it with the bytes that it was read from; neither where it is not to be believed."""
    usage = None if raw == NULL else read_chat_usage(raw)
    return usage, None if usage is None else raw
