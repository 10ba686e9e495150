"""The response object at the end of an answer, read from the bytes that its client gets."""

import msgspec
from msgspec import Raw

from runapi.wire.half_characters import without_half_characters
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.event_blocks import BlockSplitter, data_of
from runapi.wire.sse import EventTooLongError

_ENDS = ("response.completed", "response.incomplete")


class _Event(msgspec.Struct):
    type: str = ""
    response: Raw = NULL


class _Item(msgspec.Struct):
    id: str | int | None = None


class _Response(msgspec.Struct):
    id: str
    output: list[_Item] = []


class FinalResponse(msgspec.Struct, frozen=True):
    """A response object that has ended, and the ids by which it and its items can be asked for."""

    body: bytes
    id: str
    item_ids: tuple[str, ...]


def read_final_response(end: bytes) -> FinalResponse | None:
    """Read it from a whole answer, or from the last events of a stream; None where there is none with an id.

    Half a character in it is mended: what is given again must be JSON that everybody can read.
    """
    body = _mended(end) if end[:1] == b"{" else _find_response(end)
    try:
        response = msgspec.json.decode(body, type=_Response)
    except (msgspec.DecodeError, RecursionError):
        return None
    item_ids = tuple(item.id for item in response.output if isinstance(item.id, str))
    return FinalResponse(body, response.id, item_ids)


def _find_response(events: bytes) -> bytes:
    splitter = BlockSplitter()
    try:
        blocks = splitter.feed(events) + splitter.end()
    except EventTooLongError:
        return b""
    for block in reversed(blocks):
        try:
            event = msgspec.json.decode(_mended(data_of(block)), type=_Event)
        except (msgspec.DecodeError, RecursionError):
            continue
        if event.type in _ENDS and event.response != NULL:
            return bytes(event.response)
    return b""


def _mended(json: bytes) -> bytes:
    try:
        msgspec.json.decode(json, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        try:
            return without_half_characters(json)
        except (ValueError, RecursionError):
            return b""
    return json
