"""`runapi receipts`: shown by the operator, checked by anybody without our data."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fakes.keyed_requests import open_books
from fakes.offices import Clock, office_on
from fakes.receipts import RATES, a_record
from runapi.cli.program import app
from runapi.core.keys import Mode
from runapi.core.ledger.operations import OpenHold, Settle
from runapi.core.receipts import ReceiptSource
from runapi.core.usage import Usage, UsageSource
from runapi.flows.sign_receipt import close_day
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations
from runapi.store.receipts import insert_sources

REQUEST_ID = f"req_{1:032x}"
NOON_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC
DAY_US = 24 * 3600 * 1_000_000


def run(line: str, **options: object) -> Result:
    return CliRunner().invoke(app, shlex.split(line), **options)  # type: ignore[arg-type]


def serve_one(connection) -> None:
    open_books(connection)
    record = a_record(Usage(10, 0, 0, 2))
    opened = OpenHold(
        request_id=REQUEST_ID,
        account_id=1,
        mode=Mode.LIVE,
        amount_nano=100_000,
        least_nano=1,
        key_id=1,
        price_version=3,
        at_us=NOON_US,
    )
    ending = Settle(
        request_id=REQUEST_ID,
        amount_nano=record.cost_nano,
        cost_pico=record.cost_pico,
        usage="{}",
        usage_source=UsageSource.REPORTED,
        at_us=NOON_US,
        record=record,
    )
    write_operations(connection, [opened])
    write_operations(connection, [ending])
    insert_sources(connection, [ReceiptSource(REQUEST_ID, NOON_US, b"q" * 32, b"r" * 32, None, 3, RATES)])


@pytest.fixture
async def home(made_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one request, whose day is closed."""
    monkeypatch.setenv("RUNAPI_HOME", str(made_home))
    database = Database.open(made_home)
    await database.run(serve_one)
    assert await close_day(database, office_on(database, Clock(NOON_US + DAY_US)))
    await database.close()
    return made_home


@pytest.fixture
def receipt(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A receipt and the public key, on a machine that has nothing else of ours."""
    file = tmp_path / "receipt.json"
    file.write_bytes(run(f"receipts show {REQUEST_ID}").stdout_bytes)
    (tmp_path / "key.txt").write_bytes(run("receipts key").stdout_bytes)
    monkeypatch.setenv("RUNAPI_HOME", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    return file


def test_a_receipt_is_checked_without_any_data(receipt: Path, tmp_path: Path):
    key = (tmp_path / "key.txt").read_text().strip()
    for given in (key, "key.txt"):
        said = run(f"receipts verify receipt.json --public-key {given}")
        assert said.exit_code == 0
        assert said.output == (
            f"The receipt of {REQUEST_ID} is right: 0.000055 USD for gpt-5.5.\n"
            "It is among the receipts of 2026-11-22.\n"
        )
    piped = run("receipts verify -", input=receipt.read_bytes())
    assert f"It was signed by {key}. Whether that is the service's key was not checked" in piped.output
    assert not (tmp_path / "nothing").exists()


def test_programs_are_told_in_json(receipt: Path, tmp_path: Path):
    key = (tmp_path / "key.txt").read_text().strip()
    assert json.loads(run("receipts verify receipt.json --json").output) == {
        "ok": True,
        "request_id": REQUEST_ID,
        "charged_nano": "55000",
        "charged_usd": "0.000055",
        "public_key": key,
        "key_checked": False,
        "day": "2026-11-22",
    }


def test_a_changed_receipt_is_refused_with_one_sentence(receipt: Path):
    receipt.write_bytes(receipt.read_bytes().replace(b'"charged_nano":"55000"', b'"charged_nano":"1"'))
    said = run("receipts verify receipt.json")
    assert said.exit_code == 1
    assert said.stderr == (
        "runapi: The charge is wrong: 55000000 pico-dollars round up to 55000 nano-dollars, but 1 were charged and 0 "
        "written off, and its signature does not fit.\n"
    )
    assert json.loads(run("receipts verify receipt.json --json").stdout)["error"]["code"] == "receipt_wrong"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("receipts verify missing.json", "missing.json cannot be read"),
        ("receipts verify .", "cannot be read"),
        ("receipts verify receipt.json --public-key 00", "00 cannot be read"),
        ("receipts verify receipt.json --public-key receipt.json", "64 hexadecimal digits"),
        (f"receipts verify receipt.json --public-key {'zz' * 32}", "64 hexadecimal digits"),
        (f"receipts verify receipt.json --public-key {'00' * 32}", "was signed by the key"),
    ],
)
def test_what_cannot_be_checked_is_refused(receipt: Path, line: str, words: str):
    said = run(line)
    assert (said.exit_code, said.stdout) == (1, "")
    assert words in said.stderr


def test_the_days_are_listed(home: Path):
    said = run("receipts roots")
    day, root, count = said.output.split(maxsplit=2)
    assert (day, len(root), count) == ("2026-11-22", 64, "1 receipts\n")
    (row,) = json.loads(run("receipts roots --json").output)
    assert (row["root"], row["count"], row["previous"]) == (root, 1, "0" * 64)
    assert run("receipts roots --limit 0").exit_code == 1


def test_a_request_without_a_receipt_is_refused(home: Path):
    said = run("receipts show req_nothing")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "There is no receipt" in said.stderr
