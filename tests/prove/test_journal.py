"""The comparison of a ledger with what was asked of it and acknowledged finds each way in which they can differ."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from prove.draws import hold, payment, settle, void
from prove.journal import Entry, acknowledged, asked, disagreements, read_lines, write_line
from prove.work import open_ledger, set_up
from runapi.core.ledger.operations import Operation
from runapi.core.usage import Usage
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations

USAGE = Usage(input=10, cached=1, cache_write=0, output=20, reasoning=0)
FIRST, SECOND = hold("first", 1, 300), hold("second", 2, 300)


@pytest.fixture
def journal() -> list[Entry]:
    return []


@pytest.fixture
def database(made_home: Path, journal: list[Entry]) -> Iterator[Database]:
    with open_ledger(made_home) as opened:
        set_up(opened, journal.append)
        do(opened, journal, FIRST, SECOND, settle(FIRST, USAGE), void(SECOND), payment("late", 1, 50))
        yield opened


def do(database: Database, journal: list[Entry], *operations: Operation) -> None:
    for operation in operations:
        journal.append(asked(operation))
        (outcome,) = database.run_now(write_operations, [operation])
        entry = acknowledged(operation, outcome)
        assert entry is not None
        journal.append(entry)


def only(faults: list[str], part: str) -> None:
    assert len(faults) == 1, faults
    assert part in faults[0]


def test_honest_ledger_agrees(database: Database, journal: list[Entry]):
    assert disagreements(database, journal) == []


@pytest.mark.parametrize("word", ["hold", "settle", "void", "topup", "extend"])
def test_acknowledged_thing_that_is_not_there_is_found(database: Database, journal: list[Entry], word: str):
    only(disagreements(database, [*journal, Entry(word, "lost", 5)]), f"acknowledged: {word} of 5 for lost")


def test_acknowledged_thing_with_another_amount_is_found(database: Database, journal: list[Entry]):
    changed = [entry._replace(amount=1) if entry.word == "settle" else entry for entry in journal]
    only(disagreements(database, changed), "acknowledged: settle of 1 for first; there is [")


@pytest.mark.parametrize("word", ["ask hold", "ask settle", "ask void", "ask topup"])
def test_thing_that_nobody_asked_for_is_found(database: Database, journal: list[Entry], word: str):
    found = disagreements(database, [entry for entry in journal if entry.word != word])
    assert found
    assert all(fault.startswith(f"nobody asked for the {word.removeprefix('ask ')} of") for fault in found)


def test_charge_for_another_cost_than_was_asked_is_found(database: Database, journal: list[Entry]):
    changed = [entry._replace(amount=1) if entry.word == "ask settle" else entry for entry in journal]
    only(disagreements(database, changed), "nobody asked for the settle of")


def test_hold_that_never_ended_is_found(database: Database, journal: list[Entry]):
    do(database, journal, hold("open", 1, 10))
    only(disagreements(database, journal), "the hold of open is still open")


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("DELETE FROM receipt_source", "its receipt or its answer is not there"),
        ("DELETE FROM kept_answer", "its receipt or its answer is not there"),
        ("UPDATE ledger_account SET posted = posted + 1 WHERE account_id = 1 AND mode = 'live'", "verify: "),
    ],
)
def test_ledger_that_was_changed_is_found(
    database: Database, journal: list[Entry], home: Path, sql: str, part: str
) -> None:
    with closing(sqlite3.connect(home / "runapi.db")) as connection, connection:
        connection.execute(sql)
    assert any(part in fault for fault in disagreements(database, journal))


def test_lost_row_of_a_request_is_found(database: Database, journal: list[Entry], home: Path):
    with closing(sqlite3.connect(home / "runapi.db")) as connection, connection:
        connection.execute("DELETE FROM request")
    assert any("its own row says None" in fault for fault in disagreements(database, journal))


def test_lines_of_a_killed_process_are_read_up_to_the_last_whole_one():
    entries = [Entry("ask hold", "a b", 3), Entry("hold", "a b", 3)]
    data = b"".join(map(write_line, entries))
    assert read_lines(data) == entries
    assert read_lines(data[:-1]) == entries[:1]
    assert read_lines(b"") == []
