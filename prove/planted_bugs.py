"""The proofs must be able to fail: bugs are planted in the product, one at a time, and each must be caught.

For each bug a proof is run in small, in a process with the bug in it, and must say what the bug breaks; and once without
it, when it must say nothing. A proof that merely falls over has caught nothing.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from prove.bugs import BUGS, VARIABLE
from prove.crash_points import POINTS
from prove.report import REPOSITORY
from prove.servers import MISSING, WITHOUT, find_version
from prove.tiers import Tier
from prove.verdict import Verdict

NAME = "planted_bugs"
AT_ONCE = 2
PATIENCE_S = 300
_SEED = 7  # of the small runs: the bugs are always the same, so what looks for them may be, too


class Run(NamedTuple):
    """A proof in small."""

    proof: str
    tier: Tier = Tier.SMALL
    seed: int = _SEED
    needs_postgresql: bool = False


class Trap(NamedTuple):
    """Where a bug must be caught, and what must be said of it."""

    bug: str
    run: Run
    says: str  # a regular expression


class _Line(msgspec.Struct):
    verdict: Verdict


class _Report(msgspec.Struct):
    proofs: list[_Line]


def prove(tier: Tier, seed: int) -> Verdict:  # noqa: ARG001 - every proof takes them; here nothing is drawn
    """Plant every bug, and look that it is caught: the same in every tier and under every seed."""
    shared = find_version() != "missing"
    traps = [trap for trap in TRAPS if shared or not trap.run.needs_postgresql]
    violations, notes = _spring(traps)
    return Verdict(
        cases=len(traps),
        figures=(f"{len(traps)} planted, {len(notes)} caught",),
        notes=tuple(notes),
        violations=violations,
        skipped=None if shared else MISSING,
    )


def _spring(traps: list[Trap]) -> tuple[list[str], list[str]]:
    """Run every trap, and every proof without a bug; give what is wrong, and what was caught."""
    violations, notes = list[str](), list[str]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        controls = dict.fromkeys(trap.run for trap in traps)
        clean = pool.map(run_small, controls)
        said = pool.map(lambda trap: run_small(trap.run, trap.bug), traps)
        for run, found in zip(controls, clean, strict=True):
            violations += [f"{run.proof} finds something without any bug: {text}" for text in found[:1]]
        for trap, found in zip(traps, said, strict=True):
            if any(re.search(trap.says, text) for text in found):
                notes.append(f"{trap.bug}: caught by {trap.run.proof}")
            else:
                other = f", which said: {found[0]}" if found else ""
                violations.append(f"{trap.bug}: not caught by {trap.run.proof}{other}")
    return violations, notes


def run_small(run: Run, bug: str | None = None) -> list[str]:
    """Run a proof in a process of its own, with a bug in it or without; give its violations."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    environment |= {} if run.needs_postgresql else {WITHOUT: "1"}
    environment |= {} if bug is None else {VARIABLE: bug}
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder:
        path = Path(folder) / "report.json"
        arguments = ["--only", run.proof, "--tier", run.tier, "--seed", str(run.seed), "--json", str(path)]
        done = subprocess.run(
            [sys.executable, "-m", "prove", *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if not path.exists():
            return [f"there is no report: {done.stderr}"]
        (line,) = msgspec.json.decode(path.read_bytes(), type=_Report).proofs
        return line.verdict.violations


def _crash(name: str) -> Run:
    """One crash point alone."""
    (place,) = (number for number, point in enumerate(POINTS) if point.name == name)
    return Run("crash_points", Tier.ONE, place)


def _traps() -> Iterable[Trap]:
    machine, cuts = Run("machine"), Run("power_cuts")
    yield Trap("charge twice", machine, "(?s)AssertionError.*(settle|crash)")
    yield Trap("keep what is voided", machine, "(?s)AssertionError.*(release|crash)")
    yield Trap("refuse the last dollar", Run("overspend"), "were admitted on a balance")
    yield Trap("forget other holds", Run("overspend"), "were admitted on a balance")
    yield Trap("round down", machine, "(?s)AssertionError.*(settle|crash)")
    yield Trap("charge the customer beyond the hold", machine, "(?s)AssertionError.*(settle|crash)")
    yield Trap("spend test money as live", machine, "(?s)AssertionError.*test")
    yield Trap("credit each time it is told", machine, "(?s)AssertionError.*id=")
    yield Trap("look up the price at the end", cuts, "version")
    yield Trap("count cached tokens twice", cuts, "its usage at price version")
    yield Trap(
        "recover by charging everything", _crash("hold: after COMMIT (SQLite)"), "nobody asked for the settle"
    )
    yield Trap("leave the reference unsealed", Run("tamper"), r"nobody noticed: transfer\.reference")
    yield Trap("do not wait for the disk", cuts, "acknowledged: .* there is nothing")
    yield Trap("answer before the commit", cuts, "acknowledged: .* there is nothing")
    yield Trap("answer holds before the commit", _crash("hold: before COMMIT (SQLite)"), "acknowledged: hold")
    yield Trap("commit the event first", _crash("webhook: before UPDATE top_up (SQLite)"), "and should have")
    yield Trap("let old processes write", Run("bank", needs_postgresql=True), "taken? its seat")


TRAPS = tuple(_traps())
if {trap.bug for trap in TRAPS} != set(BUGS):
    raise AssertionError("every bug has a trap, and every trap a bug")
