"""Request rows are written in whole batches, behind the requests' back, and none is lost without a word."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runapi.store import requests
from runapi.store.database import Database
from runapi.store.record_log import MOST_IN_BATCH, RecordLog
from store.rows import record


@pytest.fixture
async def record_log(database: Database) -> AsyncIterator[RecordLog]:
    log = RecordLog(database)
    yield log
    await log.close()


@pytest.fixture
async def outage(home: Path, database: Database) -> AsyncIterator[sqlite3.Connection]:
    """Another writer holds the database's lock until it is rolled back."""
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(home / "runapi.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


async def ids(database: Database) -> list[str]:
    rows = await database.run(lambda connection: requests.list_requests(connection, limit=1_000_000))
    return [row.id for row in reversed(rows)]


async def eventually(condition: object) -> None:
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_added_record_is_written_without_anybody_waiting(
    database: Database, record_log: RecordLog
) -> None:
    record_log.add(record(1))
    async with asyncio.timeout(30):
        while await ids(database) != [record(1).id]:
            await asyncio.sleep(0.01)


async def test_written_returns_when_every_record_added_so_far_is_committed(
    home: Path, database: Database, record_log: RecordLog
) -> None:
    await record_log.written()  # of nothing
    reader = sqlite3.connect(home / "runapi.db")  # sees what is committed
    for turn in range(5):
        for number in range(100):
            record_log.add(record(turn * 100 + number))
        await record_log.written()
        assert reader.execute("SELECT count(*) FROM request").fetchone() == ((turn + 1) * 100,)
    reader.close()


async def test_written_does_not_wait_for_records_that_come_later(
    database: Database, record_log: RecordLog
) -> None:
    record_log.add(record(0))
    waiting = asyncio.create_task(record_log.written())
    number = 0
    async with asyncio.timeout(30):
        while not waiting.done():
            number += 1
            record_log.add(record(number))
            await asyncio.sleep(0)


async def test_records_gather_again_after_somebody_was_in_a_hurry(database: Database) -> None:
    log = RecordLog(database, flush_every_s=3600)
    log.add(record(0))
    await log.written()
    log.add(record(1))
    await asyncio.sleep(0.3)
    assert await ids(database) == [record(0).id]
    await log.close()
    assert await ids(database) == [record(0).id, record(1).id]


async def test_many_records_are_written_in_few_commits_and_none_is_lost(database: Database) -> None:
    log = RecordLog(database)
    total = MOST_IN_BATCH * 2 + 7
    for number in range(total):
        log.add(record(number))
    await log.close()
    assert await ids(database) == [record(number).id for number in range(total)]
    assert log.lost == 0


async def test_close_writes_what_came_while_the_last_batch_was_committed(database: Database) -> None:
    log = RecordLog(database, flush_every_s=0)
    for number in range(300):
        log.add(record(number))
        if number % 10 == 0:
            await asyncio.sleep(0.001)
    await log.close()
    assert len(await ids(database)) == 300


async def test_bad_record_is_named_and_the_others_are_written(database: Database) -> None:
    log = RecordLog(database)
    bad = record(1)
    bad.cost_nano = -1
    with capture_logs() as lines:
        for row in (record(0), bad, record(2)):
            log.add(row)
        await log.written()
    assert await ids(database) == [record(0).id, record(2).id]
    assert log.lost == 1
    assert [(line["event"], line["first_ids"]) for line in lines] == [("request_rows_lost", [bad.id])]
    await log.close()


async def test_outage_is_said_once_and_every_row_is_written_after_it(
    database: Database, outage: sqlite3.Connection
) -> None:
    log = RecordLog(database)
    with capture_logs() as lines:
        log.add(record(0))
        await eventually(lambda: lines)
        log.add(record(1))
        await asyncio.sleep(1.2)  # a second failure
        outage.execute("ROLLBACK")
        await asyncio.wait_for(log.written(), 30)
    assert await ids(database) == [record(0).id, record(1).id]
    assert [line["event"] for line in lines] == ["request_rows_wait", "request_rows_written_again"]
    assert log.lost == 0
    await log.close()


async def test_full_queue_loses_new_rows_counts_them_and_says_so_once(
    database: Database, outage: sqlite3.Connection
) -> None:
    log = RecordLog(database, most_pending=10)
    with capture_logs() as lines:
        for number in range(15):
            log.add(record(number))
        outage.execute("ROLLBACK")
        await log.written()
    assert await ids(database) == [record(number).id for number in range(10)]
    assert log.lost == 5
    assert [line["event"] for line in lines] == ["request_rows_lost", "request_rows_written_again"]
    await log.close()


async def test_close_in_an_outage_ends_and_counts_what_is_lost(
    database: Database, outage: sqlite3.Connection
) -> None:
    log = RecordLog(database)
    with capture_logs() as lines:
        for number in range(3):
            log.add(record(number))
        await asyncio.wait_for(log.close(), 30)
    assert log.lost == 3
    assert lines[-1]["event"] == "request_rows_lost"
    assert lines[-1]["count"] == 3


KILLED = """
import asyncio, sys
from pathlib import Path
from runapi.store import requests
from runapi.store.database import Database
from store.rows import record

BATCH = 50

async def write(home):
    database = Database.open(home)
    number = 0
    while True:
        await database.run(requests.insert_records, [record(number + n) for n in range(BATCH)])
        number += BATCH
        print(number, flush=True)

asyncio.run(write(Path(sys.argv[1])))
"""


def test_killed_writer_leaves_whole_batches_and_everything_it_acknowledged(home: Path) -> None:
    tests = Path(__file__).parents[1]
    for acknowledgements in (1, 7, 40):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, home / str(acknowledgements)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(tests)},
        )
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(acknowledgements)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.communicate(timeout=30)[0].splitlines()]
        database = Database.open(home / str(acknowledgements))
        found = len(asyncio.run(ids(database)))
        checked = database.run_now(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
        database.close_now()
        assert checked == "ok"
        assert found % 50 == 0
        assert found - said[-1] in {0, 50}  # the last commit may not have been heard of


KILLED_HALFWAY = """
import sys, time
from pathlib import Path
from runapi.store import requests
from runapi.store.database import Database
from store.rows import record

def write_half(connection):
    requests.insert_records(connection, [record(number) for number in range(3, 5_000)])
    print("half", flush=True)
    time.sleep(60)

database = Database.open(Path(sys.argv[1]))
database.run_now(requests.insert_records, [record(number) for number in range(3)])
database.run_now(write_half)
"""


def test_writer_killed_within_a_batch_leaves_nothing_of_it(home: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED_HALFWAY, home],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half\n"
    writer.kill()
    writer.communicate(timeout=30)
    database = Database.open(home)
    assert asyncio.run(ids(database)) == [record(number).id for number in range(3)]
    database.close_now()
