"""Any operations in any order: the ledger's rules, SQLite and PostgreSQL answer as a small model of the books does.

Hypothesis plays `tests/ledger/test_state_machine.py`, crashes and recoveries included, first to the rules alone, then to
the rules and a database side by side. The balances are compared, and the rows alone must prove the books.
"""

import itertools
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import initialize, run_state_machine_as_test

from fakes.postgres import Postgres
from ledger.model import Model
from ledger.played import InMemory, Stored
from ledger.test_state_machine import LedgerMachine
from prove.servers import MISSING, postgres
from prove.tiers import Tier
from prove.verdict import Verdict
from runapi.core.ledger.operations import Operation, Outcome
from runapi.store.database import Database
from runapi.store.ledger.recovery import take_seat

NAME = "machine"
STEPS = 40
RULES_CI, SQLITE_CI, POSTGRES_CI = 1_000, 80, 20
RULES_SMALL = 300  # some bugs show in one of a hundred sequences only
NIGHTLY_TIMES = 50
_MOST_LINES = 40  # of what Hypothesis says about a failure
_CHECKED = re.compile(r"state\.(?!begin|crash_and_recover)\w+\(\)")  # an invariant's line, which says nothing


def prove(tier: Tier, seed: int) -> Verdict:
    """Play so many sequences to each."""
    violations: list[str] = []
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as name, postgres() as server:
        folder = Path(name)
        set_hypothesis_home_dir(folder / "hypothesis")  # else it would leave a folder where we stand
        grounds: list[tuple[str, int, Ground | None]] = [
            ("rules", RULES_CI, None),
            ("SQLite", SQLITE_CI, Ground(folder)),
        ]
        if server is not None:
            grounds.append(("PostgreSQL", POSTGRES_CI, Ground(folder, server)))
        numbers = [tier.cases(ci=ci, nightly=ci * NIGHTLY_TIMES) for _, ci, _ in grounds]
        if tier is Tier.SMALL:
            numbers[0] = RULES_SMALL
        for (engine, _, ground), number in zip(grounds, numbers, strict=True):
            violations += [f"{engine}: {text}" for text in play(ground, number, seed)]
    figures = tuple(f"{number} on {engine}" for (engine, *_), number in zip(grounds, numbers, strict=True))
    return Verdict(
        cases=sum(numbers), figures=figures, violations=violations, skipped=None if server else MISSING
    )


class Ground:
    """Empty databases with the model's customers in them, one after the other."""

    def __init__(self, folder: Path, server: Postgres | None = None) -> None:
        """Make the first, of which the others are copies."""
        self._folder = folder
        self._server = server
        self._numbers = itertools.count()
        self._home = folder / ("shared" if server else "sqlite")
        self._url = server.new_database() if server else None
        database = Database.open(self._home, self._url)
        Stored(database)
        database.close_now()

    def begin(self) -> "Again":
        """A fresh one."""
        if self._server is not None:
            url = self._server.new_database(copy_of=self._url)
            return Again(Database.open(self._home, url), url)
        home = self._folder / f"copy{next(self._numbers)}"
        shutil.copytree(self._home, home)
        return Again(Database.open(home), None)

    def end(self, stored: "Again") -> None:
        """Leave nothing behind."""
        stored.database.close_now()
        if self._server is None:
            shutil.rmtree(stored.database.home)
        elif stored.url is not None:
            self._server.drop_database(stored.url)


class Again(Stored):
    """A ledger in a database that has its customers already."""

    def __init__(self, database: Database, url: str | None) -> None:
        self.database = database
        self.url = url
        self._seat = database.run_now(take_seat, 1, 1)


class Beside:
    """The rules in memory and the same in a database; it raises as soon as they differ."""

    def __init__(self, stored: Again) -> None:
        self.memory = InMemory()
        self.state = self.memory.state
        self.stored = stored

    def play(self, operations: Sequence[Operation]) -> list[Outcome]:
        wanted = self.memory.play(operations)
        _compare(self.stored.play(operations), wanted, operations)
        return wanted

    def crash(self, now_us: int) -> list[Any]:
        wanted = self.memory.crash(now_us)
        _compare(self.stored.crash(now_us), wanted, "after a crash")
        return wanted

    def balances(self) -> dict[str, list[int]]:
        return self.memory.balances()

    def faults(self) -> list[str]:
        return self.memory.faults()


def play(ground: Ground | None, examples: int, chosen: int) -> list[str]:
    """Play so many sequences, to the rules alone without a ground; say what the shortest was that failed."""

    class Machine(LedgerMachine):
        """The tests' machine, on this ground."""

        @initialize()
        def begin(self) -> None:
            self.model = Model()
            self.pending: list[dict[str, Any]] = []
            self.stored = None if ground is None else ground.begin()
            self.ledger = InMemory() if self.stored is None else Beside(self.stored)  # type: ignore[assignment]  # plays alike

        def teardown(self) -> None:
            stored = getattr(self, "stored", None)
            if ground is None or stored is None:
                return
            try:
                _compare(stored.balances(), self.model.balances(), "balances")
                _compare(stored.faults(), [], "verify")
            finally:
                ground.end(stored)

    shrinks = ground is None  # a database would take minutes to find the shortest
    chosen_settings = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(chosen)(Machine), settings=chosen_settings)
    except Exception as fault:  # noqa: BLE001 - whatever it is: the books answered otherwise than the model
        notes = "\n".join(getattr(fault, "__notes__", []))
        lines = f"{type(fault).__name__}: {fault}\n{notes}".splitlines()
        told = [line for line in lines if not _CHECKED.fullmatch(line.strip())]
        return ["\n".join(told[:_MOST_LINES])]
    return []


def _compare(found: object, wanted: object, where: object) -> None:
    if found != wanted:
        raise AssertionError(f"found {found}, wanted {wanted}: {where}")
