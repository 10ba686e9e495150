"""What receipts need, as rows: the statements that write them in the commit that settles their requests."""

from collections.abc import Iterator, Sequence
from itertools import chain

from sqlalchemy import Connection

from runapi.core.receipts import ReceiptSource
from runapi.store.driver import cut, marks, statement

Values = tuple[str | int | bytes | None, ...]

_COLUMNS = (
    *("request_id", "ended_us", "request_sha256", "response_sha256", "upstream_usage"),
    *("price_version", "input_pico", "output_pico", "cached_pico", "cache_write_pico"),
)


def receipt_statements(
    connection: Connection, sources: Sequence[ReceiptSource]
) -> Iterator[tuple[str, Values]]:
    """Give the few statements, for the driver's cursor, and their values that write all sources."""
    for batch in cut(sources):
        flat = tuple(chain.from_iterable(map(_values, batch)))
        yield statement(_insert_sources, connection.dialect.name, len(batch)), flat


def _insert_sources(rows: int) -> str:
    values = marks(len(_COLUMNS), rows)
    return f"INSERT INTO receipt_source ({', '.join(_COLUMNS)}) VALUES {values}"  # noqa: S608 - our own names


def _values(source: ReceiptSource) -> Values:
    rates = source.rates
    return (
        *(source.request_id, source.ended_us, source.request_sha256, source.response_sha256),
        *(source.upstream_usage, source.price_version),
        *(rates.input, rates.output, rates.cached, rates.cache_write),
    )
