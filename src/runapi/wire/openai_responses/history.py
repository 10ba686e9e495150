"""Items of a conversation that is kept here: what was asked and answered, put in front of what is asked next.

An upstream that keeps nothing cannot know a `previous_response_id`; it gets all items instead.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from runapi.wire.openai_chat.request import NULL, Fields, is_null
from runapi.wire.openai_responses.request import ResponsesRequest, read_responses_request

_COMPLETED = Raw(b'"completed"')
_EMPTY = Raw(b"[]")
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


class _Item(msgspec.Struct):
    type: str | None = None
    role: str | None = None
    encrypted_content: str | None = None


class _Response(msgspec.Struct):
    output: list[Raw] = []


def input_items(request: ResponsesRequest) -> tuple[Raw, ...]:
    """Give what was asked as items; a text is a message of the user's."""
    raw = request.fields.get("input", NULL)
    if is_null(raw):
        return ()
    if bytes(raw).startswith(b'"'):
        return (Raw(b'{"type":"message","role":"user","content":%b}' % bytes(raw)),)
    return tuple(msgspec.json.decode(raw, type=list[Raw]))


def output_items(response: bytes) -> tuple[Raw, ...]:
    """Give the items of an answer that can be sent again.

    Reasoning that is not encrypted is left out: its upstream has not kept it, and would refuse its id. So is what led
    to nothing, as an answer that was cut off may end with it.
    """
    kept: list[Raw] = []
    for raw in reversed(msgspec.json.decode(response, type=_Response).output):
        item = msgspec.json.decode(raw, type=_Item)
        if item.type != "reasoning" or (kept and item.encrypted_content is not None):
            kept.append(raw)
    return tuple(reversed(kept))


def with_history(request: ResponsesRequest, items: Sequence[Raw]) -> ResponsesRequest:
    """Put earlier items in front of a request's own, in the place of `previous_response_id`.

    Instructions are those of the request alone: OpenAI does not carry on the earlier ones either.
    """
    fields = dict(request.fields)
    fields.pop("previous_response_id", None)
    fields["input"] = Raw(msgspec.json.encode([*items, *input_items(request)]))
    return read_responses_request(msgspec.json.encode(fields))


def as_resources(items: Iterable[Raw], base: str) -> list[Raw]:
    """Write input items as they are listed: each with an id and a status, contents as lists of parts.

    Args:
        items: as they were sent.
        base: the answer's id without its prefix; the ids of items that have none are made of it.
    """
    return [_as_resource(item, f"{base}{index:02x}") for index, item in enumerate(items)]


def _as_resource(raw: Raw, own_id: str) -> Raw:
    head = msgspec.json.decode(raw, type=_Item)
    kind = head.type or ("message" if head.role is not None else "item_reference")
    fields = msgspec.json.decode(raw, type=Fields)
    if kind in _PREFIXES:
        fields["type"] = Raw(msgspec.json.encode(kind))
        if is_null(fields.get("id", NULL)):
            fields["id"] = Raw(msgspec.json.encode(f"{_PREFIXES[kind]}_{own_id}"))
    if kind == "message":
        fields["status"] = _COMPLETED
        fields["content"] = _as_parts(fields["content"], is_answer=head.role == "assistant")
    elif kind in _PREFIXES and kind != "reasoning":
        fields["status"] = _COMPLETED
    return Raw(msgspec.json.encode(fields))


def _as_parts(content: Raw, *, is_answer: bool) -> Raw:
    """Write a content as a list of parts, those of an answer with all their keys."""
    if bytes(content).startswith(b'"'):
        kind = "output_text" if is_answer else "input_text"
        parts: list[Fields] = [{"type": Raw(msgspec.json.encode(kind)), "text": content}]
    else:
        parts = msgspec.json.decode(content, type=list[Fields])
    return Raw(msgspec.json.encode([_filled(part) for part in parts]))


def _filled(part: Fields) -> Fields:
    match bytes(part.get("type", NULL)):
        case b'"output_text"':
            return {"annotations": _EMPTY, "logprobs": _EMPTY} | part
        case b'"input_image"':
            return {"detail": Raw(b'"auto"')} | part
        case _:
            return part
