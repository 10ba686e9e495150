"""The real Claude Code, unmodified, with the settings that we give it."""

import json

import pytest

from compat.configured import KEY_VARIABLE, wanted
from compat.programs import node_program, run_client
from compat.shown import SIX, Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from runapi.wire.client_config.claude_code import claude_code_text

HELLO = "Hello from the other side."
ROOT_MAY = {"IS_SANDBOX": "1"}  # else it refuses to run tools unasked for root
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture
def take_turn(tmp_path):
    """Run one headless turn in a home of its own, and return what it reports."""
    claude = node_program("@anthropic-ai/claude-code-linux-{cpu}/claude")

    def take(backend, model, prompt, *options):
        (tmp_path / ".claude").mkdir()
        (tmp_path / ".claude" / "settings.json").write_text(claude_code_text(wanted(backend, model)))
        program = [claude, "--print", "--dangerously-skip-permissions", "--output-format", "json", *options]
        ended = run_client(
            [*program, prompt], backend, tmp_path, environment=ROOT_MAY | {KEY_VARIABLE: backend.key}
        )
        report = ended.json
        assert not report["is_error"]
        assert set(report["modelUsage"]) == {model}
        return report

    return take


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            model, marks=shows(Client.CLAUDE_CODE, Protocol.MESSAGES, model, Feature.PLAIN, Feature.STREAM)
        )
        for model in SIX
    ],
)
def test_a_plain_turn(take_turn, sandboxed, model):
    report = take_turn(sandboxed, model, prompt_for_text(HELLO))
    assert report["result"] == HELLO
    assert report["stop_reason"] == "end_turn"
    assert report["usage"]["input_tokens"] > 1000


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            model, marks=shows(Client.CLAUDE_CODE, Protocol.MESSAGES, model, Feature.TOOL, Feature.REASONING)
        )
        for model in SIX
    ],
)
def test_a_turn_that_runs_a_tool(take_turn, responses_only, tmp_path, model):
    """The shell works out the 42: neither prompt nor model could quote it else."""
    arguments = {"command": "echo tool-ran-$((40+2)) | tee proof", "description": "Prove it"}
    report = take_turn(responses_only, model, prompt_for_call("Bash", arguments), "--effort", "high")
    assert "tool-ran-42" in report["result"]
    assert (tmp_path / "proof").read_text() == "tool-ran-42\n"
    assert report["usage"]["cache_read_input_tokens"] == 256
    assert report["usage"]["input_tokens"] == 2400 - 256
    assert_reasoned(responses_only, model, "high")


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=shows(Client.CLAUDE_CODE, Protocol.MESSAGES, model, Feature.STRUCTURED))
        for model in SIX
    ],
)
def test_a_turn_with_a_schema(take_turn, responses_only, model):
    """It asks for the value by a tool of its own, so that any model can give it."""
    prompt = prompt_for_call("StructuredOutput", {"name": "Bern"})
    report = take_turn(responses_only, model, prompt, "--json-schema", json.dumps(SCHEMA))
    assert report["structured_output"] == {"name": "Bern"}
