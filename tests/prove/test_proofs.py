"""Each proof can fail: with a bug in the product it says so, and without one it says nothing."""

import re
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from fakes.needs import REPOSITORY
from fakes.postgres import find_programs
from prove import crash_points, overspend, power_cuts, tamper
from prove.bugs import BUGS
from prove.crash_child import SCENES, Case
from prove.crash_points import POINTS
from prove.nursery import Nursery
from prove.planted_bugs import TRAPS, Trap, run_small
from prove.power_cuts import draw_moment, live
from prove.servers import WITHOUT
from prove.tiers import Tier

PAGE = (REPOSITORY / "docs" / "operate" / "prove.md").read_text("utf-8")
OF_EACH = (
    *("round down", "refuse the last dollar", "answer holds before the commit", "do not wait for the disk"),
    *("leave the reference unsealed", "let old processes write"),
)


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.bug in OF_EACH], ids=lambda trap: trap.bug)
def test_planted_bug_is_caught(trap: Trap):
    if trap.run.needs_postgresql:
        find_programs()
    found = run_small(trap.run, trap.bug)
    assert any(re.search(trap.says, text) for text in found), found


@pytest.mark.parametrize("proof", [overspend, power_cuts, tamper, crash_points], ids=lambda proof: proof.NAME)
def test_proof_of_one_case_holds(proof, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(WITHOUT, "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    verdict = proof.prove(Tier.ONE, 11)
    assert verdict.cases > 0
    assert verdict.violations == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("after CREATE TABLE account", []),
        (
            "after CREATE TABLE nothing",
            ["the process never came to this place: the point is not where it was"],
        ),
    ],
)
def test_crash_point_that_is_never_passed_is_a_violation(place: str, said: list[str], tmp_path: Path) -> None:
    with closing(Nursery()) as nursery:
        assert nursery.play(Case("migration", place, 1, str(tmp_path / "home"), None, 1)) == said


def test_process_that_fails_before_it_dies_is_a_violation(tmp_path: Path):
    (tmp_path / "home").write_text("no folder")
    with closing(Nursery()) as nursery:
        [said] = nursery.play(Case("hold", "before COMMIT", 1, str(tmp_path / "home"), None, 1))
    assert said.startswith("the process failed by itself")
    assert "HomeUnusable" in said


def test_same_seed_does_exactly_the_same(tmp_path: Path):
    first, _ = live(tmp_path / "a", {}, Random(5), "run")
    again, _ = live(tmp_path / "b", {}, Random(5), "run")
    assert [(type(event), event[:2]) for event in first] == [(type(event), event[:2]) for event in again]
    assert draw_moment(first, Random(3)) == draw_moment(again, Random(3))


def test_every_bug_has_a_trap_and_there_are_at_least_twelve():
    assert {trap.bug for trap in TRAPS} == set(BUGS)
    assert len([trap for trap in TRAPS if not trap.run.needs_postgresql]) >= 12


def test_there_are_at_least_25_named_crash_points_on_each_engine():
    for is_shared in (False, True):
        names = {point.name for point in POINTS if point.is_shared == is_shared}
        assert len(names) >= 25


def test_page_names_every_crash_point_and_every_bug():
    for scene in SCENES.values():
        [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{scene.name}` |")]
        for place in scene.places:
            assert f"`{place}`" in row
    for trap in TRAPS:
        assert f"| {trap.bug} |" in PAGE
        assert any(line.endswith(f"| `{trap.run.proof}` |") for line in PAGE.splitlines())
