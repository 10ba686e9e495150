"""Answers that are kept: find them by their ids and by those of their items, delete, forget and drop them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select, tuple_

from runapi.core.keys import Mode
from runapi.core.stored_responses import StoredResponse
from runapi.store.stored_schema import stored_item, stored_response

T = TypeVar("T")

MOST_FORGOTTEN = 500  # rows a call, so that nobody waits long behind it
_MOST_LISTED = 500  # values in one statement


class Shelf(msgspec.Struct, frozen=True):
    """Whose answers, and from when on: what is older is forgotten already, though it may still be there."""

    account_id: int
    mode: Mode
    since_us: int


def find_stored(connection: Connection, shelf: Shelf, response_id: str) -> StoredResponse | None:
    """Give an answer, or None where it is not there."""
    query = select(stored_response).where(_on(shelf), stored_response.c.id == response_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def find_holding(connection: Connection, shelf: Shelf, item_ids: Collection[str]) -> list[StoredResponse]:
    """Give the answers in which these items stand, each once; their `item_ids` are those that were asked for."""
    held: dict[str, list[str]] = {}
    for some in _pieces(tuple(item_ids), _MOST_LISTED):
        query = select(stored_item.c.id, stored_item.c.response_id).where(
            stored_item.c.account_id == shelf.account_id,
            stored_item.c.mode == shelf.mode.value,
            stored_item.c.id.in_(some),
        )
        for item_id, response_id in connection.execute(query):
            held.setdefault(response_id, []).append(item_id)
    found = []
    for names in _pieces(tuple(held), _MOST_LISTED):
        rows = connection.execute(select(stored_response).where(_on(shelf), stored_response.c.id.in_(names)))
        found += [_stored(row, held[row.id]) for row in rows]
    return found


def delete_stored(connection: Connection, shelf: Shelf, response_id: str) -> bool:
    """Delete an answer; False where it is not there."""
    query = select(stored_response.c.id).where(_on(shelf), stored_response.c.id == response_id)
    if connection.execute(query.with_for_update()).one_or_none() is None:
        return False
    _delete(connection, [(shelf.account_id, shelf.mode.value, response_id)])
    return True


def forget_stored(connection: Connection, before_us: int) -> int:
    """Delete some of what is older; give how many. Call it again while it is MOST_FORGOTTEN."""
    old = (
        select(stored_response.c.account_id, stored_response.c.mode, stored_response.c.id)
        .where(stored_response.c.at_us < before_us)
        .limit(MOST_FORGOTTEN)
    )
    keys = [tuple(row) for row in connection.execute(old)]
    _delete(connection, keys)
    return len(keys)


def list_large(connection: Connection, most_bytes: int) -> list[tuple[int, Mode]]:
    """Give the accounts whose answers of one mode take more."""
    owner = (stored_response.c.account_id, stored_response.c.mode)
    query = select(*owner).group_by(*owner).having(func.sum(stored_response.c.size_bytes) > most_bytes)
    return [(account_id, Mode(mode)) for account_id, mode in connection.execute(query)]


def drop_oldest(connection: Connection, account_id: int, mode: Mode, most_bytes: int) -> int:
    """Delete some of an account's oldest answers while all of them take more; give how many.

    Call it again while it is MOST_FORGOTTEN.
    """
    own = and_(stored_response.c.account_id == account_id, stored_response.c.mode == mode.value)
    total = connection.execute(select(func.sum(stored_response.c.size_bytes)).where(own)).scalar()
    over_bytes = int(total or 0) - most_bytes
    if over_bytes <= 0:
        return 0
    oldest = (
        select(stored_response.c.id, stored_response.c.size_bytes)
        .where(own)
        .order_by(stored_response.c.at_us, stored_response.c.id)
        .limit(MOST_FORGOTTEN)
    )
    dropped = []
    for response_id, size_bytes in connection.execute(oldest):
        if over_bytes <= 0:
            break
        dropped.append((account_id, mode.value, response_id))
        over_bytes -= size_bytes
    _delete(connection, dropped)
    return len(dropped)


def _delete(connection: Connection, keys: Sequence[tuple[Any, ...]]) -> None:
    """Delete answers by their keys (account, mode, id), and what says where their items are."""
    for some in _pieces(keys, _MOST_LISTED // 2):  # three values each
        # In the order in which a settlement writes them: under PostgreSQL neither then waits for the other for ever.
        key = (stored_response.c.account_id, stored_response.c.mode, stored_response.c.id)
        connection.execute(delete(stored_response).where(tuple_(*key).in_(some)))
        owner = (stored_item.c.account_id, stored_item.c.mode, stored_item.c.response_id)
        connection.execute(delete(stored_item).where(tuple_(*owner).in_(some)))


def _pieces(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]


def _on(shelf: Shelf) -> ColumnElement[bool]:
    return and_(
        stored_response.c.account_id == shelf.account_id,
        stored_response.c.mode == shelf.mode.value,
        stored_response.c.at_us >= shelf.since_us,
    )


def _stored(row: Row[Any], item_ids: Iterable[str] = ()) -> StoredResponse:
    return StoredResponse(
        account_id=row.account_id,
        mode=Mode(row.mode),
        id=row.id,
        at_us=row.at_us,
        upstream=row.upstream,
        item_ids=tuple(item_ids),
        body=row.body,
        items=row.items,
    )
