"""Power cuts: everything that SQLite wrote is recorded, and a disk is made of what a cut may have left of it.

The product's own database is opened on that disk, and recovers. What it had acknowledged before the cut must be there,
once; nothing may be there that was not asked for; the ledger must verify. Then work goes on, on that disk, to the next cut.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from prove.disk import Disk, Luck
from prove.draws import AT_US
from prove.journal import Entry, disagreements
from prove.recorder import Create, Event, NoLibrary, Sync, find_library, recording
from prove.tiers import Tier
from prove.verdict import Verdict, Violation
from prove.work import Say, Work, open_ledger, set_up
from runapi.store.database import Database
from runapi.store.faults import StoreFault
from runapi.store.home import DATABASE_NAME
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.writer import LedgerWriter, Seat

NAME = "power_cuts"
LIVES, CUTS = 3, 4  # of one case: so often the power comes back, and so many cuts are tried each time
CASES_CI, CASES_NIGHTLY = 9, 170  # x 12 cuts
_ROUNDS = 12
_CHECKPOINT_PAGES = 40  # the product copies the log into the file after 4,000; so there are many such moments

Files = Mapping[str, bytes]


def prove(tier: Tier, seed: int) -> Verdict:
    """Cut the power at so many moments."""
    try:
        find_library()
    except NoLibrary as fault:
        return Verdict(cases=0, skipped=str(fault))
    cases = tier.cases(ci=CASES_CI, nightly=CASES_NIGHTLY)
    violations: list[str] = []
    acknowledged = 0
    for number in range(cases):
        case = Case(seed + number)
        case.run()
        violations += [Violation(text, seed=seed + number) for text in case.violations]
        acknowledged += case.acknowledged
    figures = (f"{acknowledged} acknowledged things looked for", f"{cases * LIVES} lives")
    return Verdict(cases=cases * LIVES * CUTS, figures=figures, violations=violations)


class Case:
    """A disk, and a few lives of a server on it, each ended by a cut."""

    def __init__(self, seed: int) -> None:
        """The seed decides the work, the moments and what is kept."""
        self.violations: list[str] = []
        self.acknowledged = 0  # things looked for after all cuts
        self._chance = Random(seed)
        self._files: Files = {}
        self._said: list[Entry] = []  # in all lives before

    def run(self) -> None:
        """Live, cut, and go on with what one of the cuts left."""
        for life in range(LIVES):
            with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder:
                log, last = live(
                    Path(folder) / "home", self._files, Random(self._chance.random()), f"life{life}"
                )
            disk = Disk(self._files)
            disk.do(log)
            if disk.read() != last:
                self.violations.append("the recorder missed something that was written: nothing is proved")
                return
            cuts = [self._cut(log) for _ in range(CUTS)]
            if self.violations:
                return
            self._files, said = self._chance.choice(cuts)
            self._said += said

    def _cut(self, log: list[Event]) -> tuple[Files, list[Entry]]:
        """Cut once, and look; give what was left, and what had been said in this life."""
        chance = self._chance
        moment, luck = draw_moment(log, chance), chance.choice(list(Luck))
        disk = Disk(self._files)
        disk.do(log[:moment])
        files = disk.cut(chance, luck)
        said = [event for event in log[:moment] if isinstance(event, Entry)]
        journal = self._said + said
        self.acknowledged += sum(not entry.word.startswith("ask ") for entry in journal)
        where = f"cut at {moment} of {len(log)}, {luck.value}"
        self.violations += [f"{where}: {text}" for text in look(files, journal)]
        return files, said


def live(home: Path, files: Files, chance: Random, run: str) -> tuple[list[Event], Files]:
    """Serve for a while on these files; give everything that happened, and the files as they were at the end."""
    put(files, home)
    with recording(home) as log:
        if DATABASE_NAME not in files:
            log.append(Create(DATABASE_NAME))  # by the product itself, which opens it before SQLite does
        with open_ledger(home) as database:
            database.run_now(_copy_often)
            set_up(database, log.append)
            seat = recover(database, AT_US).seat
            asyncio.run(_work(database, seat, chance, log.append, run))
    return log, {path.name: path.read_bytes() for path in home.glob(f"{DATABASE_NAME}*")}


def look(files: Files, journal: list[Entry]) -> list[str]:
    """Open what a cut has left as a start does, and say what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder:
        home = Path(folder) / "home"
        put(files, home)
        try:
            with open_ledger(home) as database:
                damage = database.run_now(_check_file)
                recover(database, AT_US)
                return [*damage, *disagreements(database, journal)]
        except (StoreFault, sqlite3.Error, SQLAlchemyError) as fault:
            return [f"it cannot be opened, or not recover: {fault}"]


def draw_moment(log: list[Event], chance: Random) -> int:
    """How much of the log has happened: any moment, or one right beside a sync or an acknowledgement."""
    if chance.random() < 0.5:
        return chance.randint(0, len(log))
    close = [number for number, event in enumerate(log) if isinstance(event, Sync | Entry)]
    return chance.choice(close) + chance.randint(0, 1)


def put(files: Files, home: Path) -> None:
    """Make a data folder with these files."""
    home.mkdir(mode=0o700)
    for name, data in files.items():
        (home / name).write_bytes(data)
        (home / name).chmod(0o600)


async def _work(database: Database, seat: Seat, chance: Random, say: Say, run: str) -> None:
    faults: list[BaseException] = []
    writer = LedgerWriter(database, seat, faults.append)
    await Work(writer, say, chance, run).do_rounds(_ROUNDS)
    await writer.close()
    for fault in faults:
        raise fault


def _copy_often(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _check_file(connection: Connection) -> list[str]:
    """What SQLite itself finds wrong with its file."""
    rows = connection.exec_driver_sql("PRAGMA integrity_check").fetchall()
    return [f"integrity_check: {row[0]}" for row in rows if row[0] != "ok"]
