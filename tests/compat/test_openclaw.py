"""The real OpenClaw, unmodified, before the real server: what the product is for."""

import pytest

from compat.configured import KEY_VARIABLE, wanted
from compat.programs import PATHS, node_variables, run_client
from compat.shown import Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import ECHO, HELLO, assert_ran
from fakes.needs import node_24, node_modules
from runapi.wire.client_config.openclaw import openclaw_text

CHAT_API, RESPONSES_API = '"openai-completions"', '"openai-responses"'
TURNS = [
    pytest.param(protocol, model, id=f"{protocol.name.lower()}-{model}")
    for protocol in (Protocol.CHAT, Protocol.RESPONSES)
    for model in ("gpt-5.5", "gpt-5.3-codex")
]


def marked(*features):
    """These turns, each with the row that it shows."""
    return [
        pytest.param(*turn.values, id=turn.id, marks=shows(Client.OPENCLAW, *turn.values, *features))
        for turn in TURNS
    ]


@pytest.fixture
def openclaw(tmp_path):
    """Run a command of OpenClaw's in a home of its own, configured for a protocol and a model."""
    node, script = node_24(), node_modules() / "openclaw" / "openclaw.mjs"

    def run(backend, protocol, model, *arguments):
        text = openclaw_text(wanted(backend, model))
        assert text.count(CHAT_API) == 1
        if protocol is Protocol.RESPONSES:
            text = text.replace(CHAT_API, RESPONSES_API)
        (tmp_path / ".openclaw").mkdir()
        (tmp_path / ".openclaw" / "openclaw.json").write_text(text)
        environment = {
            "PATH": f"{node.parent}:{PATHS}",
            **node_variables(),
            KEY_VARIABLE: backend.key,
        }
        return run_client(
            [node, script, *arguments, "--json"], backend, tmp_path, environment=environment
        ).json

    return run


def take_turn(openclaw, backend, protocol, model, message):
    """Take one turn of the agent, and check what it says of its cost."""
    turn = openclaw(
        *(backend, protocol, model),
        *("agent", "--local", "--agent", "main", "--session-id", "a-turn", "--message", message),
    )
    agent = turn["meta"]["agentMeta"]
    assert agent["usage"]["input"] > 0
    assert agent["usage"]["output"] > 0
    assert agent["usage"]["cost"]["total"] > 0
    if protocol is Protocol.CHAT:  # in Responses it goes by the prices of its configuration
        assert agent["usage"]["cost"]["totalOrigin"] == "provider-billed"
    assert agent["terminalReceipt"]["effective"]["model"] == model
    assert agent["terminalReceipt"]["effective"].get("responseModel", model) == model
    return turn


@pytest.mark.parametrize(("protocol", "model"), marked(Feature.PLAIN, Feature.STREAM))
def test_a_plain_turn(openclaw, sandboxed, protocol, model):
    chosen = ("--model", f"runapi/{model}", "--prompt", prompt_for_text(HELLO))
    reply = openclaw(sandboxed, protocol, model, "infer", "model", "run", "--local", *chosen)
    assert [output["text"] for output in reply["outputs"]] == [HELLO]


@pytest.mark.parametrize(("protocol", "model"), marked(Feature.TOOL, Feature.REASONING))
def test_a_turn_that_runs_a_tool(openclaw, responses_only, tmp_path, protocol, model):
    proof = tmp_path / "proof"
    command = prompt_for_call("exec", {"command": f"{ECHO}{proof}"})
    turn = take_turn(openclaw, responses_only, protocol, model, command)
    assert_ran("".join(payload["text"] for payload in turn["payloads"]), proof)
    assert turn["meta"]["agentMeta"]["terminalReceipt"]["successfulToolNames"] == ["exec"]
    assert_reasoned(responses_only, model, "medium")
