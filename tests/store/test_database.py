"""One connection on one thread; a call is one transaction; migrations give the schema."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from runapi.store import accounts, migrations
from runapi.store.database import Database
from runapi.store.faults import AlreadyExists, NewerDatabase, StoreFailed
from runapi.store.meta import read_meta, write_meta
from runapi.store.schema import metadata


def test_migrations_give_exactly_the_schema(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    assert database.run_now(differences) == []


def test_migrations_give_exactly_the_checks(database: Database) -> None:
    """Alembic does not compare CHECK constraints."""

    def checks(connection: Connection) -> set[tuple[str, str | None, str]]:
        inspector = inspect(connection)
        return {
            (table, check["name"], check["sqltext"])
            for table in metadata.tables
            for check in inspector.get_check_constraints(table)
        }

    with create_engine("sqlite://").connect() as fresh:
        metadata.create_all(fresh)
        expected = checks(fresh)
    assert ("account", "account_name_check", "name <> ''") in expected
    assert database.run_now(checks) == expected


def test_head_is_the_newest_migration_and_what_a_new_database_has(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
    assert database.run_now(migrations.read_version) == migrations.HEAD


def test_ordinary_start_does_not_import_alembic(home: Path) -> None:
    Database.open(home).close_now()
    program = (
        "import sys; from pathlib import Path; from runapi.store.database import Database; "
        "Database.open(Path(sys.argv[1])).close_now(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, home], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "False\n"


def test_database_of_a_newer_version_is_refused_unchanged(home: Path) -> None:
    Database.open(home).close_now()
    with sqlite3.connect(home / "runapi.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    before = (home / "runapi.db").read_bytes()
    with pytest.raises(NewerDatabase, match=r"newer version.*9999.*backup"):
        Database.open(home)
    assert (home / "runapi.db").read_bytes() == before


def test_failed_migration_leaves_nothing_behind(home: Path) -> None:
    home.mkdir(mode=0o700)
    with sqlite3.connect(home / "runapi.db") as other:
        other.execute(
            "CREATE TABLE upstream (id INTEGER)"
        )  # the migration makes tables before and after this one
    other.close()
    with pytest.raises(StoreFailed):
        Database.open(home)
    found = sqlite3.connect(home / "runapi.db")
    assert found.execute("SELECT name FROM sqlite_master").fetchall() == [("upstream",)]
    found.close()


def test_damaged_file_is_refused_with_a_next_step(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "runapi.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreFailed, match=r"runapi\.db cannot be read or written.*Check"):
        Database.open(home)
    (home / "runapi.db").unlink()
    Database.open(home).close_now()  # the refusal let go of the folder


def test_commits_are_durable_and_references_are_kept(database: Database) -> None:
    def pragma(connection: Connection, name: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert database.run_now(pragma, "journal_mode") == "wal"
    assert database.run_now(pragma, "synchronous") == 2  # FULL
    assert database.run_now(pragma, "foreign_keys") == 1


def test_what_was_committed_is_there_at_the_next_start(home: Path) -> None:
    database = Database.open(home)
    account = database.run_now(accounts.create_account, "acme", 7)
    database.close_now()
    database = Database.open(home)
    assert database.run_now(accounts.list_accounts) == [account]
    database.close_now()


async def test_function_that_raises_changes_nothing(database: Database) -> None:
    def write_and_fail(connection: Connection) -> None:
        accounts.create_account(connection, "acme", 1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await database.run(write_and_fail)
    assert await database.run(accounts.list_accounts) == []
    await database.run(accounts.create_account, "acme", 1)  # and the connection is usable


async def test_refused_row_undoes_the_whole_call(database: Database) -> None:
    def write_two(connection: Connection) -> None:
        accounts.create_account(connection, "acme", 1)
        accounts.create_account(connection, "acme", 2)

    with pytest.raises(AlreadyExists):
        await database.run(write_two)
    assert await database.run(accounts.list_accounts) == []


async def test_concurrent_calls_run_one_by_one_in_the_order_in_which_they_were_made(
    database: Database,
) -> None:
    seen: list[int] = []
    threads: set[int] = set()

    def append(connection: Connection, number: int) -> int:
        before = int(read_meta(connection, "last") or -1)
        write_meta(connection, "last", str(number))
        seen.append(number)
        threads.add(threading.get_ident())
        return before

    before = await asyncio.gather(*(database.run(append, number) for number in range(200)))
    assert seen == list(range(200))
    assert before == list(range(-1, 199))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_cancelled_caller_does_not_stop_the_writer(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(30)
        write_meta(connection, "slow", "done")

    caller = asyncio.create_task(database.run(write_slowly))
    assert await asyncio.to_thread(begun.wait, 30)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    assert await database.run(read_meta, "slow") == "done"


async def test_outage_of_the_database_is_named_and_survived(home: Path, database: Database) -> None:
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(home / "runapi.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked"):
        await database.run(write_meta, "name", "value")
    other.execute("ROLLBACK")
    other.close()
    await database.run(write_meta, "name", "value")
    assert await database.run(read_meta, "name") == "value"


async def test_errors_of_the_database_show_no_values(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "canary-secret"})

    with pytest.raises(StoreFailed) as caught:
        await database.run(fail)
    assert caught.value.__cause__ is not None
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__cause__!r}"


async def test_close_finishes_what_was_asked_before(home: Path) -> None:
    database = Database.open(home)
    writes = [asyncio.create_task(database.run(write_meta, f"n{n}", "x")) for n in range(20)]
    await asyncio.sleep(0)  # let the tasks hand their calls over
    await database.close()
    await asyncio.gather(*writes)
    again = Database.open(home)
    assert all(again.run_now(read_meta, f"n{n}") == "x" for n in range(20))
    again.close_now()
