"""What is different when the database is a server: its URL, several processes, its session."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from fakes.postgres import Postgres
from runapi.store.accounts import create_account, list_accounts
from runapi.store.database import Database
from runapi.store.faults import DatabaseUnusable, StoreFailed
from runapi.store.record_log import RecordLog
from runapi.store.requests import insert_each_record, list_requests
from runapi.store.schema import metadata
from store.rows import record


def test_processes_that_start_at_once_make_the_tables_once(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    with ThreadPoolExecutor() as pool:
        opened = list(pool.map(lambda name: Database.open(tmp_path / name, url), "abc"))
    opened[0].run_now(create_account, "acme", 1)
    assert [len(database.run_now(list_accounts)) for database in opened] == [1, 1, 1]
    for database in opened:
        database.close_now()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x.db",
        "postgresql",
        "mysql://u:secret@h/d",
        "postgresql://u:secret@h",
        "http://u:secret@h/d",
        "",
    ],
)
def test_url_that_is_not_postgres_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="must look like postgresql://") as refused:
        Database.open(tmp_path / "home", url)
    assert "secret" not in str(refused.value)
    Database.open(tmp_path / "home").close_now()  # the refusal let go of the folder


def test_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://user:secret@/runapi?host={tmp_path}"
    with pytest.raises(StoreFailed, match=r"cannot be reached.*Check that PostgreSQL runs") as refused:
        Database.open(tmp_path / "home", url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_usual_form_of_the_url_is_understood(postgres: Postgres, tmp_path: Path, scheme: str) -> None:
    url = postgres.new_database()
    database = Database.open(tmp_path / "home", url.replace("postgresql", scheme, 1))
    assert database.run_now(list_accounts) == []
    database.close_now()
    postgres.drop_database(url)


def test_commits_are_durable_whatever_the_server_s_default(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()

    def weaken(connection: Connection) -> None:
        connection.execute(
            text(f"ALTER DATABASE {connection.engine.url.database} SET synchronous_commit = off")
        )

    def setting(connection: Connection) -> Any:
        return connection.execute(text("SHOW synchronous_commit")).scalar()

    database = Database.open(tmp_path / "home", url)
    database.run_now(weaken)
    database.close_now()
    database = Database.open(tmp_path / "home", url)
    assert database.run_now(setting) == "on"
    database.close_now()
    postgres.drop_database(url)


async def test_request_rows_are_written_and_a_bad_one_does_not_take_its_batch_along(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    database = Database.open(tmp_path / "home", url)
    log = RecordLog(database, flush_every_s=0.01)
    rows = [record(number) for number in range(20)]
    rows[7].model = "a\0b"
    rows[9].first_byte_us = 5
    for row in rows:
        log.add(row)
    await log.close()
    assert log.lost == 1
    found = await database.run(lambda connection: list_requests(connection, limit=99))
    assert found == [row for row in reversed(rows) if row is not rows[7]]
    assert await database.run(insert_each_record, [rows[7], record(30)]) == [rows[7]]
    await database.close()
    postgres.drop_database(url)


def test_migrations_give_exactly_the_schema_there_too(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    database = Database.open(tmp_path / "home", url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    assert database.run_now(differences) == []
    database.close_now()
    postgres.drop_database(url)
