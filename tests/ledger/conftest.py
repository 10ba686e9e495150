from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.postgres import Postgres
from runapi.store.database import Database

ENGINES = ("sqlite", "postgres")
OpenDatabase = Callable[[], Database]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One private server for the whole run."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty database: each test runs on SQLite, which has none, and on PostgreSQL."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres").new_database()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path, engine_url: str | None) -> Iterator[Database]:
    opened = Database.open(home, engine_url)
    yield opened
    opened.close_now()
