"""`runapi ledger` and the balances of `runapi accounts`, on a folder that no server holds and through one that runs."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fakes import http
from fakes.server import CommandFailed, Gateway
from runapi.cli.program import app

StartGateway = Callable[..., Gateway]
HEADER = "day,model,requests,input_tokens,cached_tokens,output_tokens"
CSV = f"{HEADER}\n2026-11-22,gpt-5.5,2,100,20,30\n2026-11-23,gpt-9,1,1,0,1\n"


@pytest.fixture(autouse=True)
def home(made_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNAPI_HOME", str(made_home))
    monkeypatch.setenv("COLUMNS", "80")
    return made_home


def run(*arguments: str, code: int = 0, said: str | bytes = "") -> Result:
    ended = CliRunner().invoke(app, arguments, input=said)
    assert ended.exit_code == code, (ended.output, ended.exception)
    return ended


def data(*arguments: str, code: int = 0, said: str | bytes = ""):
    return json.loads(run(*arguments, "--json", code=code, said=said).stdout)


@pytest.fixture
def acme(home: Path) -> Path:
    """An account with 5 USD; the database's file."""
    run("accounts", "create", "acme")
    run("accounts", "credit", "acme", "--usd", "5", "--note", "wire", "--reference", "wire-17")
    return home / "runapi.db"


def edit(database: Path, *statements: str) -> None:
    """Change the file as somebody does who can write it."""
    connection = sqlite3.connect(database, timeout=20)
    for statement in ("DROP TRIGGER transfer_no_update", "DROP TRIGGER transfer_no_delete", *statements):
        connection.execute(statement)
    connection.commit()
    connection.close()


def assert_fits(shown: str) -> None:
    for line in shown.splitlines():
        assert line.isprintable()
        if not line.startswith(("row ", "beside the rows", "Last row")):
            assert len(line) <= 80 or "  - " in line, line


# ---- verify ----------------------------------------------------------------------------------------------


def test_right_books_are_verified_in_a_table_and_exit_with_0(acme: Path):
    shown = run("ledger", "verify").stdout
    assert_fits(shown)
    lines = shown.splitlines()
    assert lines[0].split() == ["CHECK", "COUNT", "FAULTS"]
    assert lines[1].split() == ["chain", "2", "0"]
    assert lines[-2] == "The ledger is right."
    found = data("ledger", "verify")
    assert (found["ok"], found["transfers"], found["fault_count"], found["faults"]) == (True, 2, 0, [])
    assert lines[-1] == f"Last row: 2, hash {found['last_hash']}"


@pytest.mark.parametrize(
    ("change", "row", "told"),
    [
        ("UPDATE transfer SET amount = amount + 1 WHERE seq = 2", 2, "one of them was changed"),
        ("UPDATE transfer SET hash = zeroblob(32) WHERE seq = 2", 2, "one of them was changed"),
        ("DELETE FROM transfer WHERE seq = 1", 2, "row 1 is missing before it"),
        ("UPDATE ledger_account SET posted = posted + 1 WHERE id = 18", None, "account 18 says posted"),
    ],
)
def test_each_fault_is_a_line_with_its_row_and_what_to_do(
    acme: Path, change: str, row: int | None, told: str
):
    edit(acme, change)
    ended = run("ledger", "verify", code=1)
    (line, *_) = [line for line in ended.stdout.splitlines() if told in line]
    assert line.startswith("beside the rows: " if row is None else f"row {row}: ")
    assert "What to do: " in line
    assert "The ledger is right" not in ended.stdout
    assert "runapi: The ledger has " in ended.stderr
    found = data("ledger", "verify", code=1)
    assert found["ok"] is False
    assert row in [fault["row"] for fault in found["faults"]]
    assert found["fault_count"] == len(found["faults"]) == sum(area["faults"] for area in found["areas"])


def test_verification_changes_nothing(acme: Path):
    edit(acme, "UPDATE ledger_account SET posted = posted + 1 WHERE id = 18")
    first = data("ledger", "verify", code=1)
    assert data("ledger", "verify", code=1) == first


def test_more_faults_than_are_shown_are_counted(acme: Path):
    run("ledger", "verify")
    rows = ", ".join(f"({number}, 'test', 'customer', 5, 0, 1, 0)" for number in range(2_001, 5_001, 2))
    connection = sqlite3.connect(acme)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    columns = "(id, mode, kind, posted, held, guarded, account_id)"
    connection.execute(f"INSERT INTO ledger_account {columns} VALUES {rows.replace(', 0)', ', NULL)')}")  # noqa: S608 - ours
    connection.commit()
    connection.close()
    ended = run("ledger", "verify", code=1)
    assert "... and 501 more." in ended.stdout
    assert "The ledger has 1501 faults." in ended.stderr


# ---- statements and overviews ----------------------------------------------------------------------------


def test_statement_shows_what_each_transfer_did(acme: Path):
    run("accounts", "adjust", "acme", "--usd", "-3.5", "--note", "typed twice")
    shown = run("ledger", "show", "acme").stdout
    assert_fits(shown)
    head, _, *lines = shown.splitlines()
    assert head == "Account acme (live): 1.5 USD posted, 0 held, 1.5 available."
    assert [line.split()[0:1] + line.split()[3:] for line in lines] == [
        ["3", "adjust", "-3.5", "0", "typed", "twice"],
        ["2", "topup", "5", "0", "wire", "wire-17"],
    ]
    (row,) = data("ledger", "show", "acme", "--mode", "test", "--limit", "1")["transfers"]
    assert (row["kind"], row["posted_nano"], row["held_nano"]) == ("promo", str(1_000 * 10**9), "0")
    assert run("ledger", "show", "acme", "--limit", "1").stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nobody"], 1, "There is no account named 'nobody'"),
        (["a b"], 1, "cannot be the name of an account"),
        (["acme", "--limit", "0"], 1, "from 1 to 1000"),
        (["acme", "--limit", "-5"], 1, "from 1 to 1000"),
        (["acme", "--limit", "1.5"], 2, "a whole number"),
        (["acme", "--mode", "prod"], 2, "prod"),
        ([], 2, "ACCOUNT"),
    ],
)
def test_statement_of_what_is_not_there_is_refused(acme: Path, arguments: list[str], code: int, told: str):
    assert told in run("ledger", "show", *arguments, code=code).stderr


def test_overview_shows_the_house_and_sums_to_zero(acme: Path):
    run("accounts", "refund", "acme", "--usd", "2")
    shown = run("ledger", "accounts").stdout
    assert_fits(shown)
    assert "live  cash" in shown
    assert "live: all of it sums to 0; 0 open holds of 0 USD; 0 frozen accounts." in shown
    live, test = data("ledger", "accounts")
    kinds = {kind["kind"]: kind["posted_usd"] for kind in live["kinds"]}
    assert (kinds["customer"], kinds["cash"], live["sum_nano"]) == ("3", "-3", "0")
    assert {kind["kind"]: kind["posted_usd"] for kind in test["kinds"]}["promo"] == "-1000"


def test_accounts_show_what_they_have(acme: Path):
    run("accounts", "create", "zed")
    assert_fits(run("accounts", "list").stdout)
    listed = {account["name"]: account["balances"] for account in data("accounts", "list")}
    assert listed["acme"]["live"] == {
        "posted_nano": "5000000000",
        "posted_usd": "5",
        "held_nano": "0",
        "held_usd": "0",
        "available_nano": "5000000000",
        "available_usd": "5",
        "frozen": False,
    }
    assert listed["zed"]["live"]["available_usd"] == "0"
    assert data("accounts", "show", "acme")["balances"] == listed["acme"]
    assert "  live: 5 USD available, 0 held, 5 posted." in run("accounts", "show", "acme").stdout


def test_frozen_account_is_shown_as_such(acme: Path):
    edit(
        acme,
        "UPDATE ledger_account SET posted = -1, guarded = 0 WHERE id = 18",
    )
    assert data("accounts", "show", "acme")["balances"]["live"]["frozen"] is True
    (line,) = run("accounts", "list").stdout.splitlines()[1:]
    assert "-0.000000001" in line
    assert " live " in line
    assert "It is frozen until a top-up" in run("accounts", "show", "acme").stdout


# ---- adjustments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["adjust", "acme", "--usd", "-5.1", "--note", "x"], 1, "has 5 USD available (live)"),
        (["adjust", "acme", "--usd", "-0.5e1", "--note", "x"], 1, "plain decimal"),
        (["adjust", "acme", "--usd", "-9999999999", "--note", "x"], 1, "plain decimal"),
        (["adjust", "acme", "--usd", "-1"], 2, "--note"),
        (["adjust", "acme", "--usd", "-1", "--note", " "], 1, "needs a note"),
        (["adjust", "acme", "--note", "x"], 2, "--usd"),
        (["adjust", "acme", "--usd", "-1", "--note", "x", "--mode", "prod"], 2, "prod"),
        (["adjust", "nobody", "--usd", "-1", "--note", "x"], 1, "no account named 'nobody'"),
        (["refund", "acme", "--usd", "5.000000001"], 1, "has 5 USD available (live)"),
        (["refund", "acme", "--usd", "-2"], 1, "plain decimal"),
        (["refund", "acme", "--usd", "2.0000000001"], 1, "plain decimal"),
        (["refund", "acme", "--usd", "2", "--mode", "test"], 2, "--mode"),
        (["refund", "nobody", "--usd", "2"], 1, "no account named 'nobody'"),
    ],
)
def test_adjustment_that_is_refused_changes_nothing(acme: Path, arguments: list[str], code: int, told: str):
    before = data("ledger", "verify")
    assert told in run("accounts", *arguments, code=code).stderr
    assert data("ledger", "verify") == before


def test_adjustment_and_refund_say_what_is_left(acme: Path):
    assert run("accounts", "adjust", "acme", "--usd", "-3.5", "--note", "x").stdout == (
        "Adjusted account acme by -3.5 USD (live). Available: 1.5 USD.\n"
    )
    refund = ["accounts", "refund", "acme", "--usd", "1", "--reference", "re_1"]
    assert run(*refund).stdout == "Booked a refund of 1 USD (live) to account acme. Available: 0.5 USD.\n"
    assert "before, as row 4. Nothing was changed." in run(*refund).stdout


# ---- reconcile -------------------------------------------------------------------------------------------


def test_export_is_compared_and_each_difference_explained(acme: Path, tmp_path: Path):
    file = tmp_path / "usage.csv"
    file.write_text(CSV)
    shown = run("ledger", "reconcile", str(file)).stdout
    assert_fits(shown)
    assert shown.startswith("Requests to all upstreams, 2026-11-22 to 2026-11-23: ours minus theirs.\n")
    assert "2026-11-22  gpt-5.5        -2   -100     -20     -30  -0.00131  -100.00" in shown
    assert "2026-11-23 gpt-9: requests ours none, theirs 1" in shown
    assert "  - no upstream of ours has a model of this name" in shown
    found = data("ledger", "reconcile", str(file))
    assert (found["equal"], len(found["rows"])) == (False, 2)
    assert found["rows"][1]["reasons"][-1]["code"] == "unknown_model"


def test_export_comes_from_stdin_too(acme: Path):
    assert len(data("ledger", "reconcile", "-", said=CSV)["rows"]) == 2


def test_page_of_openai_that_goes_on_is_compared_with_a_hint(acme: Path, tmp_path: Path):
    result = {
        "object": "organization.usage.completions.result",
        "model": "gpt-5.5-2026-04-23",
        "input_tokens": 100,
        "output_tokens": 30,
        "num_model_requests": 2,
    }
    bucket = {"object": "bucket", "start_time": 1_795_305_600, "end_time": 1_795_392_000, "results": [result]}
    file = tmp_path / "usage.json"
    file.write_text(json.dumps({"object": "page", "data": [bucket], "has_more": True, "next_page": "p"}))
    ended = run("ledger", "reconcile", str(file), "--json")
    assert json.loads(ended.stdout)["rows"][0]["model"] == "gpt-5.5"
    assert "goes on after 2026-11-22" in ended.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The file is empty."),
        (b"{", "is not JSON"),
        (b'{"data": [{"start_time": 1.5}]}', "$.data[0]"),
        (CSV.replace("100", "-100").encode(), "Line 2: input_tokens is '-100'"),
        (CSV.replace("100", "1e2").encode(), "Line 2: input_tokens is '1e2'"),
        (CSV.replace("100", "NaN").encode(), "Line 2: input_tokens is 'NaN'"),
        (CSV.replace("100", "9" * 30).encode(), "Line 2: input_tokens is '99"),
        (CSV.replace("requests", "colour").encode(), "Line 1: there is no column 'colour'"),
        ((CSV + "2026-11-22,gpt-5.5,1,1,0,1\n").encode(), "Line 4 repeats 2026-11-22 'gpt-5.5' of line 2"),
    ],
)
def test_bad_export_is_refused_with_its_place_and_nothing_is_changed(
    acme: Path, tmp_path: Path, content: bytes, told: str
):
    file = tmp_path / "usage"
    file.write_bytes(content)
    before = data("ledger", "verify")
    ended = run("ledger", "reconcile", str(file), code=1)
    assert told in ended.stderr
    refused = data("ledger", "reconcile", str(file), code=1)
    assert refused["error"]["code"] == "bad_export"
    assert set(refused["error"]) == {"message", "type", "param", "code"}
    assert data("ledger", "verify") == before


def test_file_of_100_mb_is_refused_unread(acme: Path, tmp_path: Path):
    file = tmp_path / "large.json"
    with file.open("wb") as opened:
        opened.truncate(100 * 1024 * 1024)
    assert "larger than 16 MB" in run("ledger", "reconcile", str(file), code=1).stderr


def test_file_that_cannot_be_read_is_named(acme: Path, tmp_path: Path):
    for file in (tmp_path / "nothing", tmp_path):
        assert "cannot be read" in run("ledger", "reconcile", str(file), code=1).stderr
    assert (
        "no upstream named 'azuer'"
        in run("ledger", "reconcile", "-", "--upstream", "azuer", code=1, said=CSV).stderr
    )


# ---- through a running server ----------------------------------------------------------------------------


def chat(gateway: Gateway, key: str) -> int:
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"authorization": f"Bearer {key}"}
    data = json.dumps(body).encode()
    return http.request(gateway.url, "POST", "/v1/chat/completions", headers=headers, body=data).status


def test_running_server_verifies_shows_and_adjusts(start_gateway: StartGateway):
    gateway = start_gateway()
    assert [chat(gateway, gateway.test_key) for _ in range(5)] == [200] * 5
    found = gateway.cli("ledger", "verify")
    assert isinstance(found, dict)
    assert (found["ok"], found["faults"]) == (True, [])
    areas = {area["area"]: area["checked"] for area in found["areas"]}
    assert (areas["prices"], areas["requests"], areas["holds"]) == (5, 5, 0)
    statement = gateway.cli("ledger", "show", "default", "--mode", "test")
    assert isinstance(statement, dict)
    assert [row["kind"] for row in statement["transfers"]] == ["settle", "hold"] * 5 + ["promo"]
    assert sum(int(row["held_nano"]) for row in statement["transfers"]) == 0
    taken = gateway.cli("accounts", "adjust", "default", "--usd", "-1", "--mode", "test", "--note", "try")
    assert isinstance(taken, dict)
    assert taken["usd"] == "-1"
    left = gateway.cli("accounts", "show", "default")["balances"]["test"]  # type: ignore[index]
    assert left["available_nano"] == taken["available_nano"]
    assert gateway.cli("ledger", "verify")["ok"] is True  # type: ignore[index]


def test_running_server_reconciles_what_the_command_line_has_read(
    start_gateway: StartGateway, tmp_path: Path
):
    gateway = start_gateway()
    file = tmp_path / "usage.csv"
    file.write_text(CSV)
    found = gateway.cli("ledger", "reconcile", str(file))
    assert isinstance(found, dict)
    assert len(found["rows"]) == 2
    file.write_text(CSV.replace("100", "-1"))
    with pytest.raises(CommandFailed, match="Line 2"):
        gateway.cli("ledger", "reconcile", str(file))


def test_running_server_finds_what_is_changed_under_it(start_gateway: StartGateway):
    gateway = start_gateway()
    assert chat(gateway, gateway.test_key) == 200
    edit(gateway.home / "runapi.db", "UPDATE transfer SET amount = amount + 1 WHERE kind = 'settle'")
    ended = gateway.command("ledger", "verify")
    assert ended.returncode == 1, ended.stdout
    assert "row 3: its hash does not follow" in ended.stdout
    assert "The ledger has 5 faults." in ended.stderr  # the row, its rule, its request, both balances


def test_requests_are_served_while_the_books_are_checked(start_gateway: StartGateway):
    gateway = start_gateway()
    verifying = subprocess.Popen(
        [sys.executable, "-m", "runapi", "ledger", "verify"],
        env=gateway.environment,
        stdout=subprocess.PIPE,
    )
    statuses = [chat(gateway, gateway.test_key) for _ in range(20)]
    assert verifying.communicate(timeout=60)[0].splitlines()[-2] == b"The ledger is right."
    assert statuses == [200] * 20
    assert gateway.cli("ledger", "verify")["ok"] is True  # type: ignore[index]
