from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.postgres import Postgres
from runapi.store.database import Database

ENGINES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One private server for the whole run."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of an empty database: each test runs on SQLite, which has none, and on PostgreSQL."""
    if request.param == "sqlite":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path, engine_url: str | None) -> Iterator[Database]:
    opened = Database.open(home, engine_url)
    yield opened
    opened.close_now()
