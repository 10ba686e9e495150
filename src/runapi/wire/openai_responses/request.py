"""A Responses request: its outermost fields as raw bytes, and the few of them that decide something.

What nobody here need understand stays as it came: clients send items, tools and fields that are newer than this, and
an upstream that speaks the same dialect gets them untouched.
"""

from struct import Struct
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Raw

from runapi.core import problems
from runapi.wire.half_characters import read_mended
from runapi.wire.openai_chat.request import NULL, Fields, is_null, read_fields
from runapi.wire.openai_responses.tool_types import TypedTool, type_of
from runapi.wire.refusals import problem_of, unknown_word, unsupported

LEAST_CAP = 16
"""OpenAI refuses a smaller `max_output_tokens` (api.md 2.3)."""

_MOST_CAP = 2**53
_MOST_METADATA = 16
_QUOTE, _LIST = ord('"'), ord("[")
_STARTS = {ord("{"): "an object", ord("t"): "a boolean", ord("f"): "a boolean", ord("n"): "null"}
_first_byte = Struct("B").unpack_from

Role = Literal["user", "assistant", "system", "developer"]
Truncation = Literal["auto", "disabled"]


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    content: Raw = NULL
    output: Raw = NULL


class _Object(msgspec.Struct):
    """Any object; what it holds is skipped."""


class _Typed(msgspec.Struct, gc=False):
    type: str


class _Text(msgspec.Struct):
    format: _Typed | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class _StreamOptions(msgspec.Struct):
    include_obfuscation: bool | None = None


class _Known(msgspec.Struct):
    """The fields whose types are known; `input` is read by itself."""

    model: str
    background: bool | None = None
    conversation: str | _Object | None = None
    include: list[str] | None = None
    input: Raw = NULL
    instructions: str | None = None
    max_output_tokens: Annotated[int, Meta(ge=LEAST_CAP, le=_MOST_CAP)] | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: _Object | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: _Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    text: _Text | None = None
    tool_choice: str | _Object | None = None
    tools: list[TypedTool] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    truncation: Truncation | None = None
    user: str | None = None


class ResponsesRequest(msgspec.Struct, frozen=True):
    """A request whose known fields have the right types; `input` and all else stay as bytes."""

    fields: Fields
    model: str
    stream: bool
    effort: str | None
    max_output_tokens: int | None
    service_tier: str | None
    store: bool  # the client may ask for this answer later, or continue it; true where it does not say
    previous_response_id: str | None
    include: frozenset[str]
    tool_types: frozenset[str]  # by `type_of`
    item_types: frozenset[str]  # of `input`, where it is a list
    part_lists: tuple[Raw, ...]  # the contents and outputs that are lists of parts


_decode_known = msgspec.json.Decoder(_Known).decode
_decode_items = msgspec.json.Decoder(list[_Item]).decode


def read_responses_request(body: bytes) -> ResponsesRequest:
    """Read a request body.

    A key that stands twice counts with its last value, and only that value goes upstream.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields, body = read_mended(read_fields, body)
    try:
        known = _decode_known(body)
    except (msgspec.DecodeError, RecursionError):
        known = _read_last_values(fields)
    _refuse_what_is_not_kept_here(known)
    if known.metadata is not None and len(known.metadata) > _MOST_METADATA:
        raise problems.invalid_value("metadata", f"at most {_MOST_METADATA} pairs are allowed.")
    items = _read_input(known)
    return ResponsesRequest(
        fields,
        known.model,
        known.stream is True,
        known.reasoning.effort if known.reasoning is not None else None,
        known.max_output_tokens,
        known.service_tier,
        known.store is not False,
        known.previous_response_id,
        frozenset(known.include or ()),
        frozenset(map(type_of, known.tools or ())),
        frozenset([_type_of(item) for item in items]),
        tuple(_read_part_lists(items)),
    )


def _refuse_what_is_not_kept_here(known: _Known) -> None:
    """Refuse what lives on in an upstream's account, which all customers of this server share."""
    if known.background:
        raise unsupported("background", "Answers are made while the client waits. Use stream instead.")
    if known.conversation is not None:
        raise unsupported(
            "conversation", "No conversations are kept here. Use previous_response_id, or send all items."
        )
    if known.prompt is not None:
        raise unsupported("prompt", "No prompt templates are kept here. Send instructions and input.")


def _read_last_values(fields: Fields) -> _Known:
    """Read the fields, each with its last value: an earlier one may have been the wrong one."""
    if is_null(fields.get("model", NULL)):
        raise problems.missing_parameter("model")
    try:
        return _decode_known(msgspec.json.encode(fields))
    except msgspec.ValidationError as fault:
        raise problem_of(str(fault), words=get_args(Truncation)) from None
    except (msgspec.DecodeError, RecursionError):
        raise problems.bad_json() from None


def _read_input(known: _Known) -> list[_Item]:
    """Check the input's outermost shape, and give its items; none where it is a text."""
    (first,) = _first_byte(known.input)
    if first == _QUOTE:
        return []
    if first == _LIST:
        items = _decode_input(known.input)
        if not items and known.previous_response_id is None:
            raise problems.empty_array("input")
        for index, item in enumerate(items):
            _check_item(index, item)
        return items
    if not is_null(known.input):
        raise problems.invalid_type("input", "a string or an array", _kind(first))
    if known.previous_response_id is None:
        raise problems.missing_parameter("input")
    return []


def _decode_input(raw: Raw) -> list[_Item]:
    try:
        return _decode_items(raw)
    except msgspec.ValidationError as fault:
        raise problem_of(str(fault), "input") from None
    except (msgspec.DecodeError, RecursionError):
        raise problems.bad_json() from None


def _check_item(index: int, item: _Item) -> None:
    """Check a message; every other item is its upstream's business."""
    if item.type not in (None, "message"):
        return
    if item.role is None:
        if item.type is None and item.id is not None:  # a reference, which need not name its type
            return
        raise problems.missing_parameter(f"input[{index}].role")
    roles = get_args(Role)
    if item.role not in roles:
        raise unknown_word(f"input[{index}].role", item.role, roles)
    (first,) = _first_byte(item.content)
    if first not in (_QUOTE, _LIST):
        if is_null(item.content):
            raise problems.missing_parameter(f"input[{index}].content")
        raise problems.invalid_type(f"input[{index}].content", "a string or an array", _kind(first))


def _type_of(item: _Item) -> str:
    return item.type or ("message" if item.role is not None else "item_reference")


def _read_part_lists(items: list[_Item]) -> list[Raw]:
    return [raw for item in items for raw in (item.content, item.output) if _first_byte(raw)[0] == _LIST]


def _kind(first: int) -> str:
    return {_QUOTE: "a string", _LIST: "an array"}.get(first) or _STARTS.get(first, "a number")
