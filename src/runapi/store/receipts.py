"""What receipts are made from, the leaves of each day, and the days' roots."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from runapi.core.pricing import Rates
from runapi.core.receipts import ReceiptSource, RootStatement, SignedRoot
from runapi.store.driver import open_cursor
from runapi.store.payment_schema import receipt_root, receipt_source
from runapi.store.receipt_rows import receipt_statements
from runapi.store.schema import api_key


class Leaf(NamedTuple):
    """The place of a receipt among those of its day."""

    day: str
    position: int


def insert_sources(connection: Connection, sources: Sequence[ReceiptSource]) -> None:
    """Write what receipts need: in the transaction that settles their requests."""
    cursor = open_cursor(connection)
    for sql, values in receipt_statements(connection, sources):
        cursor.execute(sql, values)


def find_source(connection: Connection, request_id: str) -> tuple[ReceiptSource, Leaf | None] | None:
    """Give what the receipt of a request is made from, and its leaf if it has one; None where there is no receipt."""
    query = select(receipt_source).where(receipt_source.c.request_id == request_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return _source(row), None if row.day is None else Leaf(row.day, row.position)


def key_prefix(connection: Connection, key_id: int) -> str:
    """Give the visible prefix of a key, revoked or not; nothing for an id that no key has."""
    return connection.execute(select(api_key.c.prefix).where(api_key.c.id == key_id)).scalar() or ""


# ---- days ------------------------------------------------------------------------------------------------


def list_unsealed(connection: Connection, before_us: int, limit: int) -> list[ReceiptSource]:
    """Give receipts that ended before a time and are in no day yet, oldest first."""
    column = receipt_source.c
    query = select(receipt_source).where(column.day.is_(None), column.ended_us < before_us)
    oldest = query.order_by(column.ended_us, column.request_id).limit(limit)
    return [_source(row) for row in connection.execute(oldest)]


def count_leaves(connection: Connection, day: str) -> int:
    """How many receipts a day has so far."""
    query = select(func.count()).where(receipt_source.c.day == day)
    return int(connection.execute(query).scalar_one())


def seal_leaves(connection: Connection, day: str, first: int, leaves: Sequence[tuple[str, bytes]]) -> None:
    """Give receipts (request id, leaf) their places in a day, from position `first` on."""
    change = (
        update(receipt_source)
        .where(receipt_source.c.request_id == bindparam("request"), receipt_source.c.day.is_(None))
        .values(day=day, position=bindparam("place"), leaf=bindparam("hash"))
    )
    rows = [
        {"request": request_id, "place": first + number, "hash": leaf}
        for number, (request_id, leaf) in enumerate(leaves)
    ]
    if rows:
        connection.execute(change, rows)


def list_leaves(connection: Connection, day: str) -> list[bytes]:
    """Give a day's leaves in their order."""
    query = select(receipt_source.c.leaf).where(receipt_source.c.day == day)
    return list(connection.execute(query.order_by(receipt_source.c.position)).scalars())


def insert_root(connection: Connection, signed: SignedRoot, now_us: int) -> None:
    """Write a day's signed root; there is one a day."""
    statement = signed.statement
    row = {
        "day": statement.day,
        "leaves": statement.count,
        "previous": bytes.fromhex(statement.previous),
        "root": bytes.fromhex(statement.root),
        "signature": signed.signature,
        "made_us": now_us,
    }
    connection.execute(insert(receipt_root).values(row))


def find_root(connection: Connection, day: str) -> SignedRoot | None:
    """Give a day's root, or None while it has none."""
    row = connection.execute(select(receipt_root).where(receipt_root.c.day == day)).one_or_none()
    return None if row is None else _root(row)


def list_roots(connection: Connection, limit: int) -> list[SignedRoot]:
    """Give the newest roots, newest first."""
    query = select(receipt_root).order_by(receipt_root.c.day.desc()).limit(limit)
    return [_root(row) for row in connection.execute(query)]


def _root(row: Row[Any]) -> SignedRoot:
    statement = RootStatement(row.leaves, row.day, row.previous.hex(), row.root.hex())
    return SignedRoot(statement, row.signature)


def _source(row: Row[Any]) -> ReceiptSource:
    rates = Rates(row.input_pico, row.output_pico, row.cached_pico, row.cache_write_pico)
    return ReceiptSource(
        row.request_id,
        row.ended_us,
        row.request_sha256,
        row.response_sha256,
        row.upstream_usage,
        row.price_version,
        rates,
    )
