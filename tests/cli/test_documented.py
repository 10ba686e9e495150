"""docs/operate/commands.md is complete and true: every command, option and setting; every example is run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from runapi.cli.program import app
from runapi.core.keys import Mode
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.settings import NOTHING, SETTINGS, allowed, default_words, variable
from runapi.store.database import Database
from runapi.store.requests import insert_records

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "commands.md").read_text("utf-8")
NOT_RUN_HERE = (
    "runapi connect ",  # it asks a running server; tests/cli/test_connect.py has the sentences
    "runapi upstreams test ",  # it calls OpenAI; tests/flows/test_try_upstream.py has the sentence
    "runapi requests show ",  # of a request that was served; tests/cli/test_one_request.py has the sentences
    "runapi receipts ",  # of a request that was served; tests/receipts/test_receipt_commands.py has the sentences
    "runapi ledger reconcile ",  # of an upstream's export; tests/cli/test_ledger.py has the sentences
)
EVERYWHERE = {"--help", "--json"}


def commands() -> Iterator[tuple[str, object]]:
    """Every command that can be run, by its full name."""
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for inner_name, inner in getattr(command, "commands", {}).items():
            yield f"runapi {name} {inner_name}", inner
        if not hasattr(command, "commands"):
            yield f"runapi {name}", command


COMMANDS = dict(commands())


def section(title: str) -> str:
    """The text under a heading that begins with `title`."""
    found = re.search(rf"^#+ {re.escape(title)}(?: [A-Z]+)?\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operate/commands.md has no section on {title}"
    return found[1]


def test_there_are_the_commands_that_the_page_is_about():
    assert len(COMMANDS) == 34


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_section_with_every_option_and_an_example(name: str):
    text = section(name)
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option[0] == "-"}
    assert [option for option in sorted(options - EVERYWHERE) if option not in text] == []
    assert name == "runapi serve" or f"$ {name}" in text


def test_page_names_no_command_that_does_not_exist():
    named = re.findall(r"^(?:###? |\$ )(runapi(?: [a-z]+)+)", PAGE, re.MULTILINE)
    groups = {name.rpartition(" ")[0] for name in COMMANDS}
    unknown = [
        name
        for name in named
        if not any(f"{name} ".startswith(f"{known} ") for known in {*COMMANDS, *groups})
    ]
    assert unknown == []


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_has_its_row(name: str):
    default = default_words(name)
    without = NOTHING if default == NOTHING else f"`{default}`"
    row = f"| `{variable(name)}` | {without} | {SETTINGS[name].description}; {allowed(name)} |"
    assert row in section("Settings")


def examples() -> list[tuple[str, str]]:
    """Every command line of the page with the output that it is said to have."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for example in block.split("$ ")[1:]:
            line, _, output = example.partition("\n")
            found.append((line, output))
    return found


def plain(text: str) -> str:
    """Text without what differs from run to run: keys, times, trailing spaces."""
    text = re.sub(r"(runapi_(?:live|test)_)[0-9A-Za-z]{36}", r"\1KEY", text)
    text = re.sub(r"(runapi_(?:live|test)_)[0-9A-Za-z]{4}\b", r"\1PREF", text)
    text = re.sub(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", r"DAY\1TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d\b", "DAY", text)
    text = re.sub(r"\.\d{6}Z", ".000000Z", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"\bRC-[0-9A-Z]{4}(-[0-9A-Z]{4}){5}\b", "CODE", text)
    text = re.sub(r"\bRC-[0-9A-Z]{4}\b", "CODE-PREF", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_examples_of_the_page_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    monkeypatch.setenv("RUNAPI_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "80")
    Database.open(home).close_now()
    for line, output in examples():
        if line.startswith(NOT_RUN_HERE):
            continue
        if line.startswith("runapi requests"):
            insert_the_request(home)
        got = CliRunner().invoke(app, shlex.split(line)[1:])
        assert got.exit_code == 0, (line, got.output)
        assert plain(got.output) == plain(output), line


def insert_the_request(home: Path) -> None:
    record = RequestRecord(
        id=f"req_{1:032x}",
        at_us=1_795_339_800_000_000,  # 2026-11-22 09:30 UTC
        account_id=1,
        key_id=1,
        mode=Mode.LIVE,
        endpoint="/v1/chat/completions",
        model="gpt-5.5",
        stream=True,
        status=200,
        outcome=Outcome.COMPLETED,
        total_us=1_500_000,
        usage=Usage(input=100, cached=20, output=30),
        first_byte_us=420_000,
        attempts=2,
        upstream="openai",
        upstream_model="gpt-5.5-2026-04-23",
        upstream_request_id="req_5e0c1b7a93d24f6f8a1e7c2b90d3f416",
        upstream_error="429 rate_limit_exceeded",
        usage_source=UsageSource.REPORTED,
        service_tier="default",
        cost_pico=705_500_000,
        cost_nano=705_500,
        upstream_cost_nano=564_400,
    )
    database = Database.open(home)
    database.run_now(insert_records, [record])
    database.close_now()
