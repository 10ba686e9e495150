"""The rows that requests leave behind: written in batches by `record_log`, read by the operator."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from runapi.core.keys import Mode
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store.accounts import require_account
from runapi.store.driver import open_cursor
from runapi.store.faults import NotFound
from runapi.store.record_rows import record_statements
from runapi.store.schema import request

REFUSALS = (
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
    *(ArithmeticError, AttributeError, TypeError, ValueError),  # the driver's, and ours
)
"""What blames a row, not the database; PostgreSQL's driver has its own names for the first four."""


def insert_records(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Write all records, or none when one of them is refused.

    A record whose id is there already is left out, so that a batch can be tried again after a failed commit.
    """
    cursor = open_cursor(connection)
    for sql, values in record_statements(connection, records):
        cursor.execute(sql, values)


def insert_each_record(connection: Connection, records: Sequence[RequestRecord]) -> list[RequestRecord]:
    """Write the records one at a time; give those that the database refuses for what is in them."""
    driver = connection.dialect.loaded_dbapi
    refusals = (
        *REFUSALS,
        *(driver.DataError, driver.IntegrityError, driver.InterfaceError, driver.ProgrammingError),
    )
    refused = []
    for record in records:
        try:
            with connection.begin_nested():
                insert_records(connection, [record])
        except refusals:
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


def list_own_requests(
    connection: Connection, account_id: int, mode: Mode, *, limit: int, after: RequestRecord | None = None
) -> list[RequestRecord]:
    """Give an account's newest requests in one mode, newest first; `after`, one of them, gives those older than it."""
    query = select(request).where(request.c.account_id == account_id, request.c.mode == mode.value)
    if after is not None:
        is_older = or_(request.c.at_us < after.at_us, request.c.id > after.id)
        query = query.where(
            and_(request.c.at_us <= after.at_us, is_older)
        )  # so written, the index finds the place
    newest = query.order_by(request.c.at_us.desc(), request.c.id).limit(limit)
    return [_record(row) for row in connection.execute(newest)]


def find_request(connection: Connection, request_id: str) -> RequestRecord | None:
    """Give the row of one request, or None."""
    row = connection.execute(select(request).where(request.c.id == request_id)).one_or_none()
    return None if row is None else _record(row)


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
        output_cap=row.output_cap,
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
        upstream_error=row.upstream_error,
    )
