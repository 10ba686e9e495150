"""Request records as rows: the statements that write them, for whoever writes other rows in the same commit."""

from collections.abc import Iterator, Sequence
from itertools import chain

from sqlalchemy import Connection

from runapi.core.records import RequestRecord
from runapi.store.driver import cut, marks, statement
from runapi.store.schema import request

Values = tuple[str | int | None, ...]

_COLUMNS = request.columns.keys()


def record_statements(
    connection: Connection, records: Sequence[RequestRecord]
) -> Iterator[tuple[str, Values]]:
    """Give the few statements, for the driver's cursor, and their values that write all records."""
    for batch in cut(records):
        yield statement(_insert_records, connection.dialect.name, len(batch)), _flat(batch)


def _insert_records(rows: int) -> str:
    """One statement for `rows` rows.

    A statement per row would give the interpreter lock away and take it back for each of them, beside a busy event
    loop: several times the cost of the insert itself.
    """
    values = marks(len(_COLUMNS), rows)
    return f"INSERT INTO request ({', '.join(_COLUMNS)}) VALUES {values} ON CONFLICT (id) DO NOTHING"  # noqa: S608 - our own names


def _flat(records: Sequence[RequestRecord]) -> Values:
    return tuple(chain.from_iterable(map(_values, records)))


def _values(record: RequestRecord) -> Values:
    """The values of a row, in the order of the table's columns."""
    usage = record.usage
    return (
        record.id,
        record.at_us,
        record.account_id,
        record.key_id,
        record.mode.value,
        record.endpoint,
        record.model,
        record.stream,
        record.status,
        record.outcome.value,
        record.error_code,
        record.client_left,
        record.upstream,
        record.upstream_model,
        record.upstream_request_id,
        record.attempts,
        record.first_byte_us,
        record.total_us,
        record.output_cap,
        usage.input,
        usage.cached,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        record.usage_source.value,
        record.service_tier,
        record.cost_pico,
        record.cost_nano,
        record.upstream_cost_nano,
        ",".join(record.dropped),
        record.upstream_error,
    )
