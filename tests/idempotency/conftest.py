import pytest

from fakes.keyed_requests import Ask, open_books
from runapi.store.database import Database


@pytest.fixture
def ask(database: Database) -> Ask:
    database.run_now(open_books)
    return Ask(database)
