"""The real OpenClaw, unmodified, before the real server: what the product is for."""

import json
import subprocess

import pytest

from compat.steered import PLAIN_MODEL, TOOL_MODEL, prompt_for_call, prompt_for_text
from fakes.needs import REPOSITORY, node_24, node_modules

TURN_WITHIN_S = 180
HELLO = "Hello from the other side."


def configuration(base_url, model):
    """The configuration that our documentation gives to customers, for this server and model."""
    documented = (REPOSITORY / "docs" / "api" / "clients.md").read_text()
    given = json.loads(documented.partition("```json\n")[2].partition("```")[0])
    provider = given["models"]["providers"]["runapi"]
    provider["baseUrl"] = base_url
    provider["timeoutSeconds"] = 60
    provider["models"][0]["id"] = model
    given["agents"]["defaults"]["model"]["primary"] = f"runapi/{model}"
    return given


@pytest.fixture
def take_turn(backend, tmp_path):
    """Run one headless turn in a home of its own and return what OpenClaw reports of it."""
    node, openclaw = node_24(), node_modules() / "openclaw" / "openclaw.mjs"

    def take(message, model):
        (tmp_path / ".openclaw").mkdir()
        (tmp_path / ".openclaw" / "openclaw.json").write_text(
            json.dumps(configuration(backend.base_url, model))
        )
        ended = subprocess.run(
            [
                *(node, openclaw, "agent", "--local", "--agent", "main"),
                *("--session-id", "a-turn", "--message", message, "--json"),
            ],
            env={
                "HOME": str(tmp_path),
                "TMPDIR": str(tmp_path),
                "PATH": f"{node.parent}:/usr/local/bin:/usr/bin:/bin",
                "RUNAPI_API_KEY": backend.key,
            },
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TURN_WITHIN_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    return take


def assert_answered(turn, words, model):
    assert words in "".join(payload["text"] for payload in turn["payloads"])
    agent = turn["meta"]["agentMeta"]
    assert agent["usage"]["input"] > 0
    assert agent["usage"]["output"] > 0
    assert agent["usage"]["cost"]["totalOrigin"] == "provider-billed"
    assert agent["usage"]["cost"]["total"] > 0
    assert agent["terminalReceipt"]["effective"].get("responseModel", model) == model


def test_a_plain_turn(take_turn):
    assert_answered(take_turn(prompt_for_text(HELLO), PLAIN_MODEL), HELLO, PLAIN_MODEL)


def test_a_turn_that_runs_a_tool(take_turn, tmp_path):
    """The shell works out the 42: neither prompt nor model could quote it else."""
    proof = tmp_path / "proof"
    command = f"echo tool-ran-$((40+2)) | tee {proof}"
    turn = take_turn(prompt_for_call("exec", {"command": command}), TOOL_MODEL)
    assert_answered(turn, "tool-ran-42", TOOL_MODEL)
    assert proof.read_text() == "tool-ran-42\n"
    assert turn["meta"]["agentMeta"]["terminalReceipt"]["successfulToolNames"] == ["exec"]
