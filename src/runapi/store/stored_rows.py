"""Answers that are kept, as rows: the statements that write them in the commit that settles their requests."""

from collections.abc import Iterator, Sequence
from itertools import chain

from sqlalchemy import Connection

from runapi.core.stored_responses import StoredResponse
from runapi.store.driver import cut, marks, statement

Values = tuple[str | int | bytes | None, ...]

_KEY = ("account_id", "mode", "id")
_COLUMNS = (*_KEY, "at_us", "size_bytes", "upstream", "body", "items")
_ITEM_COLUMNS = (*_KEY, "response_id")


def stored_statements(
    connection: Connection, responses: Sequence[StoredResponse]
) -> Iterator[tuple[str, Values]]:
    """Give the few statements, for the driver's cursor, and their values that write all answers.

    An id that comes again, from an upstream that gives it twice, stands for the newer answer.
    """
    if not responses:  # as in most batches
        return
    dialect = connection.dialect.name
    # PostgreSQL refuses to write one row twice in a statement.
    newest = {(one.account_id, one.mode, one.id): one for one in responses}
    for batch in cut(tuple(newest.values())):
        flat = tuple(chain.from_iterable(map(_values, batch)))
        yield statement(_insert_responses, dialect, len(batch)), flat
    items = {(one.account_id, one.mode.value, item): one.id for one in responses for item in one.item_ids}
    for piece in cut(tuple(items.items())):
        values: list[str | int] = []
        for (account_id, mode, item_id), response_id in piece:
            values += (account_id, mode, item_id, response_id)
        yield statement(_insert_items, dialect, len(piece)), tuple(values)


def _insert_responses(rows: int) -> str:
    return _insert("stored_response", _COLUMNS, rows)


def _insert_items(rows: int) -> str:
    return _insert("stored_item", _ITEM_COLUMNS, rows)


def _insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in _KEY)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks(len(columns), rows)} "  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {changed}"
    )


def _values(response: StoredResponse) -> Values:
    return (
        *(response.account_id, response.mode.value, response.id),
        *(response.at_us, response.size_bytes, response.upstream, response.body, response.items),
    )
