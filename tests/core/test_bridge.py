"""Which dialect a request takes: by the catalogue's facts, with the client's own first."""

import msgspec
import pytest

from runapi.core import bridge_problems
from runapi.core.bridge import Dialect, Obstacle, Wish, choose_dialect
from runapi.wire.catalog_file import package_catalog

CHAT, RESPONSES, ANTHROPIC = Dialect.CHAT, Dialect.RESPONSES, Dialect.ANTHROPIC
ALL = tuple(Dialect)
FUNCTION, CUSTOM = frozenset(["function"]), frozenset(["custom"])
REFUSES_FUNCTIONS = (
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.4-nano",
)  # beside reasoning on Chat, api.md 2.3


def model(name="gpt-5.5", **more):
    return msgspec.structs.replace(package_catalog().get(name), **more)


def choose(name="gpt-5.5", client=CHAT, effort="medium", tools=frozenset(), spoken=ALL, **more):
    return choose_dialect(model(name, **more), Wish(client, effort, tools), spoken)


@pytest.mark.parametrize("name", ["gpt-5.5", "gpt-5.4", "gpt-5.2"])
@pytest.mark.parametrize("client", [CHAT, RESPONSES])
def test_a_client_keeps_its_own_dialect_where_that_will_do(name, client):
    assert choose(name, client) is client


@pytest.mark.parametrize("effort", ["low", "xhigh"])
@pytest.mark.parametrize("name", REFUSES_FUNCTIONS)
def test_function_tools_beside_reasoning_take_responses(name, effort):
    assert choose(name, effort=effort, tools=FUNCTION) is RESPONSES
    assert choose(name, effort=effort, tools=FUNCTION | CUSTOM) is RESPONSES


@pytest.mark.parametrize("effort", ["none", None])
def test_function_tools_without_reasoning_stay_on_chat(effort):
    assert choose("gpt-5.4", effort=effort, tools=FUNCTION) is CHAT


def test_custom_tools_and_no_tools_stay_on_chat():
    assert choose(tools=CUSTOM) is CHAT
    assert choose() is CHAT


def test_a_model_that_takes_tools_on_chat_stays_there():
    assert choose("gpt-5.2", effort="high", tools=FUNCTION) is CHAT


@pytest.mark.parametrize("client", ALL)
def test_a_model_of_responses_alone_takes_responses_from_every_client(client):
    assert choose("gpt-5.3-codex", client, effort="low") is RESPONSES


def test_a_client_of_messages_takes_what_carries_most():
    assert choose(client=ANTHROPIC) is RESPONSES
    assert choose(client=ANTHROPIC, spoken=[CHAT]) is CHAT
    assert choose(client=ANTHROPIC, endpoints=("/v1/messages", "/v1/responses")) is ANTHROPIC


def test_a_deployment_is_put_nothing_that_it_does_not_speak():
    assert choose(client=RESPONSES, spoken=[CHAT]) is CHAT
    assert choose(client=CHAT, spoken=[RESPONSES]) is RESPONSES
    assert choose(client=CHAT, spoken=[ANTHROPIC], endpoints=("/v1/messages",)) is ANTHROPIC


@pytest.mark.parametrize("spoken", [[], [CHAT], [ANTHROPIC], [CHAT, ANTHROPIC]])
def test_a_model_is_not_served_where_its_dialect_is_not_spoken(spoken):
    assert choose("gpt-5.3-codex", effort="low", spoken=spoken) is Obstacle.NOT_SERVED


@pytest.mark.parametrize("client", [CHAT, RESPONSES, ANTHROPIC])
def test_tools_beside_reasoning_on_chat_alone_are_the_reason(client):
    assert choose(client=client, tools=FUNCTION, spoken=[CHAT]) is Obstacle.REASONING_TOOLS
    assert choose(client=client, tools=FUNCTION, effort="none", spoken=[CHAT]) is CHAT


def test_tools_that_another_dialect_has_no_word_for_are_the_reason():
    hosted = frozenset(["function", "web_search"])
    assert choose(client=RESPONSES, tools=hosted, spoken=[CHAT]) is Obstacle.UNSPOKEN_TOOLS
    assert choose(client=RESPONSES, tools=hosted) is RESPONSES
    assert (
        choose(client=CHAT, tools=CUSTOM, spoken=[ANTHROPIC], endpoints=("/v1/messages",))
        is Obstacle.UNSPOKEN_TOOLS
    )


def test_a_servers_own_tools_pass_in_the_clients_own_dialect():
    own = frozenset(["web_search"])
    assert choose(tools=own) is CHAT
    assert choose(client=RESPONSES, tools=own) is RESPONSES


@pytest.mark.parametrize(
    "problem",
    [
        bridge_problems.unknown_parameter("foo"),
        bridge_problems.wrong_endpoint("gpt-5.5", "/v1/embeddings"),
        bridge_problems.chat_is_not_stored(),
        bridge_problems.tools_not_spoken("gpt-5.5"),
    ],
)
def test_every_reason_names_the_parameter_and_is_the_clients_to_mend(problem):
    assert problem.status in (400, 404)
    assert problem.param
    assert list(problem.body()["error"]) == ["message", "type", "param", "code"]
