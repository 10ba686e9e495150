"""The way past SQLAlchemy for the few statements that every request pays for.

`Connection.exec_driver_sql` takes 13 microseconds of CPU where the driver's own cursor takes one. Statements are written
with `?` for each value, the same for both databases, and come in few sizes, so that few are prepared.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import Connection

Item = TypeVar("Item")

SIZES = (512, 128, 64, 32, *range(16, 0, -1))
"""Rows in one statement. The largest stays below SQLite's 32,766 values for the widest table."""


def open_cursor(connection: Connection) -> Any:
    """The driver's cursor, in the connection's transaction. What it raises, `Database` turns into a StoreFault."""
    driver_connection: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return driver_connection.cursor()
    # psycopg's ordinary cursor would look for %s in the text each time, which for a large one takes milliseconds.
    from psycopg import RawCursor  # noqa: PLC0415 - SQLite does not need it

    return RawCursor(driver_connection)


@cache
def statement(make: Callable[[int], str], dialect: str, rows: int) -> str:
    """The text that `make(rows)` gives, with the placeholders of this database.

    It is made once: the driver finds a prepared statement by it.
    """
    return for_dialect(make(rows), dialect)


def for_dialect(sql: str, dialect: str) -> str:
    """Replace each `?` by what this database calls a value."""
    if dialect == "sqlite":
        return sql
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


@cache
def marks(columns: int, rows: int) -> str:
    """The text `(?, ?), (?, ?)` for so many rows."""
    row = f"({', '.join(['?'] * columns)})"
    return ", ".join([row] * rows)


def cut(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut into pieces of the usual sizes, the largest first."""
    begin = 0
    for size in SIZES:
        while len(items) - begin >= size:
            yield items[begin : begin + size]
            begin += size


def fill_up(items: Sequence[Item]) -> Sequence[Item]:
    """Repeat the last of 1 to 512 items up to a usual size, for a list in which repeats do not matter."""
    size = min(size for size in SIZES if size >= len(items))
    return (*items, *[items[-1]] * (size - len(items)))
