"""A writer that is killed at any moment, again and again: what it acknowledged is there, and nothing is there twice."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, text

from fakes.needs import REPOSITORY
from ledger.filled import AT_US, open_accounts
from runapi.core.keys import Mode
from runapi.store.database import Database
from runapi.store.ledger.customers import read_balance
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.verify import verify

KILLS = int(os.environ.get("RUNAPI_TEST_LEDGER_KILLS", "5"))
KINDS = {"held": "hold", "settled": "settle", "released": "void", "posted": "topup"}


def run_and_kill(home: Path, url: str | None, run: str, after_s: float) -> list[list[str]]:
    """What a writer acknowledged before it was killed."""
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / "tests" / "ledger" / "killed_writer.py", home, url or "", run],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "tests")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.set_blocking(process.stdout.fileno(), False)
    said, end = b"", time.monotonic() + after_s
    while time.monotonic() < end:
        said += process.stdout.read() or b""
        time.sleep(0.001)
    process.kill()
    process.wait()
    os.set_blocking(process.stdout.fileno(), True)
    said += process.stdout.read()
    process.stdout.close()
    return [line.split() for line in said.decode().splitlines()]


def test_killed_writer_loses_nothing_and_repeats_nothing(home: Path, engine_url: str | None) -> None:
    database = Database.open(home, engine_url)
    open_accounts(database, live_nano=20_000)
    database.close_now()
    chance = Random(11)
    acknowledged: list[list[str]] = []
    for number in range(KILLS):
        acknowledged += run_and_kill(home, engine_url, f"run{number}", chance.uniform(0.05, 0.5))
    assert {words[0] for words in acknowledged} == set(KINDS)

    database = Database.open(home, engine_url)
    began = time.monotonic()
    found = recover(database, AT_US)
    print(
        f"{KILLS} kills, {len(acknowledged)} acknowledged; the last left {found.settled + found.voided} holds, "
        f"ended in {time.monotonic() - began:.3f} s"
    )
    assert found.seat.epoch == KILLS + 2
    rows: list[Any] = database.run_now(
        lambda connection: connection.execute(
            text("SELECT kind, request_id, reference, amount FROM transfer")
        ).all()
    )
    there = {(kind, request_id or reference): amount for kind, request_id, reference, amount in rows}
    for word, name, amount in acknowledged:
        assert there[KINDS[word], name] == int(amount), (word, name)
    endings = Counter(name for kind, name, *_ in rows if kind in ("settle", "void", "expire"))
    begun = {name for kind, name, *_ in rows if kind == "hold"}
    assert set(endings) == begun  # none is open
    assert max(endings.values()) == 1
    assert database.run_now(verify).faults == ()
    for account_id in (1, 2, 3):
        balance = database.run_now(read_balance, account_id, Mode.LIVE)
        assert balance is not None
        assert balance.held == 0
        assert balance.posted >= 0
    assert database.run_now(read_costs) == {
        name: amount for kind, name, _, amount in rows if kind == "settle"
    }
    database.close_now()


def read_costs(connection: Connection) -> dict[str, int]:
    """What the request row of each settlement says was charged: it was written in the same commit."""
    query = text(
        "SELECT t.request_id, r.cost_nano FROM transfer t LEFT JOIN request r ON r.id = t.request_id "
        "WHERE t.kind = 'settle'"
    )
    return {row[0]: row[1] for row in connection.execute(query)}
