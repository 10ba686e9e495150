"""The first pages that a newcomer reads are true: their commands are run, their links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import specification
from fakes.needs import need
from fakes.problems import examples, factories
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core import (
    problems,
)
from runapi.core.problems import Problem
from runapi.wire.openai_chat.stream import StreamFault

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
QUICKSTART = (REPOSITORY / "docs" / "guide" / "quickstart.md").read_text("utf-8")
ERRORS = (REPOSITORY / "docs" / "api" / "errors.md").read_text("utf-8")
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
CANARY = "sk-canary-of-the-pages"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


class Newcomer:
    """Pastes what a page says, in a folder in which `make run` was called; only the port is another."""

    def __init__(self, gateway: Gateway, folder: Path, upstream: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.folder = folder
        self.upstream = upstream
        folder.joinpath(".runapi").symlink_to(gateway.home)
        folder.joinpath(".venv").mkdir()
        folder.joinpath(".venv", "bin").symlink_to(Path(sys.executable).parent)

    def paste(self, text: str) -> str:
        """Run a block in bash and give what it printed."""
        bash, _ = need("bash", "its users paste into it"), need("curl", "the README begins with it")
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.gateway.port}")
        text = text.replace("https://api.openai.com/v1", self.upstream.base_url).replace("sk-...", CANARY)
        ended = subprocess.run(
            [bash, "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "RUNAPI_PORT": str(self.gateway.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout


@pytest.fixture
def newcomer(start_gateway: Callable[..., Gateway], tmp_path: Path) -> Iterator[Newcomer]:
    with ScriptedUpstream(api_key=CANARY) as upstream:
        gateway = start_gateway()
        gateway.secrets.append(CANARY)
        yield Newcomer(gateway, tmp_path, upstream)


# ---- the README ------------------------------------------------------------------------------------------


def test_readme_begins_with_the_two_commands_and_then_the_curl():
    first, second, *_ = blocks(README, "bash")
    assert README.startswith(f"# RunAPI\n\n```bash\n{first}")
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make run", "make test"]
    assert second.startswith("curl http://127.0.0.1:8000/v1/chat/completions")


def test_make_run_serves_and_make_test_tests():
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert re.search(r"^run: .*\n\t@exec \$\(BIN\)/runapi serve$", makefile, re.MULTILINE)
    assert re.search(r"^test: .*\n\t\$\(BIN\)/python -m pytest ", makefile, re.MULTILINE)


def test_readmes_curl_works_as_it_is_written(newcomer: Newcomer):
    specification.check_reply(json.loads(newcomer.paste(blocks(README, "bash")[1])))


def test_readmes_program_works_as_it_is_written(newcomer: Newcomer):
    [program] = blocks(README, "python")
    newcomer.folder.joinpath("hello.py").write_text(
        program.replace("127.0.0.1:8000", f"127.0.0.1:{newcomer.gateway.port}")
    )
    assert newcomer.paste(f"'{sys.executable}' hello.py").strip()


def test_readmes_commands_add_an_upstream_and_make_a_live_key(newcomer: Newcomer):
    *_, key = newcomer.paste(blocks(README, "bash")[2]).split()
    assert key.startswith("runapi_live_")
    [listed] = newcomer.gateway.cli("upstreams", "list")  # type: ignore[misc]
    assert listed["name"] == "openai"


def test_readmes_openclaw_is_what_connect_writes(newcomer: Newcomer):
    """The tests of OpenClaw run with what connect writes."""
    [block] = blocks(README, "json")
    by_hand = json.loads(block.replace("127.0.0.1:8000", f"127.0.0.1:{newcomer.gateway.port}"))
    file = newcomer.folder / "openclaw.json"
    newcomer.gateway.cli("connect", "openclaw", "--no-key", "--file", str(file))
    written = json.loads(file.read_text("utf-8"))
    [provider], [shown] = (config["models"]["providers"].values() for config in (written, by_hand))
    assert shown["models"] == provider["models"][:1]
    assert {**shown, "models": None} == {**provider, "models": None}
    assert by_hand["models"]["mode"] == written["models"]["mode"]
    primary = by_hand["agents"]["defaults"]["model"]["primary"]
    assert primary == written["agents"]["defaults"]["model"]["primary"]


# ---- the quickstart --------------------------------------------------------------------------------------


def test_quickstart_works_from_top_to_bottom(newcomer: Newcomer):
    hello, stream, models, environment, upstream, live, requests = blocks(QUICKSTART, "bash")
    specification.check_reply(json.loads(newcomer.paste(hello)))
    assert newcomer.paste(stream).rstrip().endswith("data: [DONE]")
    specification.check_model_list(json.loads(newcomer.paste(models)))
    said = newcomer.paste(environment + 'echo "$OPENAI_BASE_URL" "$OPENAI_API_KEY"')
    assert said.split() == [newcomer.gateway.base_url, newcomer.gateway.test_key]
    assert "openai: ok" in newcomer.paste(upstream)
    with_path = upstream.splitlines()[0] + "\n"
    answer = newcomer.paste(with_path + live)
    reply = json.loads(answer[answer.index("{") :])
    specification.check_reply(reply)
    assert reply["usage"]["cost"] > 0
    [call] = newcomer.upstream.calls
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    assert "gpt-5.5" in newcomer.paste(with_path + requests)


# ---- errors and links ------------------------------------------------------------------------------------


def every_example() -> Iterator[Problem]:
    """Every problem that a client can be told in so many words."""
    for factory in factories():
        yield from examples(factory)
    for fault in StreamFault:
        yield problems.stream_failed(fault)


def test_errors_page_lists_every_problem():
    missing = set()
    for problem in every_example():
        code = f"`{problem.code}`" if problem.code else "none"
        rows = [line for line in ERRORS.splitlines() if f"| `{problem.type}` | {code} |" in line]
        statuses = {status for row in rows for status in re.findall(r"\d{3}", row.split("|")[1])}
        if str(problem.status) not in statuses:
            missing.add((problem.status, problem.type, problem.code))
    assert missing == set()


def test_errors_page_lists_nothing_that_does_not_exist():
    rows = re.findall(r"^\| ([0-9 ,or]+) \| `(\w+)` \| `?(\w+)`? \|", ERRORS, re.MULTILINE)
    listed = {
        (int(status), kind, code) for statuses, kind, code in rows for status in re.findall(r"\d+", statuses)
    }
    told = {(problem.status, problem.type, problem.code or "none") for problem in every_example()}
    passed_on = {
        (status, "server_error", "upstream_error") for status in (502, 503)
    }  # the upstream's own status
    assert listed == told | passed_on


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL))
    for link in links:
        target, _, anchor = link.partition("#")
        if ":" in target:
            continue  # elsewhere; nothing here calls the network
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}, (
                link
            )
