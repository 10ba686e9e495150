"""Count the input tokens of a request in the neutral form, as those of the Chat request that says the same."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from runapi.wire.image_tokens import Detail
from runapi.wire.neutral import (
    Asked,
    Call,
    CallKind,
    CallResult,
    File,
    Image,
    Item,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    Turn,
)
from runapi.wire.tokens import count_chat_input

Written = dict[str, object]


def count_asked(asked: Asked, *, auto_detail: Detail = Detail.HIGH) -> int:
    """Count the input tokens: exact for text, close for tools and images, as `tokens` says.

    Reasoning that is given back counts nothing: it is encrypted. So does a tool that runs at the upstream.

    Args:
        asked: the request.
        auto_detail: how closely the model looks at an image if nobody says.
    """
    tools = [_write_tool(tool) for tool in asked.tools if tool.hosted is None]
    return count_chat_input(_write_messages(asked.items), tools, auto_detail=auto_detail)


def _write_messages(items: Iterable[Item]) -> list[Written]:
    """Write messages as far as they count; consecutive calls, and what is said before them, are one."""
    messages: list[Written] = []
    calls: list[Written] | None = None  # of the last message, if it is the assistant's
    for item in items:
        match item:
            case Turn():
                message: Written = {"role": str(item.role), "content": _write_parts(item.parts)}
                if item.name is not None:
                    message["name"] = item.name
                calls = [] if item.role == "assistant" else None
                if calls is not None:
                    message["tool_calls"] = calls
                messages.append(message)
            case Call():
                if calls is None:
                    calls = []
                    messages.append({"role": "assistant", "tool_calls": calls})
                calls.append(_write_call(item))
            case CallResult():
                calls = None
                messages.append({"role": "tool", "content": _write_parts(item.parts)})
            case Reasoning():
                pass
    return messages


def _write_parts(parts: Iterable[Part]) -> list[Written]:
    written: list[Written] = []
    for part in parts:
        match part:
            case Text():
                written.append({"type": "text", "text": part.text})
            case Refusal():
                written.append({"type": "refusal", "refusal": part.text})
            case Image():
                written.append({"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}})
            case File():
                written.append({"type": "file"})
    return written


def _write_call(call: Call) -> Written:
    if call.kind is CallKind.CUSTOM:
        return {"custom": {"name": call.name, "input": call.arguments}}
    return {"function": {"name": call.name, "arguments": call.arguments}}


def _write_tool(tool: Tool) -> Written:
    known: Written = {"name": tool.name, "description": tool.description}
    if tool.kind is CallKind.CUSTOM:
        return {"custom": known | {"format": {"grammar": _decode(tool.grammar)}}}
    return {"function": known | {"parameters": _decode(tool.schema)}}


def _decode(raw: Raw | None) -> object:
    """Decode a schema or a grammar; what JSON allows and nobody can read, such as 5,000 digits, counts nothing."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
