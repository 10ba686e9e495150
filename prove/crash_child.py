"""Let a process die at a place, and another look at what is left: `python -m prove.crash_child`.

Each line on standard input is a Case in JSON; it is answered by a line with the list of what is wrong.
"""

import asyncio
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from prove.bugs import plant_from_environment
from prove.draws import AT_US
from prove.fuses import BLOWN, Fuse
from prove.journal import disagreements, read_lines
from prove.logs import send_to_standard_error
from prove.money_scenes import MONEY_SCENES
from prove.scenes import LEDGER_SCENES, Scene, Stage
from prove.work import Work, open_ledger, set_up
from runapi.store.ledger.recovery import recover

SCENES: dict[str, type[Scene]] = {scene.name: scene for scene in (*LEDGER_SCENES, *MONEY_SCENES)}
_ROUNDS_AFTER = 2
_LAST_WORDS = 1_500  # characters
_FAILED = 1
_LOADED_BEFORE = (
    "psycopg",
    "psycopg.types.numeric",
    "sqlalchemy.dialects.postgresql.psycopg",
    "alembic.command",
)
"""What the product loads when it needs it; here once, and not in each process."""


class Case(msgspec.Struct, frozen=True):
    """A scene, the place at which it is cut short, and where it is played."""

    scene: str
    place: str
    passes: int
    home: str
    url: str | None
    seed: int

    def stage(self) -> Stage:
        return Stage(Path(self.home), self.url, self.seed)


def play(case: Case) -> list[str]:
    """Let a process die where it should, and another look; give what is wrong."""
    notes = Path(case.home).with_suffix(".notes")
    status = _fork(lambda: asyncio.run(_die(case)), notes)
    if status == 0:
        return ["the process never came to this place: the point is not where it was"]
    if status != BLOWN:
        return [f"the process failed by itself ({status}): {_last_words(notes)}"]
    faults = Path(case.home).with_suffix(".faults")
    status = _fork(lambda: faults.write_bytes(msgspec.json.encode(_look(case))), notes)
    if status != 0:
        return [f"after it, the look failed ({status}): {_last_words(notes)}"]
    return msgspec.json.decode(faults.read_bytes(), type=list[str])


async def _die(case: Case) -> None:
    """Play the scene with a fuse in it."""
    stage = case.stage()
    scene = SCENES[case.scene](stage)
    fuse = Fuse(case.place, case.passes)
    if not scene.on_empty:
        stage.open()
        stage.take_seat()
    await scene.prepare()
    fuse.arm()
    await scene.act()
    stage.database.close_now()  # whatever was answered, the database's thread may still be on its way to the place


def _look(case: Case) -> list[str]:
    """Start again, let everybody ask again, go on for a while, and compare."""
    stage = case.stage()
    with open_ledger(stage.home, stage.url) as database:
        stage.database = database
        recover(database, AT_US)
        faults = SCENES[case.scene](stage).check()
        set_up(database, stage.say)
        asyncio.run(_go_on(stage))
        recover(database, AT_US)
        return faults + disagreements(database, read_lines(stage.journal.read_bytes()))


async def _go_on(stage: Stage) -> None:
    stage.take_seat()
    await Work(stage.writer, stage.say, Random(stage.chance.random()), "after").do_rounds(_ROUNDS_AFTER)
    await stage.writer.close()


def _fork(do: Callable[[], object], notes: Path) -> int:
    """Do something in a process of its own, what it says on standard error kept; give its exit status."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    status = _FAILED
    try:
        os.dup2(os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        os.dup2(2, 1)
        do()
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's code
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _last_words(notes: Path) -> str:
    return notes.read_text(errors="replace")[-_LAST_WORDS:]


def main() -> None:
    """Play what is asked for, until nobody asks any more."""
    for name in _LOADED_BEFORE:
        importlib.import_module(name)
    for line in sys.stdin.buffer:
        faults = play(msgspec.json.decode(line, type=Case))
        sys.stdout.buffer.write(msgspec.json.encode(faults) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    send_to_standard_error()
    plant_from_environment()
    main()
