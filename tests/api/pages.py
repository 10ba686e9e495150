"""Pages that show a command and what comes back: the commands are run, and what is shown is compared with that."""

import json
import os
import re
import subprocess
from pathlib import Path

import msgspec

from fakes.needs import need
from fakes.server import Gateway

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(bash|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "HERE"),
    (re.compile(r"HERE/\S*cs_test_\w+"), "PAGE"),
    (re.compile(r"\b(req|top)_[0-9a-f]{32}\b"), r"\1_ID"),
    (re.compile(r"\b[0-9a-f]{32,128}\b"), "HEX"),
    (re.compile(r"\b(runapi_(?:live|test)_)\w+"), r"\1KEY"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r'("\w+_us":\s*)\d+'), r"\1 0"),
)


class Example(msgspec.Struct, frozen=True):
    """A block of commands, and the JSON that is shown after it, if any."""

    command: str
    shown: str | None


def examples(page: str) -> list[Example]:
    """The examples of a page, from top to bottom."""
    blocks = _BLOCK.findall((DOCS / page).read_text("utf-8"))
    return [
        Example(text, blocks[at + 1][1] if blocks[at + 1 : at + 2] and blocks[at + 1][0] == "json" else None)
        for at, (language, text) in enumerate(blocks)
        if language == "bash"
    ]


def paste(gateway: Gateway, folder: Path, command: str, **variables: str) -> str:
    """Run a block in bash, on another port, and give what it printed."""
    bash, _ = need("bash", "its users paste into it"), need("curl", "the pages use it")
    ended = subprocess.run(
        [bash, "-euo", "pipefail", "-c", command.replace("http://127.0.0.1:8000", gateway.url)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "RUNAPI_KEY": gateway.test_key, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def plain(text: str) -> object:
    """The JSON without what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return json.loads(text)
