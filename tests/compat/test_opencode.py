"""The real OpenCode, unmodified, with the configuration that we give it; and with Chat Completions in its place."""

import pytest

from compat import quiet
from compat.configured import KEY_VARIABLE, wanted
from compat.programs import node_program, run_client
from compat.shown import Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import ECHO, HELLO, assert_ran
from runapi.wire.client_config.opencode import PACKAGE, opencode_text

TURNS = ((Protocol.RESPONSES, "gpt-5.5"), (Protocol.CHAT, "gpt-5.3-codex"))


def marked(*features):
    """These turns, each with the row that it shows."""
    return [pytest.param(*turn, marks=shows(Client.OPENCODE, *turn, *features)) for turn in TURNS]


@pytest.fixture
def take_turn(tmp_path):
    """Run one headless turn in a home of its own, and return its events."""
    opencode = node_program("opencode-linux-{cpu}*/bin/opencode")

    def take(backend, protocol, model, prompt):
        text = opencode_text(wanted(backend, model))
        if protocol is Protocol.CHAT:
            assert text.count(f'"{PACKAGE}"') == 1
            text = text.replace(f'"{PACKAGE}"', '"@ai-sdk/openai-compatible"')
        (quiet.make_opencode_folder(tmp_path) / "opencode.json").write_text(text)
        environment = quiet.OPENCODE | {KEY_VARIABLE: backend.key}
        program = [opencode, "run", "--auto", "--pure", "--format", "json"]
        return run_client(program, backend, tmp_path, environment=environment, stdin=prompt).lines

    return take


def said_in(events):
    return "".join(event["part"]["text"] for event in events if event["type"] == "text")


@pytest.mark.parametrize(("protocol", "model"), marked(Feature.PLAIN, Feature.STREAM))
def test_a_plain_turn(take_turn, sandboxed, protocol, model):
    events = take_turn(sandboxed, protocol, model, prompt_for_text(HELLO))
    assert said_in(events) == HELLO
    assert sum(event["part"]["tokens"]["input"] for event in events if event["type"] == "step_finish") > 1000


@pytest.mark.parametrize(("protocol", "model"), marked(Feature.TOOL, Feature.REASONING))
def test_a_turn_that_runs_a_tool(take_turn, responses_only, tmp_path, protocol, model):
    arguments = {"command": ECHO + "proof", "description": "Prove it"}
    events = take_turn(responses_only, protocol, model, prompt_for_call("bash", arguments))
    assert_ran(said_in(events), tmp_path / "proof")
    assert_reasoned(responses_only, model, "medium")
