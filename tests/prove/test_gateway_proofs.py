"""The proofs of the whole gateway: each holds in small, and says so when the gateway, or what it is compared with, is wrong."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from prove.bugs import VARIABLE
from prove.hygiene import House
from prove.kills import Life
from prove.overspend_http import Track
from prove.parity import Scales
from prove.provider import Provider

SEED = "test"
PLANTED = Path(__file__).parent / "planted"
FEW = 24  # requests at once


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as served:
        yield served
        assert not served.faults


def with_bug(name: str) -> dict[str, str]:
    """The environment of a gateway that has this bug of `prove.bugs`."""
    path = os.pathsep.join(filter(None, [str(PLANTED), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, VARIABLE: name}


def race(folder: Path, provider: Provider, **options) -> list[str]:
    track = Track("SQLite", folder, provider, requests=FEW, **options)
    track.run(1, Random(SEED))
    return track.violations


def kill(provider: Provider, name: str, kills: int, **options) -> list[str]:
    return Life(provider, name, at_once=FEW, **options).run(kills)[1]


def misbehave(folder: Path, provider: Provider, **options) -> list[str]:
    house = House(folder, provider, folder.name, requests=60, **options)
    house.run(1)
    return house.violations


def weigh(folder: Path, provider: Provider, **options) -> list[str]:
    scales = Scales(folder, provider, folder.name, **options)
    scales.run(60)
    return scales.violations


def test_as_many_requests_as_the_balance_covers_reach_the_upstream(tmp_path, provider):
    assert race(tmp_path, provider) == []


def test_one_request_more_than_the_balance_should_cover_is_noticed(tmp_path, provider):
    found = race(tmp_path, provider, extra_holds=1)
    assert any("reached the upstream" in text for text in found), found


def test_gateway_that_forgets_what_is_held_is_noticed(tmp_path, provider):
    found = race(tmp_path, provider, environment=with_bug("forget other holds"))
    assert any("reached the upstream" in text for text in found), found


def test_killed_gateway_has_charged_what_its_clients_were_told(tmp_path, monkeypatch, provider):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert kill(provider, "whole", 2) == []
    assert list(tmp_path.iterdir()) == []


def test_gateway_that_answers_before_it_has_charged_is_noticed(provider):
    found = kill(provider, "early", 2, at_an_end=1, environment=with_bug("answer before the commit"))
    assert any("and was not charged" in text for text in found), found


def test_failures_leave_nothing_behind(tmp_path, provider):
    assert misbehave(tmp_path, provider) == []


def test_gateway_that_keeps_what_failed_requests_had_held_is_noticed(tmp_path, provider):
    found = misbehave(tmp_path, provider, environment=with_bug("keep what is voided"))
    assert any("the gateway is idle, and 0 holds are open" in text for text in found), found


def test_every_place_says_the_same_cost(tmp_path, provider):
    assert weigh(tmp_path, provider) == []


@pytest.mark.parametrize("bug", ["round down", "count cached tokens twice"])
def test_gateway_that_counts_otherwise_is_noticed(bug, tmp_path, provider):
    found = weigh(tmp_path, provider, environment=with_bug(bug))
    assert any("usage.cost is" in text for text in found), found
