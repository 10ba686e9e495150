"""A Chat Completions request: its outermost fields as raw bytes, and the few of them that decide something."""

import re
from collections.abc import Callable
from typing import Literal, TypeVar, get_args

import msgspec
from msgspec import Raw

from runapi.core import problems

Fields = dict[str, Raw]
T = TypeVar("T")

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_float = msgspec.json.Decoder(float).decode
_decode_int = msgspec.json.Decoder(int).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_flag = msgspec.json.Decoder(bool).decode

NULL = Raw(b"null")
_STARTS = {
    ord('"'): "a string",
    ord("["): "an array",
    ord("{"): "an object",
    ord("t"): "a boolean",
    ord("f"): "a boolean",
    ord("n"): "null",
}

_NUMBER = b"-0123456789"
_FLAG = b"tf"
_TYPES: dict[str, tuple[bytes, str]] = {
    # field: the bytes its value may begin with (null is allowed beside), and the words for it
    "audio": (b"{", "an object"),
    "frequency_penalty": (_NUMBER, "a decimal"),
    "function_call": (b'"{', "a string or an object"),
    "functions": (b"[", "an array of functions"),
    "logit_bias": (b"{", "an object"),
    "logprobs": (_FLAG, "a boolean"),
    "max_completion_tokens": (_NUMBER, "an integer"),
    "max_tokens": (_NUMBER, "an integer"),
    "messages": (b"[", "an array of objects"),
    "metadata": (b"{", "an object"),
    "modalities": (b"[", "an array of strings"),
    "model": (b'"', "a string"),
    "n": (_NUMBER, "an integer"),
    "parallel_tool_calls": (_FLAG, "a boolean"),
    "prediction": (b"{", "an object"),
    "presence_penalty": (_NUMBER, "a decimal"),
    "prompt_cache_key": (b'"', "a string"),
    "reasoning_effort": (b'"', "a string"),
    "response_format": (b"{", "an object"),
    "safety_identifier": (b'"', "a string"),
    "seed": (_NUMBER, "an integer"),
    "service_tier": (b'"', "a string"),
    "stop": (b'"[', "a string or an array of strings"),
    "store": (_FLAG, "a boolean"),
    "stream": (_FLAG, "a boolean"),
    "stream_options": (b"{", "an object"),
    "temperature": (_NUMBER, "a decimal"),
    "tool_choice": (b'"{', "a string or an object"),
    "tools": (b"[", "an array of objects"),
    "top_logprobs": (_NUMBER, "an integer"),
    "top_p": (_NUMBER, "a decimal"),
    "user": (b'"', "a string"),
    "verbosity": (b'"', "a string"),
    "web_search_options": (b"{", "an object"),
}
_RANGES: dict[str, tuple[Callable[[Raw], float], float, float]] = {
    # field: how it is read, its least and its greatest value (api.md 3.1)
    "frequency_penalty": (_decode_float, -2, 2),
    "max_completion_tokens": (_decode_int, 1, 2**53),
    "max_tokens": (_decode_int, 1, 2**53),
    "n": (_decode_int, 1, 128),
    "presence_penalty": (_decode_float, -2, 2),
    "seed": (_decode_int, -(2**63), 2**63 - 1),
    "temperature": (_decode_float, 0, 2),
    "top_logprobs": (_decode_int, 0, 20),
    "top_p": (_decode_float, 0, 1),
}


_Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
_ROLES_SAID = f"Supported values are: {', '.join(map(repr, get_args(_Role)))}."


class _Message(msgspec.Struct):
    role: _Role
    content: Raw = NULL


class _Tool(msgspec.Struct):
    type: str


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """A request whose outermost fields have the right types; `messages` and all else stay as bytes."""

    fields: Fields
    model: str
    stream: bool
    wants_usage: bool  # the client asked for the usage chunk of a stream


_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_stream_options = msgspec.json.Decoder(_StreamOptions).decode


def read_chat_request(body: bytes) -> ChatRequest:
    """Read a request body.

    A key that stands twice counts with its last value, and only that value goes upstream.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields = _read_fields(body)
    for name, raw in fields.items():
        expected = _TYPES.get(name)
        if expected is not None:
            first = memoryview(raw)[0]
            if first not in expected[0] and first != ord("n"):
                raise problems.invalid_type(name, expected[1], _STARTS.get(first, "a number"))
    for name, bounds in _RANGES.items():
        if name in fields:
            _check_range(name, fields[name], *bounds)
    if "model" not in fields or is_null(fields["model"]):
        raise problems.missing_parameter("model")
    _check_messages(fields)
    if "tools" in fields and not is_null(fields["tools"]):
        _decode_part("tools", fields["tools"], _decode_tools)
    return ChatRequest(
        fields, read_text(fields, "model") or "", _flag(fields, "stream"), _wants_usage(fields)
    )


def is_null(raw: Raw) -> bool:
    return raw == NULL


def read_text(fields: Fields, name: str) -> str | None:
    """The string in the field, or None where it is missing or null."""
    raw = fields.get(name)
    if raw is None or is_null(raw):
        return None
    return _decode_part(name, raw, _decode_text)


def read_integer(fields: Fields, name: str) -> int | None:
    """The integer in the field, or None where it is missing or null."""
    raw = fields.get(name)
    if raw is None or is_null(raw):
        return None
    return _decode_part(name, raw, _decode_int)


def _read_fields(body: bytes) -> Fields:
    try:
        if not body.isascii():
            body.decode()  # the skipped parts must be UTF-8 as well
        return _decode_fields(body)
    except msgspec.ValidationError:
        first = body.lstrip()[:1]
        raise problems.not_an_object(_STARTS.get(first[0] if first else 0, "a number")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problems.bad_json() from None


def _check_range(name: str, raw: Raw, decode: Callable[[Raw], float], least: float, most: float) -> None:
    if is_null(raw):
        return
    try:
        value = decode(raw)
    except msgspec.DecodeError:
        raise problems.invalid_type(name, _TYPES[name][1], f"the number {_shown(raw)}") from None
    if not least <= value <= most:
        raise problems.invalid_value(
            name, f"expected a value from {least} to {most}, but got {_shown(raw)} instead."
        )


def _shown(raw: Raw) -> str:
    return bytes(raw)[:20].decode()


def _check_messages(fields: Fields) -> None:
    raw = fields.get("messages")
    if raw is None or is_null(raw):
        raise problems.missing_parameter("messages")
    messages = _decode_part("messages", raw, _decode_messages)
    if not messages:
        raise problems.empty_array("messages")
    for index, message in enumerate(messages):
        first = memoryview(message.content)[0]
        if first not in b'"[n':
            raise problems.invalid_type(
                f"messages[{index}].content", "a string or an array", _STARTS.get(first, "a number")
            )


def _flag(fields: Fields, name: str) -> bool:
    raw = fields.get(name)
    return raw is not None and not is_null(raw) and _decode_part(name, raw, _decode_flag)


def _wants_usage(fields: Fields) -> bool:
    raw = fields.get("stream_options")
    if raw is None or is_null(raw):
        return False
    return bool(_decode_part("stream_options", raw, _decode_stream_options).include_usage)


def _decode_part(name: str, raw: Raw, decode: Callable[[Raw], T]) -> T:
    """Decode one field, and turn a fault in it into the problem that names its place."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise _problem_of(name, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problems.bad_json() from None


_MOST_SHOWN = 40
_WORDS = {
    "array": "an array",
    "bool": "a boolean",
    "float": "a decimal",
    "int": "an integer",
    "object": "an object",
    "str": "a string",
}
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
_UNKNOWN_WORD = re.compile(r"^Invalid enum value '(?P<word>.*)'$", re.DOTALL)
_TYPE_FAULT = re.compile(r"^Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<field>[^`]+)`$")


def _problem_of(name: str, fault: str) -> problems.Problem:
    match = _PLACE.match(fault)
    what, place = (match["what"], match["place"] or "") if match else (fault, "")
    param = name + place
    if missing := _MISSING.match(what):
        return problems.missing_parameter(f"{param}.{missing['field']}")
    if wrong := _TYPE_FAULT.match(what):
        return problems.invalid_type(param, _in_words(wrong["expected"]), _in_words(wrong["got"]))
    if unknown := _UNKNOWN_WORD.match(what):
        return problems.invalid_value(param, f"'{unknown['word'][:_MOST_SHOWN]}'. {_ROLES_SAID}")
    return problems.invalid_value(param, f"{what.replace('`', '')[:_MOST_SHOWN]}.")


def _in_words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | "))
