"""A bank on PostgreSQL: two processes work on the same accounts, and are killed, replaced and fenced at random.

A kill comes when a process has written down so much, not after a time. Now and then another process takes the seat of a
living one, which must stop; and now and then the database server itself is killed. In the end one is lost for good, and
the others end what it left. Every acknowledged thing must be there once, nothing that was not asked for, and the ledger
must verify.
"""

import itertools
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from sqlalchemy import update

from prove.draws import AT_US
from prove.journal import Entry, disagreements
from prove.servers import MISSING, Server, postgres
from prove.staff import PATIENCE_S, Hired
from prove.teller import FENCED, Order
from prove.tiers import Tier
from prove.verdict import Verdict
from prove.work import open_ledger, set_up
from runapi.store.database import Database
from runapi.store.home import NODE_NAME
from runapi.store.ledger.recovery import recover
from runapi.store.schema import node

NAME = "bank"
PROCESSES, ACCOUNTS = 2, 5
KILLS_CI, KILLS_NIGHTLY = 20, 1_000

_LEAST_BYTES, _MOST_BYTES = 200, 10_000  # of a journal, between two blows to a process
_FENCED_BYTES = 50_000  # what a process that lost its seat cannot possibly still write
_LOOK_AGAIN_S = 0.002
_MOST_BLOWS = 50  # at one bank: its whole ledger is compared at the end
_BLOWS = ("fences", "kills", "server kills")


def prove(tier: Tier, seed: int) -> Verdict:
    """Strike so often, at one bank after the other."""
    blows = tier.cases(ci=KILLS_CI, nightly=KILLS_NIGHTLY)
    struck, acknowledged, violations = Counter[str](), 0, list[str]()
    with postgres() as server:
        if server is None:
            return Verdict(cases=0, skipped=MISSING)
        for begin in range(0, blows, _MOST_BLOWS):
            with tempfile.TemporaryDirectory(prefix="runapi-prove-") as name:
                bank = Bank(Path(name), server, Random(seed + begin))
                bank.run(min(_MOST_BLOWS, blows - begin))
            struck += bank.struck
            acknowledged += sum(not entry.word.startswith("ask ") for entry in bank.journal)
            violations += bank.violations
    told = ", ".join(f"{number} {what}" for what, number in sorted(struck.items()))
    return Verdict(
        cases=struck.total(), figures=(told, f"{acknowledged} acknowledged"), violations=violations
    )


class Bank:
    """The accounts and who works on them."""

    def __init__(self, folder: Path, server: Server, chance: Random) -> None:
        self.violations: list[str] = []
        self.journal: list[Entry] = []
        self.struck: Counter[str] = Counter()
        self._folder = folder
        self._server = server
        self._url = server.new_database()
        self._chance = chance
        self._numbers = itertools.count(1)
        self._staff: list[Hired] = []
        self._dismissed: list[Hired] = []

    def run(self, blows: int) -> None:
        """Work under so many blows, then compare."""
        with open_ledger(self._folder / "ours", self._url) as database:
            set_up(database, self.journal.append, accounts=ACCOUNTS)
        homes = [self._folder / f"home{number}" for number in range(PROCESSES)]
        try:
            self._staff = [self._hire(home) for home in homes]
            for _ in range(blows):
                if not self._strike():
                    break
        except (OSError, RuntimeError) as fault:
            self.violations.append(f"a process could not take its seat: {fault}")
        finally:
            for one in self._staff:
                one.kill()
        self._compare()

    def _strike(self) -> bool:
        """Wait until one of them has done something, and strike; False once something is wrong."""
        place = self._chance.randrange(PROCESSES)
        victim = self._staff[place]
        if not self._wait_for_growth(victim, self._chance.randint(_LEAST_BYTES, _MOST_BYTES)):
            self.violations.append(f"a process stopped by itself: {victim.dismiss()}")
            return False
        blow = self._draw_blow()
        self.struck[blow] += 1
        match blow:
            case "fences":
                self._staff[place] = self._fence(victim)
            case "server kills":
                self._server.kill()
                self._server.start()
            case _:
                victim.kill()
                self._dismissed.append(victim)
                self._staff[place] = self._hire(victim.home)
        return not self.violations

    def _draw_blow(self) -> str:
        """One of each at first, then as it comes."""
        if self.struck.total() < len(_BLOWS):
            return _BLOWS[self.struck.total()]
        return self._chance.choices(_BLOWS, (2, 7, 1))[0]

    def _hire(self, home: Path) -> Hired:
        number = next(self._numbers)
        hired = Hired(home, self._url, self._folder / f"{number}.journal")
        hired.wait("ready")
        hired.tell(Order(work=f"run{number}", seed=self._chance.randrange(2**32), accounts=ACCOUNTS))
        return hired

    def _fence(self, victim: Hired) -> Hired:
        """Let another process take the seat of a living one, as where somebody copied its folder."""
        home = self._folder / f"home of {next(self._numbers)}"
        home.mkdir(mode=0o700)
        shutil.copy(victim.home / NODE_NAME, home)
        self._dismissed.append(victim)
        heir = self._hire(home)
        before = victim.count_bytes()
        has_ended = _wait(lambda: victim.status is not None or victim.count_bytes() > before + _FENCED_BYTES)
        status = victim.status
        said = victim.dismiss()
        if not has_ended or status != FENCED:
            self.violations.append(
                f"a process went on after another had taken its seat (status {status}): {said}"
            )
        return heir

    def _wait_for_growth(self, one: Hired, size: int) -> bool:
        """Wait until its journal has grown by so much; False when it has stopped."""
        wanted = one.count_bytes() + size
        return _wait(lambda: one.count_bytes() >= wanted or one.status is not None) and one.status is None

    def _compare(self) -> None:
        for one in [*self._dismissed, *self._staff]:
            self.journal += one.read_journal()
        lost, other = (one.home for one in self._staff)
        with open_ledger(self._folder / "ours", self._url) as ours, open_ledger(other, self._url) as theirs:
            self._inherit(lost, ours, theirs)
            self.violations += disagreements(ours, self.journal)

    def _inherit(self, lost: Path, *databases: Database) -> None:
        """Let a node be lost for good: a day later the others end what it left, both at once."""
        number = int((lost / NODE_NAME).read_text())
        silence = update(node).where(node.c.id == number).values(seen_us=0)
        databases[0].run_now(lambda connection: connection.execute(silence))
        with ThreadPoolExecutor(len(databases)) as pool:
            for begun in [pool.submit(recover, database, AT_US) for database in databases]:
                fault = begun.exception()
                if fault is not None:
                    self.violations.append(f"two nodes ended the holds of a lost one at once: {fault}")


def _wait(is_so: Callable[[], bool]) -> bool:
    """Look until it is so; False when it never comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_AGAIN_S)
    return True
