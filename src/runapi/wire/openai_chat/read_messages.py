"""The messages of a Chat request as neutral items.

What clients add to an assistant's message beside its words and calls (`reasoning_content`, `annotations`, ...) is their
own note and goes no further: Chat has no field for it (api.md 3.1).
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.needed import needed
from runapi.wire.neutral import (
    Call,
    CallKind,
    CallResult,
    File,
    Image,
    Item,
    Part,
    Refusal,
    Role,
    Text,
    Turn,
)
from runapi.wire.openai_chat.request import NULL, decode_part
from runapi.wire.refusals import unsupported

_DATA_URL = "data:"
_PDF = "data:application/pdf;base64,"  # what Chat takes a document's bare base64 for


class _Url(msgspec.Struct):
    url: str
    detail: str | None = None


class _Document(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Url | str | None = None
    file: _Document | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Custom(msgspec.Struct):
    name: str
    input: str = ""


class _ToolCall(msgspec.Struct):
    id: str
    function: _Function | None = None
    custom: _Custom | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None
    audio: Raw = NULL


_decode = msgspec.json.Decoder(list[_Message]).decode


def read_items(messages: Raw) -> tuple[Item, ...]:
    """Read the messages of a request, in order; a call's id decides what kind its result is.

    Raises:
        Problem: 400, naming the place of what is wrong or has no neutral form.
    """
    reader = _ItemReader()
    for index, message in enumerate(decode_part("messages", messages, _decode)):
        reader.take(message, f"messages[{index}]")
    return tuple(reader.items)


class _ItemReader:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self._kinds: dict[str, CallKind] = {}
        self._calls_by_name: dict[
            str, str
        ] = {}  # of the older form, whose calls have no ids: the newest one's

    def take(self, message: _Message, place: str) -> None:
        match message.role:
            case "tool":
                self._take_result(message, place)
            case "function":
                self._take_older_result(message, place)
            case "assistant":
                self._take_answer(message, place)
            case _:
                parts = _read_content(message, place)
                is_plain = not isinstance(message.content, list)
                self.items.append(Turn(Role(message.role), parts, message.name, is_plain))

    def _take_answer(self, message: _Message, place: str) -> None:
        if message.audio != NULL:
            raise unsupported(f"{place}.audio", "Send its transcript as text instead.")
        calls = message.tool_calls or []
        parts = _read_content(message, place)
        if message.refusal:
            parts = (*(part for part in parts if part != Text("")), Refusal(message.refusal))
        if parts != (Text(""),) or not (calls or message.function_call):  # nothing said beside the calls
            is_plain = not isinstance(message.content, list)
            self.items.append(Turn(Role.ASSISTANT, parts, message.name, is_plain))
        for index, call in enumerate(calls):
            self._take_call(call, f"{place}.tool_calls[{index}]")
        if message.function_call is not None:
            older = message.function_call
            call_id = f"call_function_{len(self._kinds)}"
            self._calls_by_name[older.name] = call_id
            self._add_call(Call(call_id, older.name, older.arguments))

    def _take_call(self, call: _ToolCall, place: str) -> None:
        if call.custom is not None:
            self._add_call(Call(call.id, call.custom.name, call.custom.input, CallKind.CUSTOM))
        else:
            function = needed(call.function, place, "function")
            self._add_call(Call(call.id, function.name, function.arguments))

    def _add_call(self, call: Call) -> None:
        self._kinds[call.id] = call.kind
        self.items.append(call)

    def _take_result(self, message: _Message, place: str) -> None:
        call_id = needed(message.tool_call_id, place, "tool_call_id")
        kind = self._kinds.get(call_id, CallKind.FUNCTION)
        self.items.append(CallResult(call_id, _read_content(message, place), kind))

    def _take_older_result(self, message: _Message, place: str) -> None:
        call_id = self._calls_by_name.get(message.name or "")
        if call_id is None:
            explanation = "a function's message must name a function that the assistant called before."
            raise problems.invalid_value(f"{place}.name", explanation)
        self.items.append(CallResult(call_id, _read_content(message, place)))


def _read_content(message: _Message, place: str) -> tuple[Part, ...]:
    content = message.content
    if isinstance(content, list):
        return tuple(_read_part(part, f"{place}.content[{index}]") for index, part in enumerate(content))
    return (Text(content or ""),)


def _read_part(part: _Part, place: str) -> Part:
    match part.type:
        case "text":
            return Text(needed(part.text, place, "text"))
        case "refusal":
            return Refusal(needed(part.refusal, place, "refusal"))
        case "image_url":
            if part.image_url is None:
                raise problems.missing_parameter(f"{place}.image_url")
            if isinstance(part.image_url, str):
                return Image(part.image_url)
            return Image(part.image_url.url, detail=part.image_url.detail)
        case "file":
            return _read_file(part.file, place)
        case _:
            raise unsupported(f"{place}.type", "Send text, images or documents.")


def _read_file(file: _Document | None, place: str) -> File:
    if file is None or (file.file_id is None and file.file_data is None):
        raise problems.missing_parameter(f"{place}.file" if file is None else f"{place}.file.file_data")
    data = file.file_data
    if data is not None and not data.startswith(_DATA_URL):
        data = _PDF + data
    return File(data, file_id=file.file_id, filename=file.filename)
