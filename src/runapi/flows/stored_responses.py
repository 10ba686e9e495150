"""Answers of /v1/responses that are kept here: found again, gone on from, deleted, and forgotten in time.

No upstream keeps any: a pool of them could not find another one's, and all customers share its account. A request that
goes on from an answer is made whole before anything is measured or held, and an answer is kept in the commit that
settles it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import msgspec
import structlog
from msgspec import Raw
from sqlalchemy import Connection

from runapi.core import frame_problems, limit_problems
from runapi.core.body_room import BodyRoom
from runapi.core.keys import Mode, Principal
from runapi.core.records import RequestRecord
from runapi.core.stored_response_problems import (
    too_many_named,
    unknown_previous_response,
    unknown_response,
)
from runapi.core.stored_responses import MOST_BYTES, StoredResponse, can_be_kept, pack, unpack
from runapi.store import stored_responses as store
from runapi.store.database import Database
from runapi.store.faults import StoreFailed
from runapi.wire.openai_responses.final_response import read_final_response
from runapi.wire.openai_responses.history import (
    input_items,
    items_by_id,
    named_items,
    output_items,
    with_history,
)
from runapi.wire.openai_responses.request import ResponsesRequest

P = ParamSpec("P")
T = TypeVar("T")

MOST_ACCOUNT_BYTES = 256 * 1024 * 1024
"""Of an account's answers of one mode, packed; the oldest make way."""

MOST_NAMED = 1_000
"""Items that a request may name by their ids alone; each is looked for."""

MOST_UNPACKED_BYTES = 4 * MOST_BYTES
"""Of the answers in which they stand: a small request may name small items of many large answers."""

MOST_OPENING = 2
"""Requests of one account that are made whole at the same time: it is not paid for yet, and each may take 100 MB."""

_LOOKED_AT_EVERY = 16  # of that: how much is written before it is added up
_LARGE_BYTES = 64 * 1024  # what takes longer than a thread to begin
_LONGEST_SHOWN = 100
_DAY_US = 24 * 3600 * 1_000_000
_FALSE = Raw(b"false")
_log = structlog.get_logger("runapi.stored_responses")


class Conversation(msgspec.Struct, frozen=True):
    """A request, and what it goes on from."""

    asked: ResponsesRequest  # as the client sent it: what its answer says again
    request: ResponsesRequest  # with all that was said before, for an upstream
    upstream: str | None = None  # which made the answer before: no other one can read the reasoning in it


class _Found(msgspec.Struct, frozen=True):
    previous: StoredResponse | None
    holding: list[StoredResponse]  # in which items stand that the request names

    @property
    def upstream(self) -> str | None:
        """Which made the newest of them."""
        newest = self.previous or max(self.holding, key=lambda one: one.at_us, default=None)
        return None if newest is None else newest.upstream


class StoredResponses:
    """The answers that are kept, of all accounts; nothing of them is ever given to another account or mode."""

    def __init__(
        self,
        database: Database,
        now_us: Callable[[], int],
        *,
        days: int,
        most_account_bytes: int = MOST_ACCOUNT_BYTES,
    ) -> None:
        """Join the parts.

        Args:
            database: where they are.
            now_us: the clock.
            days: how long they are kept; with 0 none is.
            most_account_bytes: the most that an account's take, in each mode.
        """
        self._database = database
        self._now_us = now_us
        self._days = days
        self._most_account_bytes = most_account_bytes
        self._written: dict[tuple[int, Mode], int] = {}  # bytes since they were added up
        self._turns: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()  # by account
        self._waiting = BodyRoom()

    # ---- a request that goes on --------------------------------------------------------------------------

    async def open(self, principal: Principal, asked: ResponsesRequest) -> Conversation:
        """Put what was said before, and the items that are only named, into a request.

        Raises:
            Problem: 400 or 404, it is not kept; 413, it is too much; 503, nobody can know.
        """
        if self._days == 0 and asked.store:
            asked = msgspec.structs.replace(asked, fields=asked.fields | {"store": _FALSE}, store=False)
        previous_id, named = asked.previous_response_id, named_items(asked)
        if previous_id is None and not named:
            return Conversation(asked, asked)
        if len(named) > MOST_NAMED:
            raise too_many_named(MOST_NAMED)
        async with self._turn(principal.account_id, len(asked.fields.get("input", b""))):
            found = await self._run(_find, self._shelf(principal), previous_id, named)
            if previous_id is not None and found.previous is None:
                raise unknown_previous_response(previous_id[:_LONGEST_SHOWN])
            # In a thread: nobody knows how large it is before it is unpacked.
            request = await asyncio.to_thread(_join, asked, found)
        return Conversation(asked, request, found.upstream)

    async def expand(self, principal: Principal, request: ResponsesRequest) -> ResponsesRequest:
        """Give what `open` makes for an upstream."""
        return (await self.open(principal, request)).request

    @asynccontextmanager
    async def _turn(self, account_id: int, size: int) -> AsyncIterator[None]:
        """Wait until it is this account's turn, with a request of `size` bytes in hand.

        Raises:
            Problem: 429, too much of it waits already.
        """
        problem = self._waiting.take(account_id, size)
        if problem is not None:
            raise problem
        try:
            async with self._turns.setdefault(account_id, asyncio.Semaphore(MOST_OPENING)):
                yield
        finally:
            self._waiting.give_back(account_id, size)

    # ---- an answer that is kept --------------------------------------------------------------------------

    async def to_stored(
        self, record: RequestRecord, request: ResponsesRequest, end: bytes
    ) -> StoredResponse | None:
        """Make what is kept of an answer, to be written in the commit that settles it.

        Args:
            record: the request's row, its upstream known.
            request: as it went to an upstream, with all that was said before.
            end: the whole answer as the client gets it, or the last events of a stream.

        Returns:
            None where the client wants nothing kept, or the answer is too large, or has no id that could be asked for.
        """
        if not request.store or self._days == 0:
            return None
        pack_it = partial(_pack, record, request, end, self._now_us())
        is_large = len(end) + len(request.fields.get("input", b"")) > _LARGE_BYTES
        stored = await asyncio.to_thread(pack_it) if is_large else pack_it()
        if stored is not None:
            await self._make_room(stored)
        return stored

    async def _make_room(self, stored: StoredResponse) -> None:
        """Now and then, let an account's oldest answers make way for what it has written since."""
        owner = stored.account_id, stored.mode
        written = self._written.get(owner, 0) + stored.size_bytes
        self._written[owner] = written
        if written * _LOOKED_AT_EVERY >= self._most_account_bytes:
            self._written.pop(owner, None)
            try:
                await self._drop_oldest(*owner)
            except StoreFailed as fault:  # to settle comes next, and will say so
                _log.warning("no room made for stored responses", account=owner[0], reason=str(fault))

    # ---- asked for by their ids --------------------------------------------------------------------------

    async def find(self, principal: Principal, response_id: str) -> StoredResponse:
        """Give an answer of the caller's account and mode.

        Raises:
            Problem: 404, there is none; 503, nobody can know.
        """
        stored = None
        if can_be_kept(response_id):
            stored = await self._run(store.find_stored, self._shelf(principal), response_id)
        if stored is None:
            raise unknown_response(response_id[:_LONGEST_SHOWN])
        return stored

    async def history(self, principal: Principal, previous_response_id: str) -> tuple[Raw, ...]:
        """Give all items up to an answer: what was asked, and what was answered.

        Raises:
            Problem: 400, there is none of this id in the account and mode; 503, nobody can know.
        """
        found = await self._run(_find, self._shelf(principal), previous_response_id, frozenset())
        if found.previous is None:
            raise unknown_previous_response(previous_response_id[:_LONGEST_SHOWN])
        return await asyncio.to_thread(_history, found.previous)

    async def delete(self, principal: Principal, response_id: str) -> None:
        """Delete an answer of the caller's account and mode; what went on from it stays whole.

        Raises:
            Problem: 404, there is none; 503, nobody can know.
        """
        is_there = can_be_kept(response_id) and await self._run(
            store.delete_stored, self._shelf(principal), response_id
        )
        if not is_there:
            raise unknown_response(response_id[:_LONGEST_SHOWN])

    # ---- in the background -------------------------------------------------------------------------------

    async def forget_old(self) -> None:
        """Delete what has been kept for its time, and what is too much, a few at a time."""
        while await self._database.run(store.forget_stored, self._since_us()) == store.MOST_FORGOTTEN:
            pass
        for owner in await self._database.run(store.list_large, self._most_account_bytes):
            await self._drop_oldest(*owner)

    async def _drop_oldest(self, account_id: int, mode: Mode) -> None:
        most_bytes = self._most_account_bytes
        while dropped := await self._database.run(store.drop_oldest, account_id, mode, most_bytes):
            _log.info("oldest stored responses dropped", account=account_id, mode=mode, count=dropped)

    def _since_us(self) -> int:
        return self._now_us() - self._days * _DAY_US

    def _shelf(self, principal: Principal) -> store.Shelf:
        return store.Shelf(principal.account_id, principal.mode, self._since_us())

    async def _run(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await self._database.run(function, *args, **kwargs)
        except StoreFailed as fault:
            _log.error("stored responses cannot be read", reason=str(fault))
            raise limit_problems.ledger_unavailable() from None


def _find(
    connection: Connection, shelf: store.Shelf, previous_id: str | None, named: frozenset[str]
) -> _Found:
    previous = None
    if previous_id is not None and can_be_kept(previous_id):
        previous = store.find_stored(connection, shelf, previous_id)
    item_ids = sorted(filter(can_be_kept, named))
    return _Found(previous, store.find_holding(connection, shelf, item_ids))


def _join(asked: ResponsesRequest, found: _Found) -> ResponsesRequest:
    named: dict[str, Raw] = {}
    unpacked_bytes = 0
    for stored in found.holding:
        body = unpack(stored.body)
        unpacked_bytes += len(body)
        named |= items_by_id(body, stored.item_ids)
        if unpacked_bytes > MOST_UNPACKED_BYTES or sum(map(len, named.values())) > MOST_BYTES:
            raise frame_problems.body_too_large(MOST_BYTES)
    return with_history(asked, () if found.previous is None else _history(found.previous), named)


def _history(stored: StoredResponse) -> tuple[Raw, ...]:
    items = msgspec.json.decode(unpack(stored.items), type=list[Raw])
    return (*items, *output_items(unpack(stored.body)))


def _pack(record: RequestRecord, request: ResponsesRequest, end: bytes, now_us: int) -> StoredResponse | None:
    final = read_final_response(end)
    items = msgspec.json.encode(input_items(request))
    if final is None or not can_be_kept(final.id) or len(final.body) + len(items) > MOST_BYTES:
        return None
    return StoredResponse(
        account_id=record.account_id,
        mode=record.mode,
        id=final.id,
        at_us=now_us,
        upstream=record.upstream,
        item_ids=tuple(filter(can_be_kept, final.item_ids)),
        body=pack(final.body),
        items=pack(items),
    )
