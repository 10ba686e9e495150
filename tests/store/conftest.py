from collections.abc import Iterator
from pathlib import Path

import pytest

from runapi.store.database import Database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = Database.open(home)
    yield opened
    opened.close_now()
