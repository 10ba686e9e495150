"""Speak the embeddings API as OpenAI does: vectors of length 1 that look like chance and are the same for the same text.

They mean nothing: two texts of the same meaning are as far apart as any others.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Mapping

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, invalid_value, missing_parameter
from runapi.upstream.sandbox.context import Limits, has_more
from runapi.upstream.sandbox.directives import NONE, Directives, has_directives, read_directives
from runapi.upstream.sandbox.fields import (
    LARGEST,
    Fields,
    decode,
    read_model,
    read_text,
    read_whole,
    read_word,
    too_long,
    type_name,
)
from runapi.upstream.sandbox.plans import Plan, accept, obey_status, refusing, send_whole
from runapi.wire.tokens import count_text, join_tokens

MOST_INPUTS = 2_048
MOST_TOKENS_AN_INPUT = 8_192
MOST_NUMBERS = 1_000_000
"""In one reply: some 12 MB as JSON. Beyond it a caller asks for fewer vectors at once, or for shorter ones."""

_DIMENSIONS: Mapping[str, int] = {
    "text-embedding-ada-002": 1_536,
    "text-embedding-3-small": 1_536,
    "text-embedding-3-large": 3_072,
}
_USUAL_DIMENSIONS = 1_536
_FIXED = "text-embedding-ada-002"  # can be had in one length only
_PLACES = 8


class _Text(msgspec.Struct, frozen=True):
    text: str
    tokens: int


class _Request(msgspec.Struct, frozen=True):
    model: str
    texts: list[_Text]
    dimensions: int
    is_base64: bool
    directives: Directives


@refusing("input")
def plan(body: bytes, request_id: str, _created: int, _limits: Limits) -> Plan:
    """Plan the reply to `body`. It may take a second of arithmetic: call it where that keeps nobody waiting."""
    request = _read(decode(body))
    obey_status(request.directives)
    return accept(send_whole(request.directives, msgspec.json.encode(_reply(request))), request_id)


def _reply(request: _Request) -> dict[str, object]:
    tokens = sum(text.tokens for text in request.texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(request, text.text)}
            for index, text in enumerate(request.texts)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(request: _Request, text: str) -> list[float] | str:
    numbers = make_vector(text, request.model, request.dimensions)
    if not request.is_base64:
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def make_vector(text: str, model: str, dimensions: int) -> list[float]:
    """Make a vector of length 1. Numbers have 8 decimal places, as OpenAI's do: what a 4-byte float can hold."""
    seed = hashlib.blake2b(model.encode() + b"\0" + text.encode()).digest()
    data = hashlib.shake_128(seed).digest(2 * dimensions)
    drawn = [number - 32_767.5 for number in struct.unpack(f"<{dimensions}H", data)]
    length = math.sqrt(math.fsum(number * number for number in drawn))
    return [round(number / length, _PLACES) for number in drawn]


# ---- the request -----------------------------------------------------------------------------------------


def _read(fields: Fields) -> _Request:
    model = read_model(fields)
    texts = _texts(fields.get("input"))
    read_text(fields, "user")
    dimensions = _dimensions(fields, model)
    encoding = read_word(fields, "encoding_format", ("float", "base64"))
    if dimensions * len(texts) > MOST_NUMBERS:
        text = f"the sandbox writes at most {MOST_NUMBERS} numbers a request: send fewer texts, or ask for fewer dimensions."
        raise invalid_value("input", text)
    directed = next((text.text for text in texts if has_directives(text.text)), "")
    directives = read_directives(directed) if directed else NONE
    return _Request(model, texts, dimensions, encoding == "base64", directives)


def _dimensions(fields: Fields, model: str) -> int:
    most = _DIMENSIONS.get(model, _USUAL_DIMENSIONS)
    wanted = read_whole(fields, "dimensions", 1, LARGEST)
    if wanted is None:
        return most
    if model == _FIXED:
        raise Problem(400, "This model does not support specifying dimensions.", param="dimensions")
    if wanted > most:
        text = f"Invalid value for 'dimensions' = {wanted}. Must be less than or equal to {most}."
        raise Problem(400, text, param="dimensions")
    return wanted


def _texts(value: object) -> list[_Text]:
    if value is None:
        raise missing_parameter("input")
    if isinstance(value, str):
        return [_text(value, "input")]
    if not isinstance(value, list):
        raise invalid_type("input", "one of a string, array of strings or array of tokens", type_name(value))
    if not value:
        raise empty_array("input")
    if len(value) > MOST_INPUTS:
        raise too_long("input", MOST_INPUTS, len(value))
    if all(_is_token(one) for one in value):
        return [_spelled(value, "input")]
    return [_one_of(one, f"input[{at}]") for at, one in enumerate(value)]


def _one_of(value: object, param: str) -> _Text:
    if isinstance(value, str):
        return _text(value, param)
    if not isinstance(value, list) or not all(_is_token(one) for one in value):
        raise invalid_type(param, "one of a string or array of tokens", type_name(value))
    if not value:
        raise empty_array(param)
    return _spelled(value, param)


def _text(text: str, param: str) -> _Text:
    if not text:
        raise invalid_value(param, "input cannot be an empty string.")
    if has_more(text, MOST_TOKENS_AN_INPUT):
        raise _too_long(param, f"more than {MOST_TOKENS_AN_INPUT}")
    return _checked(text, count_text(text), param)


def _spelled(tokens: list[object], param: str) -> _Text:
    text = join_tokens(token for token in tokens if isinstance(token, int))
    if text is None:
        raise invalid_value(param, "it holds a number that is no token.")
    return _checked(text, len(tokens), param)


def _checked(text: str, tokens: int, param: str) -> _Text:
    if tokens > MOST_TOKENS_AN_INPUT:
        raise _too_long(param, str(tokens))
    return _Text(text, tokens)


def _too_long(param: str, tokens: str) -> Problem:
    return Problem(
        400,
        f"Invalid '{param}': maximum context length is {MOST_TOKENS_AN_INPUT} tokens, but this has {tokens} tokens.",
        param=param,
    )


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
