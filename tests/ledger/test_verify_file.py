"""Somebody, or the disk, changes the SQLite file itself: whatever it was, verification ends well and says where."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from ledger.filled import fill
from ledger.priced import fill_priced
from runapi.store.database import Database
from runapi.store.faults import StoreBroken
from runapi.store.home import DATABASE_NAME
from runapi.store.ledger.verify import Verification, verify

FLIPS = 150
TEXTS = {"mode", "kind", "request_id", "usage", "usage_source", "reason", "reference"}


def make_file(home: Path, fill_it: Callable[[Database], object]) -> Path:
    """A ledger in one file, with nothing left in the write-ahead log."""
    database = Database.open(home)
    fill_it(database)
    database.close_now()
    path = home / DATABASE_NAME
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@contextmanager
def edited(path: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of somebody who has taken the triggers and checks away."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    connection.commit()
    connection.close()


def verify_file(path: Path) -> Verification:
    database = Database.open(path.parent)
    try:
        return database.run_now(verify)
    finally:
        database.close_now()


@pytest.fixture(scope="module")
def priced_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("priced") / "home", fill_priced)


@pytest.fixture
def path(home: Path, priced_file: Path) -> Path:
    """The same ledger for each test, to be spoilt."""
    home.mkdir(mode=0o700)
    return Path(shutil.copy(priced_file, home))


def test_file_that_nobody_touched_is_right(path: Path) -> None:
    assert verify_file(path).faults == ()


@pytest.mark.parametrize(
    ("sql", "row", "told"),
    [
        ("UPDATE transfer SET amount = amount + 1 WHERE seq = 20", 20, "one of them was changed"),
        ("DELETE FROM transfer WHERE seq = 20", 21, "row 20 is missing before it"),
        ("DELETE FROM transfer WHERE seq BETWEEN 20 AND 22", 23, "rows 20 to 22 are missing before it"),
        ("UPDATE transfer SET seq = 9999 WHERE seq = 20", 21, "row 20 is missing before it"),
        ("UPDATE transfer SET at_us = at_us + 1 WHERE seq = 20", 20, "one of them was changed"),
        ("UPDATE transfer SET reason = CAST(x'ff' AS TEXT) WHERE seq = 20", 20, "one of them was changed"),
        ("UPDATE transfer SET amount = 'much' WHERE seq = 20", 20, "its numbers are"),
        ("UPDATE transfer SET amount = 1.5 WHERE seq = 20", 20, "its numbers are"),
        ("UPDATE transfer SET debit = 18.5 WHERE seq = 20", 20, "its numbers are"),
        ("UPDATE transfer SET hash = 'text' WHERE seq = 20", 20, "one of them was changed"),
        ("UPDATE transfer SET debit = 99 WHERE seq = 20", 20, "one of them was changed"),
        ("UPDATE ledger_account SET posted = 'much' WHERE id = 18", None, "account 18 has posted = much"),
        ("UPDATE ledger_account SET id = 14 WHERE id = 19", None, "account 19 is missing"),
        ("UPDATE ledger_tail SET hash = 'text'", None, "the tail names row"),
    ],
)
def test_edit_is_found_where_it_is(path: Path, sql: str, row: int | None, told: str) -> None:
    with edited(path) as connection:
        connection.execute(sql)
    found = verify_file(path)
    assert any(fault.seq == row and told in fault.text for fault in found.faults), found.faults


def test_text_that_is_no_text_any_more_is_named_in_words_that_can_be_printed(path: Path) -> None:
    with edited(path) as connection:
        connection.execute(
            "UPDATE transfer SET request_id = CAST(x'7265715ff0' AS TEXT) "
            "WHERE seq = (SELECT max(seq) FROM transfer WHERE kind = 'settle')"
        )
    found = verify_file(path)
    assert found.fault_count > 0
    for fault in found.faults:
        fault.text.encode()  # no half of a character is left in it


def place_of_rows(path: Path) -> list[tuple[int, int]]:
    """Where each row's bytes stand in the file: from 50 before its hash, which is the last of its columns, to its end."""
    data = path.read_bytes()
    connection = sqlite3.connect(path)
    places = []
    for seq, sealed in connection.execute("SELECT seq, hash FROM transfer ORDER BY seq"):
        at = data.find(sealed)
        # The tail repeats the last row's hash; rows stand once.
        if data.count(sealed) == 1:
            places.append((seq, at))
    connection.close()
    return places


@pytest.mark.parametrize("fill_it", [fill, fill_priced])
def test_every_flipped_bit_in_a_row_is_found(tmp_path: Path, fill_it: Callable[[Database], object]) -> None:
    path = make_file(tmp_path / "home", fill_it)
    whole, places, chance = path.read_bytes(), place_of_rows(path), Random(5)
    assert len(places) > 50
    for _ in range(FLIPS):
        seq, at = chance.choice(places)
        byte, bit = at + chance.randrange(-50, 32), chance.randrange(8)
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 1 << bit]) + whole[byte + 1 :])
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        try:
            found = verify_file(path)
        except StoreBroken:  # SQLite itself noticed
            continue
        assert found.fault_count > 0, (seq, byte - at, bit)
        assert seq in {fault.seq for fault in found.faults}, (seq, byte - at, bit, found.faults)
