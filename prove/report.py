"""Print the table, and each violation with the command that shows it again."""

import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from prove.tiers import Tier
from prove.verdict import Verdict, Violation, nothing_may_be_skipped

REPOSITORY = Path(__file__).parents[1]
UNKNOWN = "unknown"
_HEADS = ("proof", "cases", "seed", "seconds", "verdict")
_MOST_SHOWN = 10  # violations of one proof; the JSON file has all


class Line(msgspec.Struct, frozen=True):
    """One proof's line of the table."""

    name: str
    seed: int
    seconds: float
    verdict: Verdict

    @property
    def is_broken(self) -> bool:
        """Whether this proof makes the whole run fail."""
        return bool(self.verdict.violations) or (
            self.verdict.skipped is not None and nothing_may_be_skipped()
        )

    @property
    def word(self) -> str:
        """The verdict in the table."""
        if self.verdict.violations:
            return f"BROKEN: {len(self.verdict.violations)}"
        if self.verdict.skipped is None:
            return "holds"
        return "SKIPPED" if self.is_broken else "skipped" if not self.verdict.cases else "holds in part"


class Ground(msgspec.Struct, frozen=True):
    """What the proofs ran on."""

    commit: str
    python: str
    sqlite: str
    postgresql: str


def survey(postgresql: str) -> Ground:
    """Look up the commit and the versions; PostgreSQL's is told, since finding its programs is another's business."""
    return Ground(find_commit(), platform.python_version(), sqlite3.sqlite_version, postgresql)


def find_commit(folder: Path = REPOSITORY) -> str:
    """The commit of the tree, with a `+` when it was changed since; `unknown` outside git."""
    git = shutil.which("git")
    if git is None:
        return UNKNOWN
    said = [
        subprocess.run([git, "-C", folder, *asked], capture_output=True, text=True, check=False)
        for asked in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain"))
    ]
    if said[0].returncode != 0:
        return UNKNOWN
    return said[0].stdout.strip() + ("+" if said[1].stdout.strip() else "")


def render(lines: Sequence[Line], ground: Ground, tier: Tier) -> str:
    """The whole report."""
    rows = [_HEADS, *((_cells(line)) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    text = [_row(row, widths, line) for row, line in zip(rows, [None, *lines], strict=True)]
    text += ["", _where(ground, tier)]
    for line in lines:
        if line.verdict.notes:
            text += ["", f"{line.name}:", *(f"  {note}" for note in line.verdict.notes)]
    for line in lines:
        text += _faults(line, tier)
    broken = [line.name for line in lines if line.is_broken]
    text += ["", f"BROKEN: {', '.join(broken)}" if broken else "Nothing was broken."]
    return "\n".join(text)


def command(name: str, tier: Tier, seed: int) -> str:
    """What repeats a proof, or one case of it, exactly."""
    return f".venv/bin/python -m prove --only {name} --tier {tier.value} --seed {seed}"


def _cells(line: Line) -> tuple[str, ...]:
    return line.name, str(line.verdict.cases), str(line.seed), f"{line.seconds:.1f}", line.word


def _row(cells: Sequence[str], widths: Sequence[int], line: Line | None) -> str:
    """Numbers stand at the right of their columns, words at the left."""
    name, cases, seed, seconds, word = (
        cell.rjust(width) if column in (1, 2, 3) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    figures = "; ".join(line.verdict.figures) if line else "figures"
    return f"{name}  {cases}  {seed}  {seconds}  {word}  {figures}".rstrip()


def _where(ground: Ground, tier: Tier) -> str:
    return (
        f"tier {tier.value}, commit {ground.commit}, Python {ground.python}, SQLite {ground.sqlite}, "
        f"PostgreSQL {ground.postgresql}"
    )


def _faults(line: Line, tier: Tier) -> list[str]:
    text: list[str] = []
    for violation in line.verdict.violations[:_MOST_SHOWN]:
        alone = violation.seed if isinstance(violation, Violation) else None
        again = command(line.name, tier, line.seed) if alone is None else command(line.name, Tier.ONE, alone)
        text += ["", f"{line.name}: {violation}", f"  again: {again}"]
    hidden = len(line.verdict.violations) - _MOST_SHOWN
    if hidden > 0:
        text += ["", f"{line.name}: {hidden} more"]
    if line.verdict.skipped is not None:
        text += ["", f"{line.name}: not everything was tried: {line.verdict.skipped}"]
    return text
