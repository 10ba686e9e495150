"""Receipts from the books: signed on demand, and bound into one root a day."""

import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import open_books
from fakes.offices import Clock, office_on
from fakes.receipts import RATES, USAGE, a_record
from runapi.core.check_receipt import check_receipt
from runapi.core.keys import Mode
from runapi.core.ledger.operations import OpenHold, Settle
from runapi.core.receipts import NO_ROOT, ReceiptSource, canonical
from runapi.core.usage import Usage, UsageSource
from runapi.flows.office import Office
from runapi.flows.sign_receipt import (
    PAGE,
    ShowKey,
    _seal_page,
    close_day,
    give_receipt,
    list_roots,
    show_key,
)
from runapi.flows.sign_receipt import ListRoots as Listing
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.batch import write_operations
from runapi.store.receipts import insert_sources

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
NOON_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON_US)


@pytest.fixture
def office(database: Database, clock: Clock) -> Office:
    database.run_now(open_books)
    return office_on(database, clock)


def serve(connection: Connection, number: int, ended_us: int, usage: Usage = USAGE) -> str:
    """Leave behind what one charged request leaves behind; its id."""
    record = a_record(usage, number=number)
    opened = OpenHold(
        request_id=record.id,
        account_id=1,
        mode=Mode.LIVE,
        amount_nano=100_000,
        least_nano=1,
        key_id=1,
        price_version=3,
        at_us=record.at_us,
    )
    ending = Settle(
        request_id=record.id,
        amount_nano=record.cost_nano,
        cost_pico=record.cost_pico,
        usage="{}",
        usage_source=UsageSource.REPORTED,
        at_us=ended_us,
        record=record,
    )
    write_operations(connection, [opened])
    write_operations(connection, [ending])
    source = ReceiptSource(record.id, ended_us, b"q" * 32, b"r" * 32, '{"total_tokens": 150}', 3, RATES)
    insert_sources(connection, [source])
    return record.id


@ON_BOTH
def test_a_receipt_says_what_the_books_say(database: Database, office: Office):
    request_id = database.run_now(serve, 1, NOON_US, Usage(10, 0, 0, 2))
    signed = database.run_now(give_receipt, office, request_id)
    public = bytes.fromhex(database.run_now(show_key, office, ShowKey()).public_key)
    assert check_receipt(canonical(signed), public).fault is None
    receipt = signed.receipt
    assert (receipt.request_id, receipt.charged_nano, receipt.price_version) == (request_id, "55000", 3)
    assert [(transfer.kind, transfer.amount_nano) for transfer in receipt.transfers] == [
        ("hold", "100000"),
        ("settle", "55000"),
    ]
    assert (receipt.upstream_usage, receipt.account[:5]) == ('{"total_tokens": 150}', "acct_")
    assert signed.inclusion is None


def test_what_went_over_the_hold_is_written_off_on_the_receipt(database: Database, office: Office):
    request_id = database.run_now(serve, 1, NOON_US, Usage(0, 0, 0, 10))
    signed = database.run_now(give_receipt, office, request_id)
    assert (signed.receipt.charged_nano, signed.receipt.written_off_nano) == ("100000", "50000")
    assert check_receipt(canonical(signed)).fault is None


def test_a_receipt_is_the_same_each_time_and_after_a_restart(
    database: Database, office: Office, clock: Clock, engine_url: str | None
):
    request_id = database.run_now(serve, 1, NOON_US)
    first = database.run_now(give_receipt, office, request_id)
    database.close_now()
    reopened = Database.open(database.home, engine_url)
    try:
        assert reopened.run_now(give_receipt, office_on(reopened, clock), request_id) == first
    finally:
        reopened.close_now()


@ON_BOTH
def test_nobody_gets_another_account_s_receipt_or_one_that_is_not_there(database: Database, office: Office):
    request_id = database.run_now(serve, 1, NOON_US)
    assert database.run_now(give_receipt, office, request_id, 1).receipt.request_id == request_id
    for asked in ((request_id, 2), ("req_nothing", 1), ("req_nothing", None)):
        with pytest.raises(NotFound):
            database.run_now(give_receipt, office, *asked)


def test_the_signing_key_is_sealed(database: Database, office: Office):
    public = database.run_now(show_key, office, ShowKey()).public_key
    stored = database.run_now(
        lambda connection: connection.exec_driver_sql(
            "SELECT value FROM meta WHERE name = 'receipt.key'"
        ).scalar_one()
    )
    seed = office.vault.open(bytes.fromhex(stored), "receipt.key")
    database.close_now()
    content = b"".join(file.read_bytes() for file in database.home.iterdir() if file.is_file())
    assert len(bytes.fromhex(seed)) == 32
    assert seed != public
    assert seed.encode() not in content
    assert bytes.fromhex(seed) not in content


@ON_BOTH
async def test_each_day_gets_one_root_over_all_its_receipts(database: Database, office: Office, clock: Clock):
    count = 2 * PAGE + 3
    ids = [await database.run(serve, number, NOON_US + number) for number in range(1, count + 1)]
    assert await close_day(database, office) is None  # the day is not over
    clock.us = NOON_US + DAY_US
    signed = await close_day(database, office)
    assert signed is not None
    assert (signed.statement.day, signed.statement.count) == ("2026-11-22", count)
    assert signed.statement.previous == NO_ROOT.hex()
    assert await close_day(database, office) is None
    for request_id in (ids[0], ids[PAGE], ids[-1]):
        receipt = await database.run(give_receipt, office, request_id)
        assert receipt.inclusion is not None
        assert receipt.inclusion.day == signed
        assert check_receipt(canonical(receipt)).fault is None


@ON_BOTH
async def test_a_root_names_the_one_before_and_takes_in_what_came_late(
    database: Database, office: Office, clock: Clock
):
    await database.run(serve, 1, NOON_US)
    clock.us = NOON_US + DAY_US
    first = await close_day(database, office)
    late = await database.run(serve, 2, NOON_US)  # ended yesterday, written today
    clock.us += DAY_US
    second = await close_day(database, office)
    assert first is not None
    assert second is not None
    assert (second.statement.previous, second.statement.count) == (first.statement.root, 1)
    assert second.statement.day == "2026-11-23"
    receipt = await database.run(give_receipt, office, late)
    assert receipt.inclusion is not None
    assert receipt.inclusion.day == second
    listed = await database.run(list_roots, office, Listing())
    assert [(row.day, row.signature) for row in listed] == [
        ("2026-11-23", second.signature),
        ("2026-11-22", first.signature),
    ]


@ON_BOTH
async def test_closing_a_day_that_was_broken_off_is_taken_up_again(
    database: Database, office: Office, clock: Clock
):
    for number in range(1, PAGE + 11):
        await database.run(serve, number, NOON_US + number)
    clock.us = NOON_US + DAY_US
    assert await database.run(_seal_page, office, "2026-11-22", NOON_US + HOUR_US, 0) == PAGE
    signed = await close_day(database, office)
    assert signed is not None
    assert signed.statement.count == PAGE + 10
    for number in range(1, PAGE + 11):
        receipt = await database.run(give_receipt, office, f"req_{number:032x}")
        assert check_receipt(canonical(receipt)).fault is None


async def test_a_request_whose_numbers_were_changed_does_not_hold_up_the_day(
    database: Database, office: Office, clock: Clock
):
    await database.run(serve, 1, NOON_US)
    await database.run(serve, 2, NOON_US)
    await database.run(
        lambda connection: connection.exec_driver_sql("UPDATE request SET cost_nano = 1 WHERE id LIKE '%%1'")
    )
    clock.us = NOON_US + DAY_US
    signed = await close_day(database, office)
    assert signed is not None
    assert signed.statement.count == 2
    good = await database.run(give_receipt, office, f"req_{2:032x}")
    assert check_receipt(canonical(good)).fault is None


async def test_the_guide_is_enough_to_check_a_receipt(database: Database, office: Office, clock: Clock):
    """Every step of docs/guide/receipts.md, with nothing but JSON, SHA-256 and Ed25519."""
    for number in range(1, 8):
        await database.run(serve, number, NOON_US + number)
    clock.us = NOON_US + DAY_US
    await close_day(database, office)
    signed = await database.run(give_receipt, office, f"req_{4:032x}")
    document = json.loads(canonical(signed))

    def text(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["public_key"]))
    public.verify(bytes.fromhex(document["signature"]), b"runapi receipt 1\n" + text(document["receipt"]))
    inclusion = document["inclusion"]
    statement = inclusion["day"]["statement"]
    public.verify(bytes.fromhex(inclusion["day"]["signature"]), b"runapi receipt root 1\n" + text(statement))
    node = sha256(b"\0" + text(document["receipt"])).digest()
    index = inclusion["index"]
    assert statement["count"] == 7
    for beside in map(bytes.fromhex, inclusion["path"]):
        node = sha256(b"\1" + (beside + node if index % 2 else node + beside)).digest()
        index //= 2
    assert node.hex() == statement["root"]
