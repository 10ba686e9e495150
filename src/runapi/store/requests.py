"""The rows that requests leave behind: written in batches by `record_log`, read by the operator."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from runapi.core.keys import Mode
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store.accounts import require_account
from runapi.store.faults import NotFound
from runapi.store.schema import request

REFUSALS = (
    *(DataError, IntegrityError, InterfaceError, ProgrammingError),  # the database's
    *(ArithmeticError, AttributeError, TypeError, ValueError),  # the driver's, and ours
)
"""What blames a row, not the database."""

Values = tuple[str | int | None, ...]

BATCHES = (512, 64, 8, 1)
"""Rows in one INSERT: few sizes, so that few statements are prepared; the largest stays below SQLite's 32,766 values."""

_insert_sql_of: dict[tuple[str, int], str] = {}  # by dialect and rows


def insert_records(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Write all records, or none when one of them is refused.

    A record whose id is there already is left out, so that a batch can be tried again after a failed commit.
    """
    written = 0
    for rows in BATCHES:
        while len(records) - written >= rows:
            batch = records[written : written + rows]
            connection.exec_driver_sql(_insert_sql(connection, rows), _flat(batch))
            written += rows


def insert_each_record(connection: Connection, records: Sequence[RequestRecord]) -> list[RequestRecord]:
    """Write the records one at a time; give those that the database refuses for what is in them."""
    sql = _insert_sql(connection, 1)
    refused = []
    for record in records:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(sql, _values(record))
        except REFUSALS:
            refused.append(record)
    return refused


def list_requests(
    connection: Connection, *, limit: int, account: str | None = None, after: str | None = None
) -> list[RequestRecord]:
    """Give the newest requests, of one account or of all; `after`, a request's id, gives those older than it.

    Raises:
        NotFound: there is no such account, or no request with the id `after`.
    """
    query = select(request).order_by(request.c.at_us.desc(), request.c.id).limit(limit)
    if account is not None:
        query = query.where(request.c.account_id == require_account(connection, account).id)
    if after is not None:
        at_us = connection.execute(select(request.c.at_us).where(request.c.id == after)).scalar()
        if at_us is None:
            raise NotFound(f"There is no request with the id {after!r}. Begin again without it.")
        is_older = or_(request.c.at_us < at_us, request.c.id > after)
        query = query.where(and_(request.c.at_us <= at_us, is_older))  # so written, the index finds the place
    return [_record(row) for row in connection.execute(query)]


def _insert_sql(connection: Connection, rows: int) -> str:
    """One statement for `rows` rows.

    A statement per row would give the interpreter lock away and take it back for each of them, beside a busy event
    loop: several times the cost of the insert itself.
    """
    dialect = connection.dialect
    if (dialect.name, rows) not in _insert_sql_of:
        one = str(insert(request).compile(dialect=dialect))
        head, values = one.split(" VALUES ")
        sql = f"{head} VALUES {', '.join([values] * rows)} ON CONFLICT (id) DO NOTHING"
        _insert_sql_of[dialect.name, rows] = sql
    return _insert_sql_of[dialect.name, rows]


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
    )


def _record(row: Row[Any]) -> RequestRecord:
    return RequestRecord(
        id=row.id,
        at_us=row.at_us,
        account_id=row.account_id,
        key_id=row.key_id,
        mode=Mode(row.mode),
        endpoint=row.endpoint,
        model=row.model,
        stream=row.stream,
        status=row.status,
        outcome=Outcome(row.outcome),
        error_code=row.error_code,
        client_left=row.client_left,
        upstream=row.upstream,
        upstream_model=row.upstream_model,
        upstream_request_id=row.upstream_request_id,
        attempts=row.attempts,
        first_byte_us=row.first_byte_us,
        total_us=row.total_us,
        usage=Usage(
            row.input_tokens,
            row.cached_tokens,
            row.cache_write_tokens,
            row.output_tokens,
            row.reasoning_tokens,
        ),
        usage_source=UsageSource(row.usage_source),
        service_tier=row.service_tier,
        cost_pico=row.cost_pico,
        cost_nano=row.cost_nano,
        upstream_cost_nano=row.upstream_cost_nano,
        dropped=tuple(row.dropped.split(",")) if row.dropped else (),
    )
