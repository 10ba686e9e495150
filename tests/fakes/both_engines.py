"""Fixtures for a `database`: SQLite, and for tests marked `ON_BOTH` PostgreSQL as well.

Where the SQL is what is tested, both engines run it. The tables of a test's database are copied, as after an earlier
start: to make them takes twenty times as long. tests/store and tests/ledger/test_postgres.py see them made.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.postgres import Postgres
from runapi.store.database import Database
from runapi.store.home import DATABASE_NAME

ENGINES = ("sqlite", "postgresql")
ON_BOTH = pytest.mark.parametrize("engine_url", ENGINES, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One private server for the whole run."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied."""
    home = tmp_path_factory.mktemp("made") / "home"
    Database.open(home).close_now()
    return home / DATABASE_NAME


@pytest.fixture(scope="session")
def made_url(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a PostgreSQL database with all tables and no rows, to be copied."""
    url = postgres.new_database()
    Database.open(tmp_path_factory.mktemp("made") / "home", url).close_now()
    return url


def lend_database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Give the URL of a PostgreSQL database with all tables if the parameter says so, else none, which is SQLite's."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    template: str = request.getfixturevalue("made_url")
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database(template)
    yield url
    server.drop_database(url)


@pytest.fixture
def engine_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a database on PostgreSQL that has all tables; none for SQLite."""
    yield from lend_database(request)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a data folder can be made."""
    return tmp_path / "home"


@pytest.fixture
def made_home(tmp_path: Path, made_file: Path) -> Path:
    """A data folder whose database has all tables and no rows."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    shutil.copy(made_file, folder / DATABASE_NAME)
    return folder


@pytest.fixture
def database(request: pytest.FixtureRequest, home: Path, engine_url: str | None) -> Iterator[Database]:
    """An open database with all tables and no rows."""
    opened = Database.open(request.getfixturevalue("made_home") if engine_url is None else home, engine_url)
    yield opened
    opened.close_now()
