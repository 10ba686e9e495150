"""The vectors: the same operations have the same outcomes in memory, on SQLite and on PostgreSQL, singly and in batches.

On PostgreSQL in batches only, to save time: the other tests there write singly.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.postgres import Postgres
from ledger.model import Model
from ledger.played import CUSTOMERS, InMemory, Stored, play
from ledger.write_vectors import vectors, written
from runapi.store.database import Database

FOLDER = Path(__file__).parent / "vectors"
FILES = sorted(FOLDER.glob("*.json"))
VECTORS = [
    pytest.param(vector, id=f"{path.stem}: {vector['name']}")
    for path in FILES
    for vector in json.loads(path.read_text("utf-8"))
]


def check(ledger: InMemory | Stored, vector: dict[str, Any], *, in_batches: bool) -> None:
    ops = vector["operations"]
    assert play(ledger, ops, in_batches=in_batches) == [op["outcome"] for op in ops]
    assert ledger.balances() == vector["balances"]
    assert ledger.faults() == []


def test_there_are_more_than_a_hundred_vectors() -> None:
    assert len(VECTORS) > 100
    assert len({parameter.id for parameter in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", VECTORS)
def test_model_agrees_with_the_vector(vector: dict[str, Any]) -> None:
    model = Model(CUSTOMERS)
    assert [model.do(op) for op in vector["operations"]] == [op["outcome"] for op in vector["operations"]]
    assert model.balances() == vector["balances"]


@pytest.mark.parametrize("in_batches", [False, True], ids=["singly", "in batches"])
@pytest.mark.parametrize("vector", VECTORS)
def test_ledger_in_memory_agrees_with_the_vector(vector: dict[str, Any], *, in_batches: bool) -> None:
    check(InMemory(), vector, in_batches=in_batches)


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all tables in its database, to be copied."""
    home = tmp_path_factory.mktemp("template") / "home"
    Database.open(home).close_now()
    return home


@pytest.mark.parametrize("in_batches", [False, True], ids=["singly", "in batches"])
@pytest.mark.parametrize("vector", VECTORS)
def test_ledger_on_sqlite_agrees_with_the_vector(
    tmp_path: Path, empty_home: Path, vector: dict[str, Any], *, in_batches: bool
) -> None:
    database = Database.open(shutil.copytree(empty_home, tmp_path / "home"))
    try:
        check(Stored(database), vector, in_batches=in_batches)
    finally:
        database.close_now()


@pytest.fixture(scope="module")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables in it, to be copied."""
    url = postgres.new_database()
    Database.open(tmp_path_factory.mktemp("template") / "home", url).close_now()
    return url


@pytest.mark.parametrize("vector", VECTORS)
def test_ledger_on_postgres_agrees_with_the_vector(
    postgres: Postgres, template: str, tmp_path: Path, vector: dict[str, Any]
) -> None:
    url = postgres.new_database(template)
    database = Database.open(tmp_path / "home", url)
    try:
        check(Stored(database), vector, in_batches=True)
    finally:
        database.close_now()
        postgres.drop_database(url)


@pytest.mark.parametrize("subject", sorted(vectors()))
def test_files_are_what_the_scenarios_say(subject: str) -> None:
    assert (FOLDER / f"{subject}.json").read_text("utf-8") == written(vectors()[subject])
