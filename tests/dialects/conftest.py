"""A town with patience and one without, and upstreams in front of them that speak one dialect each, strictly."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from dialects.town import CHAT, GPTS, MESSAGES, OWN, RESPONSES, Town
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

BEAT_S = 0.15
_MODELS = Path(__file__).with_name("models.yaml")


class Scripted(NamedTuple):
    """The upstreams, on their sockets for the whole run."""

    chat: ScriptedUpstream
    responses: ScriptedUpstream
    messages: ScriptedUpstream
    openai: ScriptedUpstream


def open_town(folder: Path, **settings: object) -> Town:
    gateway = Gateway(folder, **settings)
    gateway.home.mkdir(mode=0o700)
    shutil.copy(_MODELS, gateway.home / "models.yaml")
    return Town(gateway.start())


def close_town(town: Town) -> None:
    town.verify()
    town.gateway.stop()
    town.gateway.assert_clean_log()


@pytest.fixture(scope="session")
def shared_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = open_town(tmp_path_factory.mktemp("town"), log_level="warning")
    yield town
    close_town(town)


@pytest.fixture(scope="session")
def shared_hasty_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One that beats soon, gives up soon, and lets customers use a search that costs by the call."""
    town = open_town(
        tmp_path_factory.mktemp("hasty-town"),
        log_level="warning",
        heartbeat_first_s=BEAT_S,
        heartbeat_every_s=BEAT_S,
        first_byte_timeout_s=1.5,
        idle_timeout_s=1,
        stalled_reader_timeout_s=2,
        connect_timeout_s=1,
        drain_timeout_s=5,
        hosted_tools="web_search",
        max_body_bytes=100_000,
    )
    yield town
    close_town(town)


@pytest.fixture(scope="session")
def scripted() -> Iterator[Scripted]:
    with ExitStack() as stack:

        def serving(*paths: str) -> ScriptedUpstream:
            ends = tuple(path.removeprefix("/v1") for path in paths)
            return stack.enter_context(ScriptedUpstream(strict=True, serves=ends))

        older = ("/v1/embeddings", "/v1/completions", "/v1/moderations")
        yield Scripted(
            serving(CHAT),
            serving(RESPONSES, "/v1/responses/input_tokens"),
            serving(MESSAGES, "/v1/messages/count_tokens"),
            serving(CHAT, RESPONSES, *older),
        )


@pytest.fixture
def town(shared_town: Town) -> Iterator[Town]:
    """The patient town; each test leaves its log clean."""
    yield shared_town
    shared_town.gateway.assert_clean_log()


@pytest.fixture
def hasty_town(shared_hasty_town: Town) -> Iterator[Town]:
    yield shared_hasty_town
    shared_hasty_town.gateway.assert_clean_log()


@pytest.fixture
def chat_only(town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    """A server that speaks Chat alone."""
    yield from town.serving_as(scripted.chat, "chat-only", [CHAT], (*GPTS, "everywhere"))


@pytest.fixture
def responses_only(town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    """One that speaks Responses alone, and refuses what OpenAI refuses."""
    yield from town.serving_as(scripted.responses, "responses-only", [RESPONSES], (*GPTS, "everywhere"))


@pytest.fixture
def messages_only(town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    """One that speaks Messages alone, as Anthropic."""
    yield from town.serving_as(scripted.messages, "messages-only", [MESSAGES], OWN)


@pytest.fixture
def openai(town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    """One that speaks all that OpenAI does."""
    older = ("text-embedding-3-small", "gpt-3.5-turbo-instruct", "omni-moderation-latest")
    yield from town.serving_as(scripted.openai, "openai", [CHAT, RESPONSES], (*GPTS, *older))


@pytest.fixture
def upstream(request: pytest.FixtureRequest, server: str) -> ScriptedUpstream:
    """The one of these that a test's parameter names."""
    return request.getfixturevalue(server)


@pytest.fixture
def hasty_responses(hasty_town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    yield from hasty_town.serving_as(scripted.responses, "responses-only", [RESPONSES], GPTS)


@pytest.fixture
def hasty_chat(hasty_town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    yield from hasty_town.serving_as(scripted.chat, "chat-only", [CHAT], GPTS)


@pytest.fixture
def hasty_messages(hasty_town: Town, scripted: Scripted) -> Iterator[ScriptedUpstream]:
    yield from hasty_town.serving_as(scripted.messages, "messages-only", [MESSAGES], OWN)
