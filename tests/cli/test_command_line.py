"""The `runapi` program itself, as a process, on a data folder that no server holds."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runapi.core.keys import Mode, is_well_formed
from runapi.core.records import RequestRecord
from runapi.store.database import Database
from runapi.store.requests import insert_records
from runapi.web.operator.server_file import RunningServer, write_server_file

Ended = subprocess.CompletedProcess[str]


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("RUNAPI_", "OPENAI_"))
        }
        self.environment = {**kept, "RUNAPI_HOME": str(home), "COLUMNS": "80"}

    def run(self, *arguments: str | bytes, stdin: str = "", **environment: str) -> Ended:
        return subprocess.run(
            [sys.executable, "-m", "runapi", *arguments],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def data(self, *arguments: str, stdin: str = ""):
        ended = self.run(*arguments, "--json", stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def assert_said(ended: Ended, code: int, said: str) -> None:
    """It ended with this code, with this sentence on stderr, and without a traceback."""
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_loads_nothing_heavy():
    heavy = "{'sqlalchemy', 'httptools', 'uvloop', 'rich', 'pydantic', 'cryptography', 'asyncio'}"
    code = (
        f"import sys, runapi.__main__ as m; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_version_needs_no_data_folder(shell: Shell):
    assert shell.run("version").stdout == "0.1.0\n"
    assert shell.data("version") == {"version": "0.1.0"}
    assert not shell.home.exists()


def test_an_account_and_a_key_from_nothing(shell: Shell):
    opened = shell.run("accounts", "create", "acme")
    assert_said(opened, 0, f"made the data folder {shell.home}")
    assert "runapi keys create --account acme" in opened.stdout
    made = shell.data("keys", "create", "--account", "acme", "--mode", "test")
    assert is_well_formed(made["key"])
    (listed,) = shell.data("keys", "list", "--account", "acme")
    assert (listed["prefix"], listed["mode"]) == (made["prefix"], "test")
    assert shell.data("accounts", "show", "acme")["keys"] == [listed]


def test_new_key_stands_alone_on_stdout_so_that_a_script_can_take_it(shell: Shell):
    shell.run("accounts", "create", "acme")
    made = shell.run("keys", "create", "--account", "acme", "--mode", "live")
    assert is_well_formed(made.stdout.removesuffix("\n"))
    assert_said(made, 0, "not shown again")


def test_refusal_is_one_sentence_and_with_json_an_error_object_too(shell: Shell):
    plain = shell.run("accounts", "show", "nobody")
    assert_said(plain, 1, "runapi: There is no account named 'nobody'.")
    assert plain.stdout == ""
    refused = shell.run("accounts", "show", "nobody", "--json")
    assert_said(refused, 1, "There is no account named 'nobody'.")
    assert json.loads(refused.stdout)["error"]["code"] == "command_refused"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["accounts"],
        ["accounts", "create"],
        ["keys", "create", "--account", "a"],
        ["keys", "create", "--account", "a", "--mode", "prod"],
        ["requests", "list", "--limit", "many"],
        ["upstreams", "add", "a", "--base-url", "https://a", "--api-key", "k", "--model-map", "gpt-5.5"],
        ["upstreams", "add", "a", "--base-url", "https://a", "--api-key", "k", "--models"],
    ],
)
def test_wrong_use_ends_with_2_and_touches_nothing(shell: Shell, arguments: list[str]):
    ended = shell.run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert not shell.home.exists()


def test_settings_that_are_wrong_are_all_named(shell: Shell):
    ended = shell.run("accounts", "list", "--json", RUNAPI_PORT="http", RUNAPI_LOG_LEVEL="loud")
    assert_said(ended, 2, "RUNAPI_PORT is 'http'")
    assert "RUNAPI_LOG_LEVEL is 'loud'" in ended.stderr
    assert json.loads(ended.stdout)["error"]["code"] == "wrong_settings"
    assert not shell.home.exists()


def test_variable_that_nothing_reads_is_a_warning_beside_the_answer(shell: Shell):
    ended = shell.run("accounts", "list", "--json", RUNAPI_POTR="1", RUNAPI_API_KEY="k")
    assert_said(ended, 0, "RUNAPI_POTR is not a setting and is not used. Did you mean RUNAPI_PORT?")
    assert "RUNAPI_API_KEY" not in ended.stderr
    assert json.loads(ended.stdout) == []


def test_upstream_key_comes_from_stdin_and_is_shown_nowhere(shell: Shell):
    arguments = ["upstreams", "add", "local", "--base-url", "http://127.0.0.1:9/v1", "--api-key", "-"]
    models = ["--models", "gpt-5.5, gpt-5.4", "--models", "gpt-5.2", "--model-map", "gpt-5.4-mini=a=b"]
    added = shell.run(*arguments, *models, stdin="sk-canary\n")
    tested = shell.run("upstreams", "test", "local")
    listed = shell.run("upstreams", "list")
    assert_said(tested, 1, "")
    assert "NOT OK" in tested.stdout
    assert "gpt-5.4-mini=a=b" in listed.stdout
    assert "sk-canary" not in "".join(ended.stdout + ended.stderr for ended in (added, tested, listed))
    assert set(shell.data("upstreams", "remove", "local")["models"]) == {
        "gpt-5.5",
        "gpt-5.4",
        "gpt-5.2",
        "gpt-5.4-mini",
    }


def test_empty_stdin_is_no_key(shell: Shell):
    arguments = [
        "upstreams",
        "add",
        "local",
        "--base-url",
        "http://a/v1",
        "--api-key",
        "-",
        "--models",
        "gpt-5.5",
    ]
    assert_said(shell.run(*arguments), 1, "The API key is empty")


def test_arguments_that_are_no_text_are_refused(shell: Shell):
    assert_said(shell.run("accounts", "create", b"\xff"), 1, "not UTF-8")


def test_tables_fit_80_columns_and_show_no_control_characters(shell: Shell):
    shell.run("accounts", "create", "acme")
    shell.run("keys", "create", "--account", "acme", "--mode", "live")
    record = RequestRecord(
        id=f"req_{1:032x}",
        at_us=1_790_000_000_000_000,
        account_id=1,
        key_id=1,
        mode=Mode.LIVE,
        endpoint="/v1/chat/completions",
        model="\x1b[31m[red]a model\n" + "x" * 100,
        stream=False,
        cost_nano=123_456_789,
        cost_pico=123_456_789_000,
    )
    database = Database.open(shell.home)
    database.run_now(insert_records, [record])
    database.close_now()
    for arguments in (["accounts", "list"], ["keys", "list"], ["requests", "list"], ["models", "list"]):
        shown = shell.run(*arguments).stdout
        assert max(len(line) for line in shown.splitlines()) <= 80
        assert all(line.isprintable() for line in shown.splitlines())
    shown = shell.run("requests", "list").stdout
    assert "0.123456789" in shown
    assert "runapi_live_" in shown
    assert "[red]" in "".join(line[38:51].strip() for line in shown.splitlines())
    assert shell.data("requests", "list")[0]["model"] == record.model


def test_folder_that_is_held_by_who_takes_no_commands_is_named(shell: Shell):
    database = Database.open(shell.home)
    try:
        assert_said(
            shell.run("accounts", "list"), 1, f"RunAPI runs on {shell.home} but does not take commands"
        )
        write_server_file(shell.home, RunningServer("http://127.0.0.1:9", "a stale token", 1))
        refused = shell.run("accounts", "list", "--json")
        assert json.loads(refused.stdout)["error"]["code"] == "server_unreachable"
    finally:
        database.close_now()


def test_command_waits_for_another_that_is_short(shell: Shell):
    database = Database.open(shell.home)
    threading.Timer(1.5, database.close_now).start()
    assert shell.data("accounts", "list") == []


def test_commands_at_the_same_time_take_turns(shell: Shell):
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "runapi", "accounts", "create", f"a{number}"],
            env=shell.environment,
            stdout=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert {account["name"] for account in shell.data("accounts", "list")} == {"a0", "a1", "a2", "a3"}


def test_fault_in_the_models_file_is_named_with_its_line(shell: Shell):
    shell.home.mkdir(mode=0o700)
    (shell.home / "models.yaml").write_text("models:\n  gpt-5.5:\n    colour: red\n")
    assert_said(shell.run("models", "list"), 1, "models.yaml:3: gpt-5.5.colour")


def test_folder_that_cannot_be_used_is_named(shell: Shell):
    shell.home.write_text("a file")
    assert_said(shell.run("accounts", "list"), 1, "Set RUNAPI_HOME")


def test_reader_that_goes_away_is_no_fault(shell: Shell):
    process = subprocess.Popen(
        [sys.executable, "-m", "runapi", "models", "list", "--json"],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_ctrl_c_ends_without_a_traceback(shell: Shell):
    database = Database.open(shell.home)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "runapi", "accounts", "list"],
            env=shell.environment,
            stderr=subprocess.PIPE,
        )
        time.sleep(1.2)  # it waits for the folder
        process.send_signal(2)
        _, said = process.communicate(timeout=60)
    finally:
        database.close_now()
    assert process.returncode == 130
    assert b"Traceback" not in said
