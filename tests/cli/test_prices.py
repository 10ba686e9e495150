"""`runapi prices`: nothing is published that nobody agreed to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runapi.cli.program import app


@pytest.fixture(autouse=True)
def home(made_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNAPI_HOME", str(made_home))
    monkeypatch.setenv("COLUMNS", "80")
    return made_home


def run(*arguments: str, said: str = "", code: int = 0) -> str:
    ended = CliRunner().invoke(app, ["prices", *arguments], input=said)
    assert ended.exit_code == code, ended.output
    return ended.stdout


def test_publication_is_shown_and_asked_for_first():
    refused = run("publish", said="n\n", code=1)
    assert "gpt-5.5" in refused
    assert json.loads(run("show", "--json")) == []
    assert "Published version 1" in run("publish", said="y\n")
    assert len(json.loads(run("show", "--json"))) == 6


def test_nobody_to_ask_is_a_no():
    run("publish", code=1)
    assert json.loads(run("show", "--json")) == []


def test_with_json_the_agreement_is_an_option():
    assert json.loads(run("publish", "--json", code=2))["error"]["code"] == "wrong_use"
    assert json.loads(run("show", "--json")) == []
    assert json.loads(run("publish", "--json", "--yes"))["published"] == 1


def test_nothing_is_asked_where_nothing_differs():
    run("publish", "--yes")
    assert run("publish") == "Nothing to publish: version 1 is what the catalogue and the policies say.\n"


def test_every_price_of_a_model_is_shown_with_its_tiers():
    assert "is not served" in run("show", "--model", "gpt-5.2")
    run("publish", "--yes")
    run("publish", "--yes", "--model", "gpt-5.2", "--ratio", "0.75")
    lines = run("show", "--model", "gpt-5.2").splitlines()
    assert [line.split()[:1] + line.split()[3:5] for line in lines[1:]] == [
        ["2", "standard", "1.3125"],
        ["2", "flex", "0.65625"],
        ["2", "priority", "2.625"],
        ["1", "standard", "0.875"],
        ["1", "flex", "0.4375"],
        ["1", "priority", "1.75"],
    ]


@pytest.mark.parametrize("arguments", [["show"], ["diff"], ["diff", "--ratio", "0.333333"]])
def test_tables_fit_80_columns(arguments: list[str]):
    run("publish", "--yes")
    run("publish", "--yes", "--ratio", "0.666667", "--model", "gpt-5.3-codex")
    assert max(len(line) for line in run(*arguments).splitlines()) <= 80
