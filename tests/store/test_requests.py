"""Request rows come back as they were, newest first, page by page."""

import msgspec
import pytest
from sqlalchemy import Connection, func, select

from runapi.core.keys import Mode
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store import accounts, requests
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.schema import request
from store.rows import record

FULL = RequestRecord(
    id="req_" + "f" * 32,
    at_us=1,
    account_id=2,
    key_id=3,
    mode=Mode.TEST,
    endpoint="/v1/chat/completions",
    model="gpt-5.5",
    stream=True,
    status=429,
    outcome=Outcome.CANCELLED,
    error_code="rate_limit_exceeded",
    client_left=True,
    upstream="azure",
    upstream_model="my-deployment",
    upstream_request_id="chatcmpl-☃",
    attempts=4,
    first_byte_us=5,
    total_us=6,
    output_cap=15,
    usage=Usage(7, 8, 9, 10, 11),
    usage_source=UsageSource.ESTIMATED,
    service_tier="priority",
    cost_pico=2**63 - 1,
    cost_nano=13,
    upstream_cost_nano=14,
    dropped=("temperature", "top_p"),
    upstream_error="401 invalid_api_key",
)


def read(database: Database, **query: object) -> list[RequestRecord]:
    return database.run_now(lambda connection: requests.list_requests(connection, **query))  # type: ignore[arg-type]


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(request)).scalar_one()


def test_every_field_of_a_record_comes_back(database: Database) -> None:
    defaults = record(1)
    for field in msgspec.structs.fields(RequestRecord):  # else the test would not see two fields exchanged
        if field.default is not msgspec.NODEFAULT:
            assert getattr(FULL, field.name) != getattr(defaults, field.name), field.name
    database.run_now(requests.insert_records, [FULL, defaults])
    assert read(database, limit=10) == [defaults, FULL]


def test_row_has_a_column_for_every_field() -> None:
    fields = set(RequestRecord.__struct_fields__) - {"usage"}
    tokens = {f"{kind}_tokens" for kind in Usage.__struct_fields__}
    assert set(request.c.keys()) == fields | tokens


def test_requests_are_listed_newest_first_and_page_by_page_without_gap_or_repeat(database: Database) -> None:
    # Several at the same microsecond, also across the ends of pages.
    records = [record(number, at_us=1000 + number // 4) for number in range(30)]
    database.run_now(requests.insert_records, records[::2] + records[1::2])
    expected = [row.id for row in sorted(records, key=lambda row: (-row.at_us, row.id))]
    seen: list[str] = []
    after = None
    while page := read(database, limit=7, after=after):
        assert len(page) <= 7
        seen += [row.id for row in page]
        after = seen[-1]
    assert seen == expected


def test_requests_of_one_account_are_listed_alone(database: Database) -> None:
    mine = database.run_now(accounts.create_account, "mine", 1)
    other = database.run_now(accounts.create_account, "other", 1)
    rows = [record(number, account_id=(mine, other)[number % 2].id) for number in range(10)]
    database.run_now(requests.insert_records, rows)
    assert read(database, limit=100, account="mine") == rows[8::-2]
    assert read(database, limit=2, account="mine", after=rows[6].id) == [rows[4], rows[2]]


def test_unknown_account_and_unknown_start_of_a_page_are_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        read(database, limit=1, account="nobody")
    with pytest.raises(NotFound, match="'req_0'"):
        read(database, limit=1, after="req_0")


def test_page_is_found_through_an_index(database: Database) -> None:
    def plan(connection: Connection) -> str:
        statement = (
            "SELECT * FROM request WHERE account_id = 1 AND at_us <= 5 AND (at_us < 5 OR id > 'x') "
            "ORDER BY at_us DESC, id LIMIT 20"
        )
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all())

    assert "request_account_id_at_us (account_id=? AND at_us<?)" in database.run_now(plan)


def test_batch_tried_again_after_a_commit_that_was_not_heard_of_writes_each_row_once(
    database: Database,
) -> None:
    rows = [record(number) for number in range(5)]
    database.run_now(requests.insert_records, rows[:3])
    database.run_now(requests.insert_records, rows)
    assert database.run_now(count) == 5


@pytest.mark.parametrize(
    "fault",
    [
        {"cost_nano": -1},
        {"usage": Usage(input=-1)},
        {"total_us": 2**63},
        {"model": "\ud800"},
        {"model": None},
        {"mode": None},
        {"endpoint": ["list"]},
    ],
)
def test_one_bad_record_does_not_take_its_batch_along(database: Database, fault: dict[str, object]) -> None:
    rows = [record(number) for number in range(5)]
    for name, value in fault.items():
        setattr(rows[2], name, value)
    with pytest.raises(requests.REFUSALS):
        database.run_now(requests.insert_records, rows)
    assert database.run_now(count) == 0
    assert database.run_now(requests.insert_each_record, rows) == [rows[2]]
    assert read(database, limit=10) == [rows[4], rows[3], rows[1], rows[0]]
