"""Count the input tokens of a Responses request, with no network (see `wire/tokens.py`)."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from runapi.wire import image_tokens
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.request import ResponsesRequest
from runapi.wire.tokens import count_chat_input, count_text

Fields = dict[str, object]

_CALLS = {"function_call": "function", "custom_tool_call": "custom"}
_RESULTS = ("function_call_output", "custom_tool_call_output")
_TEXTS = ("input_text", "output_text", "text", "reasoning_text", "summary_text")
_COUNTED_ITEMS = frozenset(("message", *_CALLS, *_RESULTS))
_COUNTED_TOOLS = frozenset(("function", "custom"))
_COUNTED_PARTS = frozenset((*_TEXTS, "refusal"))


class _Part(msgspec.Struct):
    type: str = ""


class _TextOptions(msgspec.Struct):
    format: _Part | None = None


def count_input(
    request: ResponsesRequest, *, auto_detail: image_tokens.Detail = image_tokens.Detail.HIGH
) -> int:
    """Count the tokens of a request's instructions, items and tools; long ones take long.

    Each counts as what it would be in Chat, where the rules are published. Items of an unknown type count as their
    JSON text does, and encrypted ones so too, which is more than they are.

    Args:
        request: as the client sent it.
        auto_detail: what the model takes `"detail": "auto"` for.
    """
    fields = request.fields
    try:
        messages = _messages(fields.get("input", NULL), fields.get("instructions", NULL))
        tools = [_as_chat_tool(tool) for tool in _list(msgspec.json.decode(fields.get("tools", NULL)))]
    except (msgspec.DecodeError, RecursionError):  # a number of 5,000 digits; an upstream may take it
        return sum(count_text(bytes(fields.get(name, b"")).decode()) for name in ("input", "tools"))
    return count_chat_input(messages, tools, auto_detail=auto_detail)


def is_counted_exactly(request: ResponsesRequest) -> bool:
    """Whether all that goes into the prompt is text whose tokens can be counted here."""
    return (
        not _has_schema(request.fields.get("text", NULL))  # what an upstream makes of it is not published
        and request.previous_response_id is None
        and request.item_types <= _COUNTED_ITEMS
        and request.tool_types <= _COUNTED_TOOLS
        and all(_is_text(parts) for parts in request.part_lists)
    )


def _has_schema(raw: Raw) -> bool:
    """Whether `text` asks for a form of the answer; in doubt it does."""
    try:
        text = msgspec.json.decode(raw, type=_TextOptions | None)
    except (msgspec.DecodeError, RecursionError):
        return True
    return text is not None and text.format is not None and text.format.type == "json_schema"


def _is_text(parts: Raw) -> bool:
    try:
        return {part.type for part in msgspec.json.decode(parts, type=list[_Part])} <= _COUNTED_PARTS
    except msgspec.DecodeError:
        return False


def _messages(raw_input: Raw, raw_instructions: Raw) -> list[Fields]:
    messages: list[Fields] = []
    instructions = msgspec.json.decode(raw_instructions)
    if isinstance(instructions, str) and instructions:
        messages.append({"role": "system", "content": instructions})
    given = msgspec.json.decode(raw_input)
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    return messages + [_as_chat_message(item) for item in _list(given) if isinstance(item, dict)]


def _as_chat_message(item: Fields) -> Fields:
    kind = item.get("type") or "message"
    if kind == "message":
        return {"role": item.get("role"), "content": _as_chat_content(item.get("content"))}
    if kind in _CALLS:
        call = {name: item.get(name) for name in ("name", "arguments", "input")}
        return {"role": "assistant", "tool_calls": [{_CALLS[str(kind)]: call}]}
    if kind in _RESULTS:
        return {"role": "tool", "content": _as_chat_content(item.get("output"))}
    return {"role": "assistant", "content": msgspec.json.encode(item).decode()}


def _as_chat_content(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [_as_chat_part(part) for part in content if isinstance(part, dict)]


def _as_chat_part(part: Fields) -> Fields:
    match part.get("type"):
        case "input_image":
            return {
                "type": "image_url",
                "image_url": {"url": part.get("image_url"), "detail": part.get("detail")},
            }
        case "input_file":
            return {"type": "file"}
        case kind if kind in _TEXTS:
            return {"type": "text", "text": part.get("text")}
        case _:
            return part


def _as_chat_tool(tool: object) -> object:
    """A function or custom tool as Chat has it; one that an upstream runs counts by its JSON, as a description."""
    if not isinstance(tool, dict):
        return None
    match tool.get("type"):
        case "function":
            return {"function": tool}
        case "custom":
            grammar = tool.get("format")
            return {"custom": {**tool, "format": {"grammar": grammar}}}
        case kind:
            return {"function": {"name": kind, "description": msgspec.json.encode(tool).decode()}}


def _list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
