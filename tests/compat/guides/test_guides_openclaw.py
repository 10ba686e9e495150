"""The real OpenClaw runs as the OpenClaw pages say: by file, by commands, and by `runapi connect`."""

import json

import pytest

from compat.configured import wanted
from compat.shown import SIX
from compat.steered import TOOL_MODEL, prompt_for_call
from compat.turns import ECHO, assert_ran
from runapi.wire.client_config.openclaw import openclaw_text

HELLO = "Hello from the RunAPI sandbox"
FILE = "~/.openclaw/openclaw.json"
OTHERS = """
// what somebody had before
{
  logging: { level: "warn" },  // quiet
  models: { providers: {
    other: { baseUrl: "http://127.0.0.1:9/v1", apiKey: "not-ours", api: "openai-completions",
             models: [{ id: "m", name: "m" }] },
  } },
  agents: { defaults: { model: "other/m" } },
}
"""


def put_others(guide):
    path = guide.place(FILE)
    path.parent.mkdir()
    path.write_text(OTHERS)
    return path


def test_pasted_file_works(open_guide):
    guide = open_guide("/openclaw-gpt")
    assert guide.backend.key not in guide.paste(FILE).read_text()
    ended = guide.run(guide.fence("openclaw agent").code)
    assert HELLO in ended.stdout


def test_commands_change_what_is_ours_and_the_probe_says_ok(open_guide):
    guide = open_guide("/openclaw")
    path = put_others(guide)
    told = guide.run(guide.fence("openclaw config set").code)
    assert "Config valid" in told.stdout
    assert "not-ours" in path.read_text()
    ended = guide.run(guide.fence("--probe").code)
    assert "runapi/gpt-5.5" in ended.stdout
    assert "ok" in ended.stdout
    assert HELLO in ended.stdout


def test_connect_leaves_a_config_with_which_it_runs_tools(open_guide):
    guide = open_guide("/openclaw-gpt")
    path = put_others(guide)
    command = guide.fence("runapi connect").code.strip()
    told = guide.run(f"{command} --model {TOOL_MODEL}")
    assert HELLO in told.stdout
    assert guide.backend.key not in told.stdout + told.stderr
    assert "not-ours" not in told.stdout
    changed = path.read_text()
    assert "// what somebody had before" in changed
    assert "// quiet" in changed
    assert path.stat().st_mode & 0o777 == 0o600
    [backup] = path.parent.glob("openclaw.json.before-runapi-*")
    assert backup.read_text() == OTHERS

    prompt = prompt_for_call("exec", {"command": ECHO + "~/proof"})
    ask = f"openclaw agent --local --agent main --json --message '{prompt}'"
    turn = guide.run(ask, {"RUNAPI_KEY": ""}).json
    usage = turn["meta"]["agentMeta"]["usage"]
    assert usage["cost"]["totalOrigin"] == "provider-billed"
    assert_ran("".join(payload["text"] for payload in turn["payloads"]), guide.home / "proof")


def test_page_and_command_write_the_same_file(open_guide):
    """But for the key and for the models, of which the command takes all."""
    guide = open_guide("/openclaw-gpt")
    guide.run(f"{guide.fence('runapi connect').code.strip()} --no-key")
    shown, written = json.loads(guide.fence(FILE).code), json.loads(guide.place(FILE).read_text())
    pasted = shown["models"]["providers"]["runapi"].pop("models")
    models = written["models"]["providers"]["runapi"].pop("models")
    assert written == shown
    assert [model["id"] for model in models] == list(SIX)
    assert all(model in models for model in pasted)


@pytest.mark.parametrize("model", SIX)
def test_each_model_has_a_page_whose_file_begins_with_it(open_guide, model):
    """And says of its models what the command says, with which test_openclaw.py takes its turns."""
    guide = open_guide(f"/openclaw-{model}")
    shown = json.loads(guide.fence(FILE).code)
    assert shown["agents"]["defaults"]["model"]["primary"] == f"runapi/{model}"
    pasted = shown["models"]["providers"]["runapi"].pop("models")
    assert pasted[0]["id"] == model
    written = json.loads(openclaw_text(wanted(guide.backend, model)))
    assert all(one in written["models"]["providers"]["runapi"]["models"] for one in pasted)
    assert shown["models"]["providers"]["runapi"].keys() == written["models"]["providers"][
        "runapi"
    ].keys() - {"models"}
