"""POST /v1/embeddings: what a request asks, what goes upstream, and what the reply says. Vectors pass untouched."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from runapi.core import problems
from runapi.core.usage import Usage
from runapi.wire.meter import Count
from runapi.wire.older_request import OlderRequest, read_model
from runapi.wire.openai_chat.reply import BadReplyError, decode_reply
from runapi.wire.openai_chat.request import NULL, decode_part, read_fields, read_text
from runapi.wire.passed_reply import PassedReply
from runapi.wire.refusals import unknown_word
from runapi.wire.text_input import read_text_input

MOST_INPUTS = 2_048
_MOST_VECTOR_BYTES = 3_072 * 34
"""A vector of 3,072 numbers as OpenAI writes it: each on its own line, indented, at most 24 characters and a comma."""
_MOST_OTHER_BYTES = 16 * 1024 * 1024
ENCODINGS = ("float", "base64")
_decode_dimensions = msgspec.json.Decoder(Annotated[int, Meta(ge=1)]).decode


class EmbeddingsRequest(OlderRequest, frozen=True):
    """A request for vectors: there is no output."""

    outside_the_input = frozenset(("model", "encoding_format", "dimensions", "user", "max_cost"))


def read_embeddings_request(body: bytes) -> EmbeddingsRequest:
    """Read a request body.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields = read_fields(body)
    model = read_model(fields)
    inputs = read_text_input(fields, "input")
    if len(inputs) > MOST_INPUTS:
        raise problems.invalid_value("input", f"expected at most {MOST_INPUTS} texts, but got {len(inputs)}.")
    encoding = read_text(fields, "encoding_format")
    if encoding is not None and encoding not in ENCODINGS:
        raise unknown_word("encoding_format", encoding, ENCODINGS)
    if fields.get("dimensions", NULL) != NULL:
        decode_part("dimensions", fields["dimensions"], _decode_dimensions)
    read_text(fields, "user")
    return EmbeddingsRequest(fields, model, inputs, most_reply_bytes=most_reply_bytes(len(inputs)))


def most_reply_bytes(inputs: int) -> int:
    """How long the reply to a request for so many vectors may be: 230 MB at most, for MOST_INPUTS of them."""
    return _MOST_OTHER_BYTES + inputs * _MOST_VECTOR_BYTES


class _Usage(msgspec.Struct):
    prompt_tokens: Count


class _Reply(msgspec.Struct):
    data: list[Raw] | None = None
    model: str | None = None
    usage: Raw = NULL
    error: Raw = NULL


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


def read_embeddings_reply(body: bytes) -> PassedReply:
    """Read a reply.

    Raises:
        BadReplyError: it holds no vectors, or is an error that came with status 200.
    """
    reply = decode_reply(_decode_reply, body)
    if not reply.data or reply.error != NULL:
        raise BadReplyError
    usage = _read_usage(reply.usage)
    return PassedReply(
        body=body,
        model=reply.model,
        delivers=True,
        raw_usage=None if usage is None else bytes(reply.usage),
        usage=usage,
        write_usage=_write_usage,
    )


def _read_usage(raw: Raw) -> Usage | None:
    try:
        return Usage(input=_decode_usage(raw).prompt_tokens)
    except msgspec.DecodeError:
        return None


def _write_usage(usage: Usage) -> bytes:
    return msgspec.json.encode({"prompt_tokens": usage.all_input, "total_tokens": usage.all_input})
