"""What a simulated disk keeps, and that everything SQLite does to one is recorded."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from prove.disk import Disk, Luck
from prove.journal import Entry
from prove.recorder import Create, Delete, Event, Sync, Truncate, Write, recording

EVERY = list(Luck)
CHANCES = [Random(seed) for seed in range(30)]
OLD, NEW = b"a" * 5_000, b"b" * 5_000


def cuts(events: list[Event], luck: Luck, files: dict[str, bytes] | None = None) -> list[dict[str, bytes]]:
    disk = Disk({"f": OLD} if files is None else files)
    disk.do(events)
    return [disk.cut(chance, luck) for chance in CHANCES]


@pytest.mark.parametrize("luck", EVERY)
def test_what_was_synced_is_there_whatever_happens(luck: Luck):
    assert cuts([Write("f", 0, NEW), Sync("f", with_folder=False)], luck) == [{"f": NEW}] * len(CHANCES)


def test_what_was_not_synced_may_be_lost_kept_or_kept_in_part():
    written = [Write("f", 0, NEW)]
    assert all(left == {"f": OLD} for left in cuts(written, Luck.NOTHING))
    assert all(left == {"f": NEW} for left in cuts(written, Luck.ALL))
    parts = {left["f"] for left in cuts(written, Luck.ANY)} - {OLD, NEW}
    assert parts
    for part in parts:  # each sector is old or new as a whole
        assert all(len(set(part[begin : begin + 512])) == 1 for begin in range(0, 4_608, 512))


def test_torn_sector_has_a_new_beginning_and_an_old_end():
    torn = {left["f"][:512] for left in cuts([Write("f", 0, NEW)], Luck.TORN)}
    mixed = [sector for sector in torn if len(set(sector)) == 2]
    assert mixed
    assert all(sector == b"b" * sector.count(b"b") + b"a" * sector.count(b"a") for sector in mixed)


def test_in_order_keeps_what_came_before_a_moment():
    events: list[Event] = [Write("f", place, b"b") for place in range(5)]
    for left in cuts(events, Luck.IN_ORDER):
        kept = left["f"].count(b"b")
        assert left["f"][:5] == b"b" * kept + b"a" * (5 - kept)


def test_room_that_was_gained_may_hold_anything():
    grown = {left["f"][5_000:] for left in cuts([Write("f", 5_000, b"b" * 512)], Luck.GARBAGE)}
    assert any(set(tail) - {0, ord("b")} for tail in grown)


def test_cut_of_a_file_is_lost_unless_it_was_synced():
    assert {left["f"] for left in cuts([Truncate("f", 10)], Luck.ANY)} == {OLD, OLD[:10]}
    assert cuts([Truncate("f", 10), Sync("f", with_folder=False)], Luck.NOTHING)[0] == {"f": OLD[:10]}


def test_new_file_is_there_for_sure_only_when_its_folder_was_synced():
    made: list[Event] = [Create("g"), Write("g", 0, b"x")]
    with_folder, alone = Sync("g", with_folder=True), Sync("g", with_folder=False)
    assert cuts([*made, with_folder], Luck.NOTHING, {})[0] == {"g": b"x"}
    assert cuts([*made, alone], Luck.NOTHING, {})[0] == {}
    assert {tuple(left.items()) for left in cuts([*made, alone], Luck.ANY, {})} == {(), (("g", b"x"),)}


def test_removed_file_may_come_back():
    assert {len(left) for left in cuts([Delete("f", with_folder=False)], Luck.ANY)} == {0, 1}
    assert cuts([Delete("f", with_folder=True)], Luck.NOTHING)[0] == {}


def test_recorder_sees_everything_that_sqlite_writes(tmp_path: Path):
    with recording(tmp_path) as log, closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE t (a)")
        log.append(Entry("said", "between", 0))
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        connection.commit()
        disk = Disk({})
        disk.do(log)
        seen = disk.read()
        assert seen["x.db"] == (tmp_path / "x.db").read_bytes()
        assert seen["x.db-wal"] == (tmp_path / "x.db-wal").read_bytes()
        assert isinstance(log[-1], Sync)
    disk = Disk({})
    disk.do(log)
    assert disk.read() == {"x.db": (tmp_path / "x.db").read_bytes()}
    said = log.index(Entry("said", "between", 0))
    assert any(isinstance(event, Sync) for event in log[said:])


def test_recorder_leaves_other_folders_and_later_connections_alone(tmp_path: Path):
    (tmp_path / "watched").mkdir()
    with (
        recording(tmp_path / "watched") as log,
        closing(sqlite3.connect(tmp_path / "other.db")) as connection,
    ):
        connection.execute("CREATE TABLE t (a)")
    with closing(sqlite3.connect(tmp_path / "watched" / "late.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    assert log == []


def test_connection_that_outlives_the_recording_goes_on(tmp_path: Path):
    with recording(tmp_path):
        connection = sqlite3.connect(tmp_path / "x.db")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
