"""Named places at which a process is made to die: the next start finds the books right, with all that was acknowledged.

Each is a scene cut short at a place: a statement of a batch, a commit, the moment between the commit and its answer, a
step of recovery, a payment's webhook, a redeem code, a publication of prices, a first start, a migration. Afterwards a start
recovers, whoever was waiting for an answer asks again, some more work is done, and everything is compared.
"""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from fakes.postgres import Postgres
from prove.crash_child import SCENES, Case
from prove.nursery import Nursery
from prove.scenes import Scene, Stage
from prove.servers import MISSING, postgres
from prove.tiers import Tier
from prove.verdict import Verdict, Violation
from prove.work import open_ledger, set_up

NAME = "crash_points"
REPEATS_CI, REPEATS_NIGHTLY = 1, 50
AT_ONCE = 2


class Point(NamedTuple):
    """One named point: `scene: place` on an engine."""

    scene: type[Scene]
    place: str
    passes: int
    is_shared: bool  # on PostgreSQL

    @property
    def name(self) -> str:
        times = f" x{self.passes}" if self.passes > 1 else ""
        return f"{self.scene.name}: {self.place}{times} ({'PostgreSQL' if self.is_shared else 'SQLite'})"


def list_points() -> list[Point]:
    """Every point, SQLite's first."""
    points = []
    for is_shared in (False, True):
        for scene in SCENES.values():
            if is_shared or not scene.only_shared:
                for text in scene.places:
                    place, _, passes = text.partition(" x")
                    points.append(Point(scene, place, int(passes or 1), is_shared))
    return points


POINTS = list_points()


def prove(tier: Tier, seed: int) -> Verdict:
    """Die at every point; but in the small tiers at every other one of PostgreSQL's, as the seed has it.

    One case is repeated by a seed that names its point, too.
    """
    repeats = tier.cases(ci=REPEATS_CI, nightly=REPEATS_NIGHTLY)
    first = seed * len(POINTS)
    seeds = [seed] if tier is Tier.ONE else range(first, first + repeats * len(POINTS))
    violations: list[str] = []
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as name, postgres() as server:
        grounds = Grounds(Path(name), server)
        chosen = [
            one for one in seeds if not point_of(one).is_shared or (server and _is_due(one, tier, seed))
        ]
        with closing(grounds), ThreadPoolExecutor(AT_ONCE) as pool:
            for one, faults in zip(chosen, pool.map(grounds.die, chosen), strict=True):
                violations += [Violation(f"{point_of(one).name}: {fault}", seed=one) for fault in faults]
    names = {(point.scene.name, point.place, point.passes) for point in map(point_of, chosen)}
    return Verdict(
        cases=len(chosen),
        figures=(f"{len(names)} named points",),
        violations=violations,
        skipped=None if server else MISSING,
    )


def point_of(seed: int) -> Point:
    """The point that a case's seed names."""
    return POINTS[seed % len(POINTS)]


def _is_due(one: int, tier: Tier, seed: int) -> bool:
    """Whether a point on PostgreSQL is tried: each takes several times as long as one on SQLite."""
    return tier in {Tier.ONE, Tier.NIGHTLY} or one % len(POINTS) % 2 == seed % 2


class Grounds:
    """Fresh data folders, empty or with customers who have money."""

    def __init__(self, folder: Path, server: Postgres | None) -> None:
        self._folder = folder
        self._server = server
        self._urls = {False: None, True: server.new_database() if server else None}
        self._nurseries: SimpleQueue[Nursery] = SimpleQueue()
        for _ in range(AT_ONCE):
            self._nurseries.put(Nursery())
        for is_shared in (False, True) if server else (False,):
            template = self._template(is_shared)
            with open_ledger(template, self._urls[is_shared]) as database:
                set_up(database, Stage(template, None, 0).say)

    def die(self, seed: int) -> list[str]:
        """Let a process die at the point, and look; give what is wrong."""
        point, home = point_of(seed), self._folder / f"case{seed}"
        url = self._prepare(point, home)
        nursery = self._nurseries.get()
        try:
            return nursery.play(Case(point.scene.name, point.place, point.passes, str(home), url, seed))
        finally:
            self._nurseries.put(nursery)
            shutil.rmtree(home, ignore_errors=True)
            if self._server is not None and url is not None:
                self._server.drop_database(url)

    def close(self) -> None:
        """End the processes."""
        while not self._nurseries.empty():
            self._nurseries.get().close()

    def _template(self, is_shared: bool) -> Path:  # noqa: FBT001 - one of two folders
        return self._folder / ("shared" if is_shared else "alone")

    def _prepare(self, point: Point, home: Path) -> str | None:
        """Make the folder; give the URL of its database, if it is on a server."""
        if not point.scene.on_empty:
            template = self._template(point.is_shared)
            shutil.copytree(template, home)
            shutil.copy(template.with_suffix(".journal"), home.with_suffix(".journal"))
        if self._server is None or not point.is_shared:
            return None
        return self._server.new_database(None if point.scene.on_empty else self._urls[True])
