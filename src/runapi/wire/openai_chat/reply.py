"""A whole Chat Completions reply: what it delivers and consumed, and its bytes for the client."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw

from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.neutral import Failure
from runapi.wire.openai_chat.request import NULL
from runapi.wire.passed_reply import PassedReply

T = TypeVar("T")


class BadReplyError(ValueError):
    """The upstream's reply is not what its dialect calls one."""


class FailedAnswerError(BadReplyError):
    """A whole answer that is an error though it came as a success; `failure` is what it says."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _Message(msgspec.Struct):
    content: Raw = NULL
    refusal: Raw = NULL
    tool_calls: Raw = NULL
    function_call: Raw = NULL
    audio: Raw = NULL


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: Raw = NULL


class _Reply(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Reply).decode
CAPPED = Raw(b'"length"')
"""The finish reason of an answer that ended at its output limit, as it is written."""
_NOTHING = (NULL, Raw(b'""'), Raw(b"[]"))
_WRITTEN = ("content", "refusal", "name", "arguments", "input")


class ChatReply(PassedReply, frozen=True, kw_only=True):
    """A reply and what it says; its text is read where it is needed."""

    def text(self) -> str:
        """All that was written in the choices, for counting it here.

        Raises:
            BadReplyError: it holds what JSON allows and nobody can read, such as a number of 5,000 digits.
        """
        return text_below(self.body, "choices", _WRITTEN)


def read_chat_reply(body: bytes) -> ChatReply:
    """Read a reply.

    Raises:
        BadReplyError: not JSON, no list of choices with messages, or an error that came with status 200.
    """
    reply = decode_reply(_decode, body)
    if reply.choices is None or reply.error != NULL:
        raise BadReplyError
    return ChatReply(
        body=body,
        model=reply.model,
        raw_usage=None if reply.usage == NULL else bytes(reply.usage),
        usage=read_chat_usage(reply.usage),
        service_tier=reply.service_tier,
        delivers=any(_delivers(choice.message) for choice in reply.choices),
        is_capped=any(choice.finish_reason == CAPPED for choice in reply.choices),
        write_usage=write_chat_usage,
    )


def _delivers(message: _Message) -> bool:
    return (
        message.content not in _NOTHING
        or message.refusal not in _NOTHING
        or message.tool_calls not in _NOTHING
        or message.function_call not in _NOTHING
        or message.audio not in _NOTHING
    )


def decode_reply(decode: Callable[[bytes], T], body: bytes) -> T:
    """Read the known parts of a whole reply.

    Raises:
        BadReplyError: they are not as they should be, or the rest is no JSON in UTF-8.
    """
    try:
        reply = decode(body)
        if not body.isascii():
            body.decode()  # the skipped parts must be UTF-8 as well
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadReplyError from None
    return reply


def text_below(body: bytes, field: str, written: Sequence[str]) -> str:
    """All strings below a field of a reply that stand in fields with one of the `written` names.

    Raises:
        BadReplyError: it holds what JSON allows and nobody can read, such as a number of 5,000 digits.
    """
    try:
        return "".join(texts_of(msgspec.json.decode(body)[field], written))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadReplyError from None


def texts_of(value: object, written: Sequence[str]) -> Iterator[str]:
    """Every string in a parsed value that stands in a field with one of the `written` names."""
    ahead = [value]
    while ahead:
        match ahead.pop():
            case list(items):
                ahead.extend(reversed(items))
            case dict(fields):
                yield from (fields[name] for name in written if isinstance(fields.get(name), str))
                ahead.extend(inner for inner in fields.values() if not isinstance(inner, str))
