"""Fixtures for a `database`, which a conftest imports: SQLite, and for tests marked `ON_BOTH` PostgreSQL as well.

Where the SQL is what is tested, both engines run it; a database of PostgreSQL costs a third of a second a test.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.postgres import Postgres
from runapi.store.database import Database

ON_BOTH = pytest.mark.parametrize("engine_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One private server for a folder of tests."""
    with Postgres() as server:
        yield server


@pytest.fixture
def engine_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty database on PostgreSQL; none for SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def database(tmp_path: Path, engine_url: str | None) -> Iterator[Database]:
    opened = Database.open(tmp_path / "home", engine_url)
    yield opened
    opened.close_now()
