"""Items of a conversation that is kept here: what was asked and answered, put in front of what is asked next.

An upstream that keeps nothing cannot know a `previous_response_id`, nor an item by its id; it gets all items instead.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec import Raw

from runapi.core.stored_response_problems import unknown_item
from runapi.wire.openai_chat.request import NULL, is_null
from runapi.wire.openai_responses.request import ResponsesRequest, read_responses_request

_EMPTY = (b"null", b"[]")
_TRUE, _FALSE = b"true", b"false"
_SAID_AGAIN = (
    *("previous_response_id", "max_output_tokens"),
    *("prompt_cache_key", "safety_identifier", "user"),  # customers share an upstream's account
)
_LONGEST_SHOWN = 100
_REFERRING = frozenset(("item_reference", "reasoning"))


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    encrypted_content: Raw = NULL
    content: Raw = NULL

    @property
    def is_reference(self) -> bool:
        """Whether it only names an item; its type may be left out."""
        return self.type == "item_reference" or (self.type is None and self.role is None)

    @property
    def is_unreadable(self) -> bool:
        """Whether it is reasoning of which only an upstream that has kept it can know more."""
        return self.type == "reasoning" and is_null(self.encrypted_content) and bytes(self.content) in _EMPTY


class _Response(msgspec.Struct):
    output: list[Raw] = []


_decode_known = msgspec.json.Decoder(_Item).decode
_decode_all_known = msgspec.json.Decoder(list[_Item]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode


def _decode_item(raw: Raw) -> _Item:
    """Read what is known of an item; one whose fields have other types is none of those that are looked at here."""
    try:
        return _decode_known(raw)
    except msgspec.ValidationError:
        return _Item(type="")


# ---- what is kept ----------------------------------------------------------------------------------------


def input_items(request: ResponsesRequest) -> tuple[Raw, ...]:
    """Give what was asked as items; a text is a message of the user's."""
    raw = request.fields.get("input", NULL)
    if is_null(raw):
        return ()
    if bytes(raw).startswith(b'"'):
        return (Raw(b'{"type":"message","role":"user","content":%b}' % bytes(raw)),)
    return tuple(_decode_items(raw))


def output_items(response: bytes) -> tuple[Raw, ...]:
    """Give the items of an answer that can be sent again.

    Reasoning that nobody can read is left out: its upstream has not kept it, and would refuse its id. So is what led
    to nothing, as an answer that was cut off may end with it.
    """
    kept: list[Raw] = []
    for raw in reversed(msgspec.json.decode(response, type=_Response).output):
        item = _decode_item(raw)
        if item.type != "reasoning" or (kept and not item.is_unreadable):
            kept.append(raw)
    return tuple(reversed(kept))


def items_by_id(response: bytes, item_ids: Collection[str]) -> dict[str, Raw]:
    """Give those items of an answer that have these ids, without the rest of it."""
    output = msgspec.json.decode(response, type=_Response).output
    named = [(_decode_item(raw).id, raw) for raw in output]
    return {item_id: raw.copy() for item_id, raw in named if item_id is not None and item_id in item_ids}


# ---- what is asked next ----------------------------------------------------------------------------------


def named_items(request: ResponsesRequest) -> frozenset[str]:
    """Give the ids of the items that a request names and does not hold: references, and reasoning without its text."""
    if _REFERRING.isdisjoint(request.item_types):
        return frozenset()
    raw = request.fields["input"]
    try:
        items = _decode_all_known(raw)
    except msgspec.ValidationError:  # one of them has other types
        items = list(map(_decode_item, _decode_items(raw)))
    return frozenset(
        [item.id for item in items if item.id is not None and (item.is_reference or item.is_unreadable)]
    )


def with_history(
    request: ResponsesRequest, items: Sequence[Raw] = (), named: Mapping[str, Raw] | None = None
) -> ResponsesRequest:
    """Put earlier items in front of a request's own, in the place of `previous_response_id`, and named ones in theirs.

    Every other byte of an item stays as it is. Instructions are those of the request alone: OpenAI does not carry on
    the earlier ones either. Reasoning that nobody can read is left out, as `output_items` does.

    Args:
        request: as the client sent it.
        items: what was asked and answered before.
        named: the items that it names, as far as they are kept, by id.

    Raises:
        Problem: 404, it refers to an item that is not kept.
    """
    own = [item for raw in input_items(request) for item in _resolve(raw, named or {})]
    fields = dict(request.fields)
    fields.pop("previous_response_id", None)
    fields["input"] = Raw(msgspec.json.encode([*items, *own]))
    return read_responses_request(msgspec.json.encode(fields))


def _resolve(raw: Raw, named: Mapping[str, Raw]) -> tuple[Raw, ...]:
    """Give the item that is meant, or none."""
    item = _decode_item(raw)
    if not item.is_reference and not item.is_unreadable:
        return (raw,)
    found = named.get(item.id or "")
    if found is None:
        if item.is_reference:
            raise unknown_item((item.id or "")[:_LONGEST_SHOWN])
        return ()
    return () if _decode_item(found).is_unreadable else (found,)


# ---- what the answer says again --------------------------------------------------------------------------


def echoes_of(request: ResponsesRequest) -> dict[str, bytes]:
    """Give the members of a response object in which the client reads what it asked, though other words went upstream.

    Args:
        request: as the client sent it.
    """
    said = {name: bytes(request.fields.get(name, NULL)) for name in _SAID_AGAIN}
    return {"store": _TRUE if request.store else _FALSE, **said}
