"""The items of a Responses request's `input`, read into the neutral form."""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.decode import decode_part
from runapi.wire.needed import needed
from runapi.wire.neutral import (
    Call,
    CallKind,
    CallResult,
    File,
    Image,
    Item,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Turn,
)
from runapi.wire.openai_chat.request import is_null
from runapi.wire.refusals import unsupported

_QUOTE = b'"'
_ONLY_PASSED_ON = (
    "Only an upstream that speaks Responses itself understands it, and this model has none. Leave it out."
)


class _Head(msgspec.Struct):
    type: str | None = None
    role: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


class _Message(msgspec.Struct):
    role: Role
    content: str | list[_Part]


class _Call(msgspec.Struct):
    call_id: str
    name: str
    arguments: str | None = None
    input: str | None = None
    namespace: str | None = None


class _CallResult(msgspec.Struct):
    call_id: str
    output: str | list[_Part]


class _Summary(msgspec.Struct):
    text: str = ""


class _Reasoning(msgspec.Struct):
    id: str | None = None
    encrypted_content: str | None = None
    summary: list[_Summary] | None = None


def read_input(raw: Raw) -> tuple[Item, ...]:
    """Read the input: one user's text, or items.

    Raises:
        Problem: 400, naming an item or a part that no other dialect has a word for.
    """
    if is_null(raw):
        return ()
    if bytes(raw).startswith(_QUOTE):
        return (Turn(Role.USER, (Text(decode_part(raw, str, "input")),), is_plain=True),)
    items = decode_part(raw, list[Raw], "input")
    return tuple(_read_item(item, f"input[{index}]") for index, item in enumerate(items))


def _read_item(raw: Raw, param: str) -> Item:
    head = decode_part(raw, _Head, param)
    kind = head.type or ("message" if head.role is not None else "item_reference")
    read = _READERS.get(kind)
    if read is None:
        raise unsupported(f"{param}.type", f"It is an item of type '{kind[:40]}'. {_ONLY_PASSED_ON}")
    return read(raw, param)


def _read_message(raw: Raw, param: str) -> Turn:
    message = decode_part(raw, _Message, param)
    if isinstance(message.content, str):
        return Turn(message.role, (Text(message.content),), is_plain=True)
    return Turn(message.role, _read_parts(message.content, f"{param}.content"))


def _read_function_call(raw: Raw, param: str) -> Call:
    call = _read_call(raw, param)
    return Call(call.call_id, call.name, needed(call.arguments, param, "arguments"))


def _read_custom_call(raw: Raw, param: str) -> Call:
    call = _read_call(raw, param)
    return Call(call.call_id, call.name, needed(call.input, param, "input"), CallKind.CUSTOM)


def _read_call(raw: Raw, param: str) -> _Call:
    call = decode_part(raw, _Call, param)
    if call.namespace is not None:  # two tools may have one name in two of them
        raise unsupported(f"{param}.namespace", _ONLY_PASSED_ON)
    return call


def _read_function_result(raw: Raw, param: str) -> CallResult:
    return _read_result(raw, param, CallKind.FUNCTION)


def _read_custom_result(raw: Raw, param: str) -> CallResult:
    return _read_result(raw, param, CallKind.CUSTOM)


def _read_result(raw: Raw, param: str, kind: CallKind) -> CallResult:
    result = decode_part(raw, _CallResult, param)
    if isinstance(result.output, str):
        return CallResult(result.call_id, (Text(result.output),), kind)
    return CallResult(result.call_id, _read_parts(result.output, f"{param}.output"), kind)


def _read_reasoning(raw: Raw, param: str) -> Reasoning:
    item = decode_part(raw, _Reasoning, param)
    return Reasoning(item.id, item.encrypted_content, tuple(part.text for part in item.summary or ()))


def _read_parts(parts: list[_Part], param: str) -> tuple[Part, ...]:
    return tuple(_read_part(part, f"{param}[{index}]") for index, part in enumerate(parts))


def _read_part(part: _Part, param: str) -> Part:
    match part.type:
        case "input_text" | "output_text" | "text":
            return Text(needed(part.text, param, "text"))
        case "refusal":
            return Refusal(needed(part.refusal, param, "refusal"))
        case "input_image":
            if part.image_url is None and part.file_id is None:
                raise problems.missing_parameter(f"{param}.image_url")
            return Image(part.image_url, part.file_id, part.detail)
        case "input_file":
            if part.file_data is None and part.file_url is None and part.file_id is None:
                raise problems.missing_parameter(f"{param}.file_data")
            return File(part.file_data, part.file_url, part.file_id, part.filename)
        case _:
            raise unsupported(f"{param}.type", f"It is a part of type '{part.type[:40]}'. {_ONLY_PASSED_ON}")


_READERS: dict[str, Callable[[Raw, str], Item]] = {
    "message": _read_message,
    "function_call": _read_function_call,
    "function_call_output": _read_function_result,
    "custom_tool_call": _read_custom_call,
    "custom_tool_call_output": _read_custom_result,
    "reasoning": _read_reasoning,
}
