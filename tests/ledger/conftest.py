from collections.abc import Iterator

import pytest

from fakes.both_engines import ENGINES, lend_database


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a database that has all tables: each test here runs on SQLite, which has none, and on PostgreSQL."""
    yield from lend_database(request)
