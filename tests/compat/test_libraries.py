"""The libraries with which programs are written, unmodified: each takes its turns in one process, for every model."""

import json
import shutil
from pathlib import Path

import pytest

from compat.programs import python_of_clients, run_client
from compat.shown import SIX, Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import BERN, CITY, HELLO
from fakes.needs import CLIENTS, node_24, node_modules

CALLS = ({"a": 6, "b": 7}, {"a": 8, "b": 9})  # both at once
PROMPTS = {
    Feature.PLAIN: prompt_for_text(HELLO),
    Feature.STREAM: prompt_for_text(HELLO),
    Feature.TOOL: prompt_for_call("multiply", *CALLS),
    Feature.STRUCTURED: prompt_for_text(CITY),
}
SCRIPTS = {
    Client.OPENAI_NODE: "run_openai_node.mjs",
    Client.OPENAI_AGENTS: "run_openai_agents.py",
    Client.LANGCHAIN: "run_langchain.py",
    Client.PYDANTIC_AI: "run_pydantic_ai.py",
    Client.AI_SDK: "run_ai_sdk.mjs",
}
QUIET = {"LANGSMITH_TRACING": "false", "OPENAI_AGENTS_DISABLE_TRACING": "1", "DO_NOT_TRACK": "1"}


def program_for(script: str, folder: Path) -> list[Path]:
    """The command for a script; Node finds packages beside it, hence the copy and the link."""
    if not script.endswith(".mjs"):
        return [python_of_clients(), CLIENTS / "scripts" / script]
    (folder / "node_modules").symlink_to(node_modules())
    return [node_24(), Path(shutil.copy(CLIENTS / "scripts" / script, folder))]


def turns_of(backend, protocol, models):
    return [
        {"base_url": backend.base_url, "key": backend.key, "protocol": protocol, "model": model}
        for model in models
    ]


@pytest.mark.parametrize(
    ("client", "protocol"),
    [
        pytest.param(client, protocol, marks=shows(client, protocol, SIX))
        for client in SCRIPTS
        for protocol in (Protocol.RESPONSES, Protocol.CHAT)
    ],
)
def test_every_turn_with_every_model(responses_only, sandboxed, tmp_path, client, protocol):
    turns = [
        *turns_of(responses_only, protocol, SIX),
        *turns_of(sandboxed, protocol, ("gpt-5.5", "gpt-5.3-codex")),
    ]
    task = {"TASK": json.dumps({"turns": turns, "prompts": PROMPTS})}
    ended = run_client(
        program_for(SCRIPTS[client], tmp_path), responses_only, tmp_path, environment=QUIET | task
    )
    seen = ended.json
    assert [(one["model"], one["feature"]) for one in seen] == [
        (turn["model"], feature) for turn in turns for feature in PROMPTS
    ]
    for one in seen:
        check(one)
    for model in SIX:
        assert_reasoned(responses_only, model, "high")


def check(one):
    """What one turn must have given."""
    match one["feature"]:
        case Feature.PLAIN:
            assert one["said"] == HELLO
        case Feature.STREAM:
            assert one["said"] == HELLO
            assert one["pieces"] > 1
        case Feature.TOOL:
            assert sorted(one["ran"]) == [[6, 7], [8, 9]]
            assert "72" in one["said"]
        case Feature.STRUCTURED:
            assert one["said"] == BERN.model_dump()
