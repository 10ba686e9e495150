"""The writer when the database fails: nothing is acknowledged, nothing stays held, and it goes on by itself."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fakes.lost_commit import LossyWire
from fakes.needs import REPOSITORY
from fakes.postgres import Postgres
from ledger.filled import AT_US, hold, open_accounts, settle, topup
from runapi.core.keys import Mode
from runapi.core.ledger.books import Balance
from runapi.core.ledger.operations import AlreadyEnded, Held, UnknownHold, Void
from runapi.store.database import Database
from runapi.store.faults import LedgerUnavailable
from runapi.store.ledger.customers import read_balance
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.verify import verify
from runapi.store.ledger.writer import LedgerWriter

DISK_THAT_FAILS = """
import asyncio, resource, signal, sys
from pathlib import Path
from ledger.filled import hold, open_accounts
from runapi.store.database import Database
from runapi.store.faults import LedgerUnavailable
from runapi.store.ledger.writer import LedgerWriter

async def main():
    database = Database.open(Path(sys.argv[1]))
    seat = open_accounts(database)
    lost = []
    writer = LedgerWriter(database, seat, lost.append)
    print(type(await writer.submit(hold("r1"))).__name__)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # every write beyond fails, as on a broken disk
    for request_id in ("r2", "r3"):
        try:
            print(await writer.submit(hold(request_id)))
        except LedgerUnavailable as fault:
            print(type(fault).__name__)
    print([type(fault).__name__ for fault in lost])

asyncio.run(main())
"""


async def balance(database: Database, account_id: int = 1) -> Balance | None:
    return await database.run(read_balance, account_id, Mode.LIVE)


async def test_batch_that_cannot_be_committed_fails_whole_and_the_ledger_comes_back(tmp_path: Path) -> None:
    """On SQLite, where another program holds the file's write lock."""
    database = Database.open(tmp_path / "home")
    seat = await asyncio.to_thread(open_accounts, database, live_nano=1_000)
    writer = LedgerWriter(database, seat, pytest.fail, retry_after_s=0.02)
    await writer.submit(hold("r1"))
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(tmp_path / "home" / "runapi.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(
        writer.submit(hold("r2")), writer.submit(settle("r1", 10)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LedgerUnavailable] * 2
    assert writer.is_failing
    with pytest.raises(LedgerUnavailable, match="at the moment"):
        await writer.submit(hold("r3"))
    writer.note(settle("r1", 10))
    other.execute("ROLLBACK")
    other.close()
    async with asyncio.timeout(10):
        while writer.is_failing:
            await asyncio.sleep(0.01)
    assert await balance(database) == Balance(990, 0)
    assert isinstance(await writer.submit(settle("r1", 10)), AlreadyEnded)
    assert isinstance(await writer.submit(Void(request_id="r2", reason="", at_us=AT_US)), UnknownHold)
    await writer.close()
    assert (await database.run(verify)).faults == ()
    await database.close()


async def test_close_gives_up_on_a_database_that_stays_away(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "home")
    seat = await asyncio.to_thread(open_accounts, database, live_nano=1_000)
    writer = LedgerWriter(database, seat, pytest.fail, retry_after_s=0.02)
    await writer.submit(hold("r1"))
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(tmp_path / "home" / "runapi.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.note(settle("r1", 10))
    async with asyncio.timeout(10):
        await writer.close()
    other.close()
    assert await balance(database) == Balance(1_000, 100)  # recovery will end it
    await database.close()


async def test_damaged_file_ends_the_process(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "home")
    seat = await asyncio.to_thread(open_accounts, database)
    lost: list[BaseException] = []
    writer = LedgerWriter(database, seat, lost.append)
    await database.run(lambda connection: connection.exec_driver_sql("DELETE FROM ledger_tail"))
    with pytest.raises(LedgerUnavailable):
        await writer.submit(hold("r1"))
    assert len(lost) == 1
    assert "tail" in str(lost[0])
    await writer.close()
    await database.close()


async def test_lost_postgres_fails_the_batch_and_is_found_again(postgres: Postgres, tmp_path: Path) -> None:
    database = Database.open(tmp_path / "home", postgres.new_database())
    seat = await asyncio.to_thread(open_accounts, database, live_nano=1_000)
    writer = LedgerWriter(database, seat, pytest.fail, retry_after_s=0.05)
    await writer.submit(hold("r1"))
    postgres.kill()
    with pytest.raises(LedgerUnavailable):
        await writer.submit(hold("r2"))
    with pytest.raises(LedgerUnavailable):
        await writer.submit(hold("r3"))
    writer.note(settle("r1", 25))
    await asyncio.sleep(0.2)
    postgres.start()
    async with asyncio.timeout(20):
        while writer.is_failing:
            await asyncio.sleep(0.02)
    assert isinstance(await writer.submit(hold("r4")), Held)
    await writer.close()
    assert await balance(database) == Balance(975, 100)
    assert (await database.run(verify)).faults == ()
    await database.close()


async def test_commit_whose_reply_was_lost_leaves_nothing_held_and_is_not_done_twice(
    postgres: Postgres, tmp_path: Path
) -> None:
    """Nobody can know whether such a batch was committed. Here it was."""
    with tempfile.TemporaryDirectory() as folder, LossyWire(Path(folder), postgres.folder) as wire:
        database = Database.open(tmp_path / "home", wire.url(postgres.new_database()))
        seat = await asyncio.to_thread(open_accounts, database, live_nano=1_000)
        writer = LedgerWriter(database, seat, pytest.fail, retry_after_s=0.02)
        assert isinstance(await writer.submit(hold("r1")), Held)
        wire.lose_next_commit = True
        results = await asyncio.gather(
            *(writer.submit(operation) for operation in (hold("r2"), settle("r1", 30), topup(1, 500))),
            return_exceptions=True,
        )
        assert wire.lost == 1
        assert [type(result) for result in results] == [LedgerUnavailable] * 3
        async with asyncio.timeout(10):
            while writer.is_failing:
                await asyncio.sleep(0.01)
        assert await balance(database) == Balance(1_000 - 30 + 500, 0)
        assert isinstance(await writer.submit(settle("r1", 30)), AlreadyEnded)  # asked again, as one should
        assert isinstance(await writer.submit(hold("r2")), AlreadyEnded)
        assert isinstance(await writer.submit(hold("r3")), Held)
        await writer.close()
        assert (await database.run(verify)).faults == ()
        await database.close()


def test_disk_that_fails_ends_the_process_and_acknowledges_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DISK_THAT_FAILS, tmp_path / "home"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "tests")},
    )
    said = [line for line in done.stdout.splitlines() if "ledger_lost" not in line]
    assert said == ["Held", "LedgerUnavailable", "LedgerUnavailable", "['StoreBroken']"], done.stderr
    database = Database.open(tmp_path / "home")
    assert recover(database, AT_US).voided == 1  # r1
    assert database.run_now(verify).faults == ()
    database.close_now()
