"""What `python -m prove` prints, writes and answers with."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.needs import REPOSITORY
from prove import __main__ as program
from prove.report import UNKNOWN, Ground, Line, find_commit, render
from prove.tiers import Tier
from prove.verdict import Verdict, Violation

GROUND = Ground("abc+", "3.11.7", "3.40.1", "15.18")


def lines_of(*verdicts: Verdict, tier: Tier = Tier.CI) -> list[str]:
    lines = [Line(f"proof{number}", 7, 1.25, verdict) for number, verdict in enumerate(verdicts)]
    return render(lines, GROUND, tier).splitlines()


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.test", *arguments],
        check=True,
        capture_output=True,
    )


def test_line_shows_cases_seed_seconds_and_figures():
    head, line, *rest = lines_of(Verdict(cases=20, figures=("K=50 of 200", "two")))
    assert head.split() == ["proof", "cases", "seed", "seconds", "verdict", "figures"]
    assert line.split() == ["proof0", "20", "7", "1.2", "holds", "K=50", "of", "200;", "two"]
    assert "tier ci, commit abc+, Python 3.11.7, SQLite 3.40.1, PostgreSQL 15.18" in rest
    assert rest[-1] == "Nothing was broken."


def test_violation_stands_with_the_command_that_shows_it_again():
    verdict = Verdict(cases=9, violations=["all of it", Violation("one of them", seed=3)])
    text = "\n".join(lines_of(verdict, tier=Tier.NIGHTLY))
    assert (
        "proof0: all of it\n  again: .venv/bin/python -m prove --only proof0 --tier nightly --seed 7" in text
    )
    assert "proof0: one of them\n  again: .venv/bin/python -m prove --only proof0 --tier one --seed 3" in text
    assert "BROKEN: 2" in text
    assert text.endswith("BROKEN: proof0")


def test_many_violations_are_counted_and_not_all_shown():
    text = "\n".join(lines_of(Verdict(cases=1, violations=[f"number {n}" for n in range(25)])))
    assert "number 9\n" in text
    assert "number 10" not in text
    assert "proof0: 15 more" in text


@pytest.mark.parametrize(("cases", "word"), [(0, "skipped"), (5, "holds in part")])
def test_what_is_missing_is_said_and_breaks_nothing(
    cases: int, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNAPI_TEST_ALL", raising=False)
    lines = lines_of(Verdict(cases=cases, skipped="no PostgreSQL"))
    assert word in lines[1]
    assert "proof0: not everything was tried: no PostgreSQL" in lines
    assert lines[-1] == "Nothing was broken."


def test_where_nothing_may_be_skipped_a_skip_is_broken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_TEST_ALL", "1")
    assert lines_of(Verdict(cases=5, skipped="no PostgreSQL"))[-1] == "BROKEN: proof0"


def test_notes_stand_below_the_table():
    assert "  a bug: caught" in lines_of(Verdict(cases=1, notes=("a bug: caught",)))


def test_commit_has_a_plus_when_something_was_changed_since(tmp_path: Path):
    assert find_commit(tmp_path) == UNKNOWN
    git(tmp_path, "init")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    clean = find_commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (tmp_path / "a").write_text("b")
    assert find_commit(tmp_path) == f"{clean}+"


@pytest.mark.parametrize(
    ("tier", "cases"), [(Tier.ONE, 1), (Tier.SMALL, 3), (Tier.CI, 25), (Tier.NIGHTLY, 1_000)]
)
def test_tier_says_how_many(tier: Tier, cases: int):
    assert tier.cases(ci=25, nightly=1_000) == cases


def test_seed_is_drawn_when_none_is_given_and_proofs_keep_their_order():
    assert program.parse(["--seed", "5"]).seed == 5
    assert len({program.parse([]).seed for _ in range(3)}) > 1
    first, second = program.NAMES[:2]
    assert program.parse(["--only", f"{second},{first}"]).only == [first, second]


def test_proof_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        program.parse(["--only", "machine,perpetuum"])
    assert "there is no perpetuum" in capsys.readouterr().err


def test_proof_that_falls_over_is_a_violation_and_the_next_is_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "prove.broken", None)
    line = program.run("broken", Tier.ONE, 1)
    assert line.is_broken
    assert line.verdict.violations[0].startswith("the proof itself failed:\nTraceback")


@pytest.mark.parametrize(("bug", "status"), [("", 0), ("leave the reference unsealed", 1)])
def test_program_answers_with_its_exit_status_and_a_file(bug: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "prove", "--only", "tamper", "--tier", "one", "--seed", "3", "--json", path],
        cwd=REPOSITORY,
        env={"RUNAPI_PROVE_BUG": bug, "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    found = json.loads(path.read_bytes())
    [proof] = found["proofs"]
    assert (proof["name"], proof["seed"], found["broken"], found["tier"]) == ("tamper", 3, bool(bug), "one")
    assert bool(proof["verdict"]["violations"]) == bool(bug)
    assert ("again: .venv/bin/python -m prove --only tamper --tier one --seed 3" in done.stdout) == bool(bug)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # nothing is left behind
