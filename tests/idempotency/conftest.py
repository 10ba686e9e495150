import pytest

from fakes.both_engines import database, engine_url, postgres
from fakes.keyed_requests import Ask, open_books
from runapi.store.database import Database

__all__ = ["database", "engine_url", "postgres"]


@pytest.fixture
def ask(database: Database) -> Ask:
    database.run_now(open_books)
    return Ask(database)
