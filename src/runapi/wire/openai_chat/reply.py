"""A whole Chat Completions reply: what it delivers and consumed, and its bytes for the client."""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.openai_chat.request import NULL
from runapi.wire.splice import as_written, with_cost, with_usage_value


class BadReplyError(ValueError):
    """The upstream's reply is not a Chat Completions object."""


class _Message(msgspec.Struct):
    content: Raw = NULL
    refusal: Raw = NULL
    tool_calls: Raw = NULL
    function_call: Raw = NULL
    audio: Raw = NULL


class _Choice(msgspec.Struct):
    message: _Message


class _Reply(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Reply).decode
_NOTHING = (NULL, Raw(b'""'), Raw(b"[]"))
_WRITTEN = ("content", "refusal", "name", "arguments", "input")


class ChatReply(msgspec.Struct, frozen=True):
    """A reply and what it says; `body` is as the upstream sent it."""

    body: bytes
    model: str | None
    raw_usage: bytes | None
    usage: Usage | None  # None: missing, or not to be believed
    service_tier: str | None
    delivers: bool  # some choice has text, a refusal or a call

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes:
        """Write the reply for the client: its own name for the model, the cost in `usage`, all else untouched.

        `usage` stands in where the upstream sent none that can be believed.
        """
        body = self.body
        if self.model is not None and self.model != model:
            body = with_model(body, self.model, model)
        if self.usage is not None and self.raw_usage is not None:
            return with_usage_value(body, self.raw_usage, with_cost(self.raw_usage, cost_usd))
        fields = msgspec.json.decode(body, type=dict[str, Raw])
        fields["usage"] = Raw(with_cost(write_chat_usage(usage), cost_usd))
        return msgspec.json.encode(fields)

    def text(self) -> str:
        """All that was written in the choices, for counting it here.

        Raises:
            BadReplyError: it holds what JSON allows and nobody can read, such as a number of 5,000 digits.
        """
        try:
            return "".join(_texts(msgspec.json.decode(self.body)["choices"]))
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise BadReplyError from None


def read_chat_reply(body: bytes) -> ChatReply:
    """Read a reply.

    Raises:
        BadReplyError: not JSON, no list of choices with messages, or an error that came with status 200.
    """
    try:
        reply = _decode(body)
        if not body.isascii():
            body.decode()  # the skipped parts must be UTF-8 as well
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadReplyError from None
    if reply.choices is None or reply.error != NULL:
        raise BadReplyError
    return ChatReply(
        body=body,
        model=reply.model,
        raw_usage=None if reply.usage == NULL else bytes(reply.usage),
        usage=read_chat_usage(reply.usage),
        service_tier=reply.service_tier,
        delivers=any(_delivers(choice.message) for choice in reply.choices),
    )


def _delivers(message: _Message) -> bool:
    return (
        message.content not in _NOTHING
        or message.refusal not in _NOTHING
        or message.tool_calls not in _NOTHING
        or message.function_call not in _NOTHING
        or message.audio not in _NOTHING
    )


def with_model(body: bytes, theirs: str, ours: str) -> bytes:
    written = as_written(body, b"model", theirs)
    if written:
        return body.replace(written, b'"model":%b' % msgspec.json.encode(ours), 1)
    fields = msgspec.json.decode(body, type=dict[str, Raw])  # written with escapes that need not be there
    return msgspec.json.encode(fields | {"model": Raw(msgspec.json.encode(ours))})


def _texts(value: object) -> Iterator[str]:
    """Every string below `content`, `refusal`, `name`, `arguments` and `input` of a parsed reply."""
    ahead = [value]
    while ahead:
        match ahead.pop():
            case list(items):
                ahead.extend(reversed(items))
            case dict(fields):
                yield from (fields[name] for name in _WRITTEN if isinstance(fields.get(name), str))
                ahead.extend(inner for inner in fields.values() if not isinstance(inner, str))
