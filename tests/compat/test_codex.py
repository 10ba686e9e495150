"""The real Codex CLI, unmodified, with the configuration and the catalogue of models that we give it."""

import json

import pytest

from compat import quiet
from compat.configured import KEY_VARIABLE, wanted
from compat.programs import node_program, run_client
from compat.shown import Client, Feature, Protocol, each_of_six
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import ECHO, HELLO, NAME_SCHEMA, assert_ran
from runapi.wire.client_config.codex import codex_text


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
            *quiet.CODEX,
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


@each_of_six(Client.CODEX, Protocol.RESPONSES, Feature.PLAIN, Feature.STREAM)
def test_a_plain_turn(take_turn, sandboxed, model):
    events, said = take_turn(sandboxed, model, prompt_for_text(HELLO))
    assert said == HELLO
    assert usage_of(events)["input_tokens"] > 0
    assert usage_of(events)["reasoning_output_tokens"] > 0


@each_of_six(Client.CODEX, Protocol.RESPONSES, Feature.TOOL, Feature.REASONING)
def test_a_turn_that_runs_a_tool(take_turn, responses_only, tmp_path, model):
    command = prompt_for_call("exec_command", {"cmd": ECHO + "proof"})
    events, said = take_turn(responses_only, model, command)
    assert_ran(said, tmp_path / "proof")
    assert usage_of(events)["cached_input_tokens"] > 0
    assert_reasoned(responses_only, model, "medium")


def test_a_patch_that_a_custom_tool_applies(take_turn, responses_only, tmp_path):
    """With our catalogue Codex offers its own form of change, a custom tool with a grammar."""
    patch = "*** Begin Patch\n*** Add File: made.txt\n+by a patch\n*** End Patch\n"
    _, said = take_turn(responses_only, "gpt-5.4", prompt_for_call("apply_patch", {"input": patch}))
    assert (tmp_path / "made.txt").read_text() == "by a patch\n"
    assert "made.txt" in said


@each_of_six(Client.CODEX, Protocol.RESPONSES, Feature.STRUCTURED)
def test_a_turn_with_an_output_schema(take_turn, responses_only, tmp_path, model):
    (tmp_path / "schema.json").write_text(json.dumps(NAME_SCHEMA))
    _, said = take_turn(
        responses_only, model, prompt_for_text('{"name": "Bern"}'), "--output-schema", "schema.json"
    )
    assert json.loads(said) == {"name": "Bern"}
    [call] = responses_only.upstream.calls
    assert call.json["text"]["format"]["schema"] == NAME_SCHEMA
