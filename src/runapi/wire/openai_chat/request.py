"""A Chat Completions request: its outermost fields as raw bytes, and the few of them that decide something.

Two passes over the body: one gives the fields as they go upstream, the other checks and reads all that we know of them.
A body that the second refuses takes a longer way, field by field, which finds the words for what is wrong.
"""

from collections.abc import Callable
from struct import Struct
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

import msgspec
from msgspec import Meta, Raw

from runapi.core import problems
from runapi.wire.look_alikes import is_plain, refuse_look_alikes
from runapi.wire.refusals import problem_of

Fields = dict[str, Raw]
T = TypeVar("T")

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_float = msgspec.json.Decoder(float).decode
_decode_int = msgspec.json.Decoder(int).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_flag = msgspec.json.Decoder(bool).decode

NULL = Raw(b"null")
_NO_TOOLS: frozenset[str] = frozenset()
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
_ROLES = get_args(_Role)
_SOUND = Raw(b'[{"type":"audio"}]')  # an assistant's message that refers to sound
_QUOTE = ord('"')
_LIST = ord("[")
_first_byte = Struct("B").unpack_from  # half the time of memoryview(raw)[0]
_SHALLOW_BYTES = (
    1_000  # what is no longer, or opens no more than half as many brackets, cannot be nested too deeply
)
_FRAMES_BELOW = 250  # more than any call has that decodes a part of a body, from where the body is read


class _Message(msgspec.Struct, gc=False):
    role: _Role
    content: Raw = NULL
    audio: Raw = NULL


class _Tool(msgspec.Struct, gc=False):
    type: str


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Object(msgspec.Struct):
    """Any object; what it holds is skipped."""


class SkippedList(msgspec.Struct, array_like=True):
    """Any array; but for whether it holds anything, what it holds is skipped: millions of items cost nothing."""

    first: Raw = NULL

    @property
    def is_empty(self) -> bool:
        return self.first is NULL


class _Known(msgspec.Struct):
    """The fields that decide something here."""

    model: str
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    n: int | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None


_READ_AS: dict[str, Any] = {  # the words of `_TYPES`: what an object or array holds is skipped here
    "a boolean": bool,
    "a decimal": float,
    "a string": str,
    "a string or an array of strings": str | SkippedList,
    "a string or an object": str | _Object,
    "an array of functions": SkippedList,
    "an array of strings": SkippedList,
    "an integer": int,
    "an object": _Object,
}
_READ_CLOSELY = ("model", "messages", "stream_options", "tools")  # as `_Known` has them


def _known_with_all_types() -> type[_Known]:
    """`_Known` with a field for each row of `_TYPES`, so that one pass checks them all."""
    fields: list[tuple[str, object, None]] = []
    for name, (_, words) in _TYPES.items():
        if name not in _READ_CLOSELY:
            kind = _READ_AS[words]
            if name in _RANGES:
                kind = Annotated[kind, Meta(ge=_RANGES[name][1], le=_RANGES[name][2])]
            fields.append((name, kind | None, None))
    return cast("type[_Known]", msgspec.defstruct("_KnownWithAllTypes", fields, bases=(_Known,)))


class ChatRequest(msgspec.Struct, frozen=True):
    """A request whose outermost fields have the right types; `messages` and all else stay as bytes."""

    fields: Fields
    model: str
    stream: bool
    wants_usage: bool  # the client asked for the usage chunk of a stream
    effort: str | None
    max_completion_tokens: int | None
    max_tokens: int | None
    choices: int
    service_tier: str | None
    tool_types: frozenset[str]
    part_lists: tuple[Raw, ...]  # the contents that are lists of parts


_decode_known = msgspec.json.Decoder(_known_with_all_types()).decode
_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_stream_options = msgspec.json.Decoder(_StreamOptions).decode


def read_chat_request(body: bytes) -> ChatRequest:
    """Read a request body.

    A key that stands twice counts with its last value, and only that value goes upstream.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields = read_fields(body, is_decoded_again=False)
    try:
        known = _decode_known(body)
    except (msgspec.DecodeError, RecursionError):
        _refuse(fields)
        known = _read_last_values(fields)
    options = known.stream_options
    return ChatRequest(
        fields,
        known.model,
        known.stream is True,
        options is not None and options.include_usage is True,
        known.reasoning_effort,
        known.max_completion_tokens,
        known.max_tokens,
        known.n or 1,
        known.service_tier,
        frozenset([tool.type for tool in known.tools]) if known.tools else _NO_TOOLS,
        tuple(_read_part_lists(known.messages)),
    )


def _read_part_lists(messages: list[_Message]) -> list[Raw]:
    """Check every content, and give those that are lists of parts."""
    lists = []
    for index, message in enumerate(messages):
        (first,) = _first_byte(message.content)
        if first != _QUOTE:
            if first == _LIST:
                lists.append(message.content)
            elif message.content != NULL:
                raise problems.invalid_type(
                    f"messages[{index}].content", "a string or an array", _STARTS.get(first, "a number")
                )
        if message.audio is not NULL and message.audio != NULL:
            lists.append(_SOUND)
    return lists


def _refuse(fields: Fields) -> None:
    """Say what is wrong with the fields, if each is taken with its last value.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
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
    for name, decode in (("tools", _decode_tools), ("stream_options", _decode_stream_options)):
        if name in fields and not is_null(fields[name]):
            decode_part(name, fields[name], decode)


def _read_last_values(fields: Fields) -> _Known:
    """Read fields of which an earlier value was wrong, and the last is right."""
    try:
        return _decode_known(msgspec.json.encode(fields))
    except (msgspec.DecodeError, RecursionError):  # nested as deep as just one of two readers can go
        raise problems.bad_json() from None


def is_null(raw: Raw) -> bool:
    return raw == NULL


def read_text(fields: Fields, name: str) -> str | None:
    """The string in the field, or None where it is missing or null."""
    raw = fields.get(name)
    if raw is None or is_null(raw):
        return None
    return decode_part(name, raw, _decode_text)


def read_fields(body: bytes, *, is_decoded_again: bool = True) -> Fields:
    """Read the outermost fields of a body.

    What they hold can be decoded again from anywhere below, if it will be: it is nested less deeply than could be read
    here. To see that takes half a microsecond a kilobyte.

    Raises:
        Problem: 400, it is no JSON object, or nested too deeply, or has a field that some upstreams take for another.
    """
    try:
        if not body.isascii():
            body.decode()  # the skipped parts must be UTF-8 as well
        if (
            is_decoded_again
            and len(body) > _SHALLOW_BYTES
            and body.count(b"[") + body.count(b"{") > _SHALLOW_BYTES // 2
        ):
            fields = _decode_further_down(body, _FRAMES_BELOW)
        else:
            fields = _decode_fields(body)
    except msgspec.ValidationError:
        first = body.lstrip()[:1]
        raise problems.not_an_object(_STARTS.get(first[0] if first else 0, "a number")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problems.bad_json() from None
    if not is_plain(
        "".join(fields)
    ):  # to look at each of them would take longer, and hardly any client has others
        refuse_look_alikes(fields)
    return fields


def _decode_further_down(body: bytes, frames: int) -> Fields:
    """Decode with so many frames less to go: the decoder and Python's calls share one limit of depth."""
    return _decode_further_down(body, frames - 1) if frames else _decode_fields(body)


def _check_range(name: str, raw: Raw, decode: Callable[[Raw], float], least: float, most: float) -> None:
    if is_null(raw):
        return
    try:
        value = decode(raw)
    except msgspec.DecodeError:
        raise problems.invalid_type(name, _TYPES[name][1], f"the number {_shown(raw)}") from None
    if not least <= value <= most:
        wanted = f"of at least {least}" if value < least else f"of at most {most}"
        raise problems.invalid_value(name, f"expected a value {wanted}, but got {_shown(raw)} instead.")


def _shown(raw: Raw) -> str:
    return bytes(raw)[:20].decode()


def _check_messages(fields: Fields) -> None:
    raw = fields.get("messages")
    if raw is None or is_null(raw):
        raise problems.missing_parameter("messages")
    messages = decode_part("messages", raw, _decode_messages)
    if not messages:
        raise problems.empty_array("messages")
    _read_part_lists(messages)


def decode_part(name: str, raw: Raw, decode: Callable[[Raw], T]) -> T:
    """Decode one field, and turn a fault in it into the problem that names its place."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise problem_of(str(error), name, _ROLES) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problems.bad_json() from None
