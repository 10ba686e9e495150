"""A town that is raided: customers who want more than they pay for, and an upstream that says what it likes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import dialects.town
from dialects.town import CHAT, GPTS, MESSAGES, OWN, RESPONSES, Town
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

OLDER = ("text-embedding-3-small", "gpt-3.5-turbo-instruct", "omni-moderation-latest")
_MODELS = Path(dialects.town.__file__).with_name("models.yaml")


@pytest.fixture(scope="module")
def raided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for a module; when its raiders are gone, its books are right and its log is clean."""
    gateway = Gateway(tmp_path_factory.mktemp("raided"), log_level="warning")
    gateway.home.mkdir(mode=0o700)
    shutil.copy(_MODELS, gateway.home / "models.yaml")
    town = Town(gateway.start())
    yield town
    town.verify()
    gateway.stop()
    gateway.assert_clean_log()


@pytest.fixture(scope="module")
def shared_rogue(raided: Town) -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        raided.serve_as(upstream, "rogue", [CHAT, RESPONSES, MESSAGES], (*GPTS, *OWN, *OLDER))
        yield upstream


@pytest.fixture
def rogue(shared_rogue: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    """The one upstream, which speaks every dialect and checks nothing."""
    shared_rogue.reset()
    yield shared_rogue
    assert not shared_rogue.unplayed, f"{shared_rogue.unplayed} scripts were never played"
