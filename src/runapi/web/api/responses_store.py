"""GET and DELETE /v1/responses/{id}, its input_items, and its cancel: answers that are kept."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.keys import Principal
from runapi.core.stored_response_problems import (
    not_in_the_background,
    stored_response_not_streamed,
    unknown_place,
)
from runapi.core.stored_responses import StoredResponse, unpack
from runapi.web.api.me import PRIVATE
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services
from runapi.wire.openai_responses.listed_items import ListedItem, as_listed

PREFIX = "/v1/responses/"
ITEMS_SUFFIX = "/input_items"
CANCEL_SUFFIX = "/cancel"
MOST_LISTED, DEFAULT_LISTED = 100, 20
_TRUE = ("true", "True", "1")
_LONGEST_SHOWN = 100


class _Deleted(msgspec.Struct, frozen=True):
    id: str
    object: str = "response"
    deleted: bool = True


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "list"
    data: list[Raw]
    first_id: str | None
    last_id: str | None
    has_more: bool


class _Asked(msgspec.Struct, frozen=True):
    """Which items are asked for."""

    limit: int
    is_ascending: bool
    after: str | None
    before: str | None


async def retrieve_response(services: Services, call: Call, principal: Principal) -> None:
    """Give an answer as its client got it; what `include` asks for is what its request had asked for."""
    if Query(call, ("stream",), ignores_others=True).read_text("stream") in _TRUE:
        raise stored_response_not_streamed()
    stored = await services.stored_responses.find(principal, call.path.removeprefix(PREFIX))
    async with services.front_desk.readings:
        body = await asyncio.to_thread(unpack, stored.body)
    await call.respond_json(200, body, PRIVATE)


async def delete_response(services: Services, call: Call, principal: Principal) -> None:
    """Delete an answer."""
    response_id = call.path.removeprefix(PREFIX)
    await services.stored_responses.delete(principal, response_id)
    await call.respond_json(200, msgspec.json.encode(_Deleted(response_id)), PRIVATE)


async def list_input_items(services: Services, call: Call, principal: Principal) -> None:
    """List what was asked, with all that was said before, the newest item first unless `order` says otherwise."""
    asked = _read(Query(call, ("limit", "order", "after", "before"), ignores_others=True))
    response_id = call.path.removeprefix(PREFIX).removesuffix(ITEMS_SUFFIX)
    stored = await services.stored_responses.find(principal, response_id)
    async with services.front_desk.readings:
        page = await asyncio.to_thread(_write_page, stored, asked)
    await call.respond_json(200, page, PRIVATE)


async def cancel_response(services: Services, call: Call, principal: Principal) -> None:
    """Refuse: no answer is made in the background."""
    response_id = call.path.removeprefix(PREFIX).removesuffix(CANCEL_SUFFIX)
    await services.stored_responses.find(principal, response_id)
    raise not_in_the_background()


def _read(query: Query) -> _Asked:
    order = query.read_text("order") or "desc"
    if order not in ("asc", "desc"):
        raise problems.invalid_value("order", "expected 'asc' or 'desc'.")
    limit = query.read_whole("limit", 1, MOST_LISTED, DEFAULT_LISTED)
    return _Asked(limit, order == "asc", query.read_text("after"), query.read_text("before"))


def _write_page(stored: StoredResponse, asked: _Asked) -> bytes:
    items = msgspec.json.decode(unpack(stored.items), type=list[Raw])
    listed = as_listed(items, stored.id.removeprefix("resp_"))
    return msgspec.json.encode(_cut(listed if asked.is_ascending else listed[::-1], asked))


def _cut(items: Sequence[ListedItem], asked: _Asked) -> _Page:
    """Cut one page out: behind `after`, or that which ends in front of `before`."""
    places = {item.id: place for place, item in enumerate(items)}
    begin = 0 if asked.after is None else _find(places, "after", asked.after) + 1
    end = len(items) if asked.before is None else _find(places, "before", asked.before)
    between = items[begin:end]
    is_backwards = asked.before is not None and asked.after is None
    page = between[-asked.limit :] if is_backwards else between[: asked.limit]
    return _Page(
        data=[item.raw for item in page],
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
        has_more=len(between) > len(page),
    )


def _find(places: dict[str, int], param: str, item_id: str) -> int:
    place = places.get(item_id)
    if place is None:
        raise unknown_place(param, item_id[:_LONGEST_SHOWN])
    return place
