"""Items as they are listed: each with an id and a status, contents as lists of parts."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from runapi.wire.openai_chat.request import NULL, Fields, is_null

_COMPLETED = Raw(b'"completed"')
_EMPTY = Raw(b"[]")
_STARTS = {b'"': "a text", b"[": "parts"}
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_OTHER_PREFIX = "item"


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None


class ListedItem(msgspec.Struct, frozen=True):
    """An item and its id."""

    id: str
    raw: Raw


def as_listed(items: Iterable[Raw], base: str) -> list[ListedItem]:
    """Write input items as they are listed; what is not known stays as it is, but for an id.

    Args:
        items: as they were sent.
        base: the answer's id without its prefix; the ids of items that have none are made of it.
    """
    return [_as_listed(item, f"{base}{index:02x}") for index, item in enumerate(items)]


def _as_listed(raw: Raw, own_id: str) -> ListedItem:
    head = msgspec.json.decode(raw, type=_Item)
    kind = head.type or ("message" if head.role is not None else "item_reference")
    fields = msgspec.json.decode(raw, type=Fields)
    item_id = head.id or f"{_PREFIXES.get(kind, _OTHER_PREFIX)}_{own_id}"
    fields["type"] = Raw(msgspec.json.encode(kind))
    fields["id"] = Raw(msgspec.json.encode(item_id))
    if kind == "message":
        fields["content"] = _as_parts(fields.get("content", NULL), is_answer=head.role == "assistant")
    if kind in _PREFIXES and kind != "reasoning":
        fields["status"] = _COMPLETED
    return ListedItem(item_id, Raw(msgspec.json.encode(fields)))


def _as_parts(content: Raw, *, is_answer: bool) -> Raw:
    """Write a content as a list of parts, those of an answer with all their keys."""
    match _STARTS.get(bytes(content)[:1]):
        case "a text":
            kind = "output_text" if is_answer else "input_text"
            parts: list[Fields] = [{"type": Raw(msgspec.json.encode(kind)), "text": content}]
        case "parts":
            try:
                parts = msgspec.json.decode(content, type=list[Fields])
            except msgspec.ValidationError:  # no parts at all: an upstream took it, whatever it is
                return content
        case _:
            parts = []
    return Raw(msgspec.json.encode([_filled(part) for part in parts]))


def _filled(part: Fields) -> Fields:
    match bytes(part.get("type", NULL)):
        case b'"output_text"':
            return {"annotations": _EMPTY, "logprobs": _EMPTY} | part
        case b'"input_image"' if is_null(part.get("detail", NULL)):
            return part | {"detail": Raw(b'"auto"')}
        case _:
            return part
