"""The real Codex CLI, unmodified, with the configuration and the catalogue of models that we give it."""

import json

import pytest

from compat.configured import KEY_VARIABLE, wanted
from compat.programs import node_program, run_client
from compat.shown import SIX, Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from runapi.wire.client_config.codex import codex_text

HELLO = "Hello from the other side."
QUIET = ("--disable", "plugins", "-c", "analytics.enabled=false", "-c", "check_for_update_on_startup=false")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture
def take_turn(tmp_path):
    """Run one headless turn in a home of its own, and return its events and its last words."""
    codex = node_program("@openai/codex-linux-{cpu}/vendor/*/bin/codex")

    def take(backend, model, prompt, *options):
        (tmp_path / ".codex").mkdir()
        (tmp_path / ".codex" / "config.toml").write_text(codex_text(wanted(backend, model)))
        program = [
            codex,
            "exec",
            *QUIET,
            "--skip-git-repo-check",
            "--json",
            "--output-last-message",
            "last.txt",
        ]
        program += ["--dangerously-bypass-approvals-and-sandbox", *options, prompt]
        ended = run_client(program, backend, tmp_path, environment={KEY_VARIABLE: backend.key})
        assert "metadata" not in ended.stderr, ended.stderr  # "Model metadata not found": it would guess
        return ended.lines, (tmp_path / "last.txt").read_text()

    return take


def usage_of(events):
    [usage] = [event["usage"] for event in events if event["type"] == "turn.completed"]
    return usage


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            model, marks=shows(Client.CODEX, Protocol.RESPONSES, model, Feature.PLAIN, Feature.STREAM)
        )
        for model in SIX
    ],
)
def test_a_plain_turn(take_turn, sandboxed, model):
    events, said = take_turn(sandboxed, model, prompt_for_text(HELLO))
    assert said == HELLO
    assert usage_of(events)["input_tokens"] > 0
    assert usage_of(events)["reasoning_output_tokens"] > 0


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            model, marks=shows(Client.CODEX, Protocol.RESPONSES, model, Feature.TOOL, Feature.REASONING)
        )
        for model in SIX
    ],
)
def test_a_turn_that_runs_a_tool(take_turn, responses_only, tmp_path, model):
    """The shell works out the 42: neither prompt nor model could quote it else."""
    command = prompt_for_call("exec_command", {"cmd": "echo tool-ran-$((40+2)) | tee proof"})
    events, said = take_turn(responses_only, model, command)
    assert "tool-ran-42" in said
    assert (tmp_path / "proof").read_text() == "tool-ran-42\n"
    assert usage_of(events)["cached_input_tokens"] > 0
    assert_reasoned(responses_only, model, "medium")


def test_a_patch_that_a_custom_tool_applies(take_turn, responses_only, tmp_path):
    """With our catalogue Codex offers its own form of change, a custom tool with a grammar."""
    patch = "*** Begin Patch\n*** Add File: made.txt\n+by a patch\n*** End Patch\n"
    _, said = take_turn(responses_only, "gpt-5.4", prompt_for_call("apply_patch", {"input": patch}))
    assert (tmp_path / "made.txt").read_text() == "by a patch\n"
    assert "made.txt" in said


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=shows(Client.CODEX, Protocol.RESPONSES, model, Feature.STRUCTURED))
        for model in SIX
    ],
)
def test_a_turn_with_an_output_schema(take_turn, responses_only, tmp_path, model):
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    _, said = take_turn(
        responses_only, model, prompt_for_text('{"name": "Bern"}'), "--output-schema", "schema.json"
    )
    assert json.loads(said) == {"name": "Bern"}
    [call] = responses_only.upstream.calls
    assert call.json["text"]["format"]["schema"] == SCHEMA
