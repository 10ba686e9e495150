"""The data folder is private and belongs to one process."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runapi.store.database import Database
from runapi.store.faults import HomeInUse, HomeUnusable
from runapi.store.secrets import Vault

HOLD = """
import sys
from pathlib import Path
from runapi.store.database import Database
from runapi.store.faults import HomeInUse
try:
    database = Database.open(Path(sys.argv[1]))
except HomeInUse as refusal:
    print(refusal)
    sys.exit(3)
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_folder_and_every_file_in_it_are_closed_to_others(home: Path) -> None:
    before = os.umask(0)
    try:
        database = Database.open(home)
        Vault.unlock(database)
    finally:
        os.umask(before)
    modes = {path.name: mode(path) for path in home.iterdir()}
    database.close_now()
    assert mode(home) == 0o700
    assert {"runapi.db", "runapi.db-wal", "secret.key", "lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_files_that_were_opened_to_others_are_closed_again(home: Path) -> None:
    database = Database.open(home)
    Vault.unlock(database)
    database.close_now()
    home.chmod(0o755)
    for name in ("runapi.db", "secret.key"):
        (home / name).chmod(0o644)
    database = Database.open(home)
    Vault.unlock(database)
    database.close_now()
    assert [mode(path) for path in (home, home / "runapi.db", home / "secret.key")] == [0o700, 0o600, 0o600]


def test_empty_folder_that_is_open_to_others_is_closed(home: Path) -> None:
    home.mkdir(mode=0o755)
    Database.open(home).close_now()
    assert mode(home) == 0o700


def test_shared_folder_with_files_of_others_is_refused_and_left_as_it_is(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    (home / "letter.txt").write_text("not ours")
    with pytest.raises(HomeUnusable, match="chmod 700"):
        Database.open(home)
    assert mode(home) == 0o755
    assert [path.name for path in home.iterdir()] == ["letter.txt"]


def test_folder_that_cannot_be_made_is_refused_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="RUNAPI_HOME"):
        Database.open(tmp_path / "file" / "home")


def test_second_process_is_refused_and_told_who_holds_the_folder(home: Path, database: Database) -> None:
    second = subprocess.run(
        [sys.executable, "-c", HOLD, home], input="", capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 3
    assert f"process {os.getpid()}" in second.stdout
    assert "RUNAPI_HOME" in second.stdout


def test_second_database_in_one_process_is_refused(home: Path, database: Database) -> None:
    with pytest.raises(HomeInUse):
        Database.open(home)


def test_folder_of_a_killed_process_is_free_again(home: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeInUse, match=f"process {holder.pid}"):
            Database.open(home)
    finally:
        holder.kill()
        holder.communicate(timeout=30)
    Database.open(home).close_now()


def test_closed_database_frees_the_folder_and_may_be_closed_twice(home: Path) -> None:
    first = Database.open(home)
    first.close_now()
    first.close_now()
    Database.open(home).close_now()
