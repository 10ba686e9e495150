"""What commands say when something is not as it should be: sentences for people, and the command that helps."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fakes import http
from fakes.server import Gateway
from runapi.cli.program import app
from runapi.settings import SettingsFault, default_words, load_settings, unknown_settings


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_HOME", str(tmp_path / "home"))
    return lambda *arguments, **more: CliRunner().invoke(app, arguments, **more)


# ---- wrong use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["keys", "create", "--account", "a", "--mode", "foo"],
            "'--mode': 'foo' is not one of 'live', 'test'.",
        ),
        (
            ["connect", "foo"],
            "'CLIENT': 'foo' is not one of 'openclaw', 'codex', 'claude-code', 'opencode', 'env'.",
        ),
        (["requests", "list", "--limit", "many"], "'--limit': a whole number is expected."),
    ],
)
def test_wrong_value_is_told_without_the_library_s_words(run, arguments: list[str], said: str):
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert f"Error: Invalid value for {said}\n" in ended.stderr


# ---- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["receipts", "verify"], ["ledger", "reconcile"]])
def test_file_that_cannot_be_read_is_told_without_numbers(run, tmp_path: Path, command: list[str]):
    for path, why in ((tmp_path / "no", "No such file or directory"), (tmp_path, "Is a directory")):
        ended = run(*command, str(path))
        assert (ended.exit_code, ended.stderr) == (1, f"runapi: {path} cannot be read: {why}.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"error":{"message":"There is no request with this id.","code":"request_not_found"}}',
            "The file is no receipt, but the error that came in its place: There is no request with this id.",
        ),
        (
            '{"error":{}}',
            "The file is no receipt, but the error that came in its place: it does not say which",
        ),
        ('{"a":1}', "The file is no receipt: it holds other JSON. `runapi receipts show ID` prints one."),
        ("[1]", "The file is no receipt: it holds other JSON. `runapi receipts show ID` prints one."),
        ('{"receipt":1}', "The file is no receipt of this form: "),
    ],
)
def test_file_that_is_no_receipt_is_told_as_what_it_is(run, tmp_path: Path, text: str, said: str):
    file = tmp_path / "receipt.json"
    file.write_text(text)
    ended = run("receipts", "verify", str(file))
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"runapi: {said}")
    assert "unknown field" not in ended.stderr


# ---- accounts, codes, prices -----------------------------------------------------------------------------


def test_account_without_keys_is_told_the_command_for_itself(run):
    run("accounts", "create", "acme")
    for arguments in (["accounts", "show", "acme"], ["keys", "list", "--account", "acme"]):
        assert "There is no key yet: runapi keys create --account acme --mode live" in run(*arguments).stdout
    assert "runapi keys create --account NAME --mode live" in run("keys", "list").stdout


def test_code_that_was_redeemed_names_the_command_that_takes_its_money_back(
    start_gateway: Callable[..., Gateway],
):
    gateway = start_gateway()
    [code] = gateway.cli("codes", "create", "--usd", "2.5", "--mode", "test")  # type: ignore[misc]
    redeemed = http.request(
        gateway.url, "POST", "/v1/redeem", key=gateway.test_key, json={"code": code["code"]}
    )
    assert redeemed.status == 200, redeemed.body
    refused = gateway.command("codes", "revoke", str(code["id"]))
    assert refused.returncode == 1
    command = refused.stderr.strip().partition("To take the money back: ")[2]
    assert command == f'runapi accounts adjust default --usd -2.5 --mode test --note "code {code["id"]}"'
    taken = gateway.command(*shlex.split(command)[1:])
    assert "Adjusted account default by -2.5 USD (test)." in taken.stdout


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_prices_that_were_not_agreed_to_are_told_to_be_unpublished(run, answer: str):
    ended = run("prices", "publish", input=answer)
    assert ended.exit_code == 1
    assert "runapi: Nothing was published: the prices in force stay." in ended.stderr
    assert "Aborted" not in ended.stderr
    assert json.loads(run("prices", "show", "--json").stdout) == []


def test_prices_that_were_agreed_to_are_published(run):
    assert "Published version 1 for " in run("prices", "publish", input="y\n").stdout


# ---- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("site", "on"),
        ("database_url", "nothing"),
        ("public_url", "nothing"),
        ("body_timeout_s", "30"),
        ("port", "8000"),
        ("home", ".runapi"),
        ("log_level", "info"),
    ],
)
def test_default_is_told_as_it_would_be_written(name: str, words: str):
    assert default_words(name) == words


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("RUNAPI_SITE", "RUNAPI_SITE is 'maybe'. Allowed: on or off. Without it: on."),
        (
            "RUNAPI_CONTACT_EMAIL",
            "RUNAPI_CONTACT_EMAIL is 'maybe'. Allowed: an e-mail address. Without it: nothing.",
        ),
    ],
)
def test_fault_in_a_setting_speaks_no_python(variable: str, said: str):
    with pytest.raises(SettingsFault) as fault:
        load_settings({variable: "maybe"})
    assert str(fault.value) == f"1 setting is wrong:\n  {said}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RUNAPI_FOO", None),
        ("RUNAPI_KEYS", None),
        ("RUNAPI_UPSTREAM", None),
        ("RUNAPI_POTR", "RUNAPI_PORT"),
        ("RUNAPI_LOGLEVEL", "RUNAPI_LOG_LEVEL"),
        ("RUNAPI_STRIPE_KEY", "RUNAPI_STRIPE_SECRET_KEY"),
    ],
)
def test_only_a_near_name_is_suggested(name: str, meant: str | None):
    suggestion = f" Did you mean {meant}?" if meant else ""
    assert unknown_settings({name: "1"}) == [f"{name} is not a setting and is not used.{suggestion}"]
