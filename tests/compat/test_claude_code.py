"""The real Claude Code, unmodified, with the settings that we give it."""

import json

import pytest

from compat import quiet
from compat.configured import KEY_VARIABLE, wanted
from compat.programs import node_program, run_client
from compat.shown import Client, Feature, Protocol, each_of_six
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import ECHO, HELLO, NAME_SCHEMA, assert_ran
from runapi.wire.client_config.claude_code import claude_code_text


@pytest.fixture
def take_turn(tmp_path):
    """Run one headless turn in a home of its own, and return what it reports."""
    claude = node_program("@anthropic-ai/claude-code-linux-{cpu}/claude")

    def take(backend, model, prompt, *options):
        (tmp_path / ".claude").mkdir()
        (tmp_path / ".claude" / "settings.json").write_text(claude_code_text(wanted(backend, model)))
        program = [claude, "--print", "--dangerously-skip-permissions", "--output-format", "json", *options]
        ended = run_client(
            [*program, prompt], backend, tmp_path, environment=quiet.ROOT_MAY | {KEY_VARIABLE: backend.key}
        )
        report = ended.json
        assert not report["is_error"]
        assert set(report["modelUsage"]) == {model}
        return report

    return take


@each_of_six(Client.CLAUDE_CODE, Protocol.MESSAGES, Feature.PLAIN, Feature.STREAM)
def test_a_plain_turn(take_turn, sandboxed, model):
    report = take_turn(sandboxed, model, prompt_for_text(HELLO))
    assert report["result"] == HELLO
    assert report["stop_reason"] == "end_turn"
    assert report["usage"]["input_tokens"] > 1000


@each_of_six(Client.CLAUDE_CODE, Protocol.MESSAGES, Feature.TOOL, Feature.REASONING)
def test_a_turn_that_runs_a_tool(take_turn, responses_only, tmp_path, model):
    arguments = {"command": ECHO + "proof", "description": "Prove it"}
    report = take_turn(responses_only, model, prompt_for_call("Bash", arguments), "--effort", "high")
    assert_ran(report["result"], tmp_path / "proof")
    assert report["usage"]["cache_read_input_tokens"] == 256
    assert report["usage"]["input_tokens"] == 2400 - 256
    assert_reasoned(responses_only, model, "high")


@each_of_six(Client.CLAUDE_CODE, Protocol.MESSAGES, Feature.STRUCTURED)
def test_a_turn_with_a_schema(take_turn, responses_only, model):
    """It asks for the value by a tool of its own, so that any model can give it."""
    prompt = prompt_for_call("StructuredOutput", {"name": "Bern"})
    report = take_turn(responses_only, model, prompt, "--json-schema", json.dumps(NAME_SCHEMA))
    assert report["structured_output"] == {"name": "Bern"}
