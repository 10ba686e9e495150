"""POST /v1/completions, the legacy one: what a request asks, what goes upstream, and its reply, whole or streamed."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.normalise import ask_for_usage
from runapi.wire.older_request import OlderRequest, read_model
from runapi.wire.openai_chat.reply import CAPPED, BadReplyError, decode_reply
from runapi.wire.openai_chat.request import NULL, decode_part, read_fields
from runapi.wire.openai_chat.stream import ChatStream
from runapi.wire.passed_reply import PassedReply
from runapi.wire.text_input import read_text_input

DEFAULT_CAP = 16
"""Output tokens where nobody names a number: so has it always been here."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Known(msgspec.Struct):
    """The fields that are checked, with the ranges of OpenAI's specification."""

    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    max_tokens: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    suffix: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    user: str | None = None


_DECODERS = {field.name: msgspec.json.Decoder(field.type).decode for field in msgspec.structs.fields(_Known)}


class CompletionRequest(OlderRequest, frozen=True):
    """A request to go on with its input; `best_of` makes more answers than it gives."""

    outside_the_input = frozenset(
        (
            *("best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_cost", "max_tokens"),
            *("model", "n", "presence_penalty", "seed", "stop", "stream", "stream_options", "temperature"),
            *("top_p", "user"),
        )
    )

    def encode(self, model: str, output_cap: int | None = None) -> bytes:
        """Write the body for one upstream, with its name for the model and at most `output_cap` output tokens."""
        fields = self.sent(model)
        if output_cap is not None:
            fields["max_tokens"] = Raw(b"%d" % min(output_cap, self.output_cap))
        if self.stream:
            ask_for_usage(fields)
        else:
            fields.pop("stream_options", None)
        return msgspec.json.encode(fields)


def read_completion_request(body: bytes) -> CompletionRequest:
    """Read a request body.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields = read_fields(body)
    model = read_model(fields)
    prompt = read_text_input(fields, "prompt")
    known = _Known(
        **{
            name: decode_part(name, fields[name], decode)
            for name, decode in _DECODERS.items()
            if fields.get(name, NULL) != NULL
        }
    )
    return CompletionRequest(
        fields,
        model,
        prompt,
        known.stream is True,
        known.stream_options is not None and known.stream_options.include_usage is True,
        DEFAULT_CAP if known.max_tokens is None else known.max_tokens,
        max(known.n or 1, known.best_of or 1) * len(prompt),
    )


class _Choice(msgspec.Struct):
    text: str
    finish_reason: Raw = NULL


class _Reply(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def read_completion_reply(body: bytes) -> PassedReply:
    """Read a whole reply.

    Raises:
        BadReplyError: it has no list of choices with text, or is an error that came with status 200.
    """
    reply = decode_reply(_decode_reply, body)
    if reply.choices is None or reply.error != NULL:
        raise BadReplyError
    usage = read_chat_usage(reply.usage)
    text = "".join(choice.text for choice in reply.choices)
    return PassedReply(
        body=body,
        model=reply.model,
        delivers=bool(text),
        is_capped=any(choice.finish_reason == CAPPED for choice in reply.choices),
        written=text,
        raw_usage=None if usage is None else bytes(reply.usage),
        usage=usage,
        service_tier=reply.service_tier,
        write_usage=write_chat_usage,
    )


class CompletionStream(ChatStream):
    """The stream of one client: Chat's rules and usage, in chunks that hold `text` in the place of a delta."""

    __slots__ = ()

    def _chunk(self, choices: list[dict[str, object]], usage: Raw) -> bytes:
        chunk = msgspec.json.decode(super()._chunk([], usage), type=dict[str, object])
        chunk["object"] = "text_completion"
        chunk["choices"] = [
            {"text": "", "index": choice["index"], "logprobs": None, "finish_reason": None}
            for choice in choices
        ]
        return msgspec.json.encode(chunk)
