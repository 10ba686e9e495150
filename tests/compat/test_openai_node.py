"""The real openai SDK for Node, unmodified, before the real server."""

import json
import shutil
import subprocess

import pytest

from compat.steered import PLAIN_MODEL, TOOL_MODEL, prompt_for_call, prompt_for_text
from compat.turns import HELLO
from fakes.needs import CLIENTS, node_24, node_modules
from fakes.specification import check_chunk, check_reply


@pytest.fixture
def given(backend, tmp_path):
    """What one run of the script printed; ESM finds packages beside the script, hence the link."""
    node = node_24()
    (tmp_path / "node_modules").symlink_to(node_modules())
    script = shutil.copy(CLIENTS / "openai_node.mjs", tmp_path)
    environment = {
        "HOME": str(tmp_path),
        "BASE_URL": backend.base_url,
        "KEY": backend.key,
        "PLAIN_MODEL": PLAIN_MODEL,
        "TOOL_MODEL": TOOL_MODEL,
        "PLAIN_PROMPT": prompt_for_text(HELLO),
        "TOOL_PROMPT": prompt_for_call("multiply", {"a": 6, "b": 7}),
        "CUT_PROMPT": "[[sandbox:cut_after 2]]" if backend.name == "sandbox" else "",
    }
    ended = subprocess.run(
        [node, script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_plain_streamed_and_tool_turns(given, backend):
    assert given["plain"]["choices"][0]["message"]["content"] == HELLO
    assert given["plain"]["model"] == PLAIN_MODEL
    *chunks, last = given["streamed"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == HELLO
    assert last["choices"] == []
    assert last["usage"]["cost"] > 0
    assert given["helper"]["content"] == HELLO
    assert given["helper"]["usage"]["total_tokens"] > 0
    assert given["ran"] == [[6, 7], [6, 7]]
    assert ["42" in text for text in given["tools"]] == [True, True]
    assert PLAIN_MODEL in given["models"]
    assert given["wrongKey"] == {"name": "AuthenticationError", "status": 401, "code": "invalid_api_key"}
    check_reply(given["plain"])
    for chunk in given["streamed"]:
        check_chunk(chunk)
    assert given.get("cut", "noticed") == "noticed"
