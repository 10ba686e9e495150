"""A start ends what a dead process left: once, exactly, and fast."""

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fakes.postgres import Postgres
from ledger.filled import AT_US, USAGE, fill, hold, open_accounts, settle, write
from ledger.test_verify import disarm
from runapi.core.keys import Mode
from runapi.core.ledger.books import Balance
from runapi.core.ledger.operations import AlreadyEnded, Checkpoint, ExtendHold
from runapi.core.money import NANO_PER_USD
from runapi.core.records import Outcome
from runapi.core.usage import Usage, UsageSource
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.faults import LedgerDamaged, LedgerFenced
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.customers import read_balance, read_transfers
from runapi.store.ledger.recovery import FORGOTTEN_AFTER_US, recover, recover_rest
from runapi.store.ledger.verify import verify
from runapi.store.ledger.writer import Seat
from runapi.store.requests import list_requests

MANY = int(os.environ.get("RUNAPI_TEST_LEDGER_HOLDS", "20000"))
LATER_US = AT_US + 60_000_000


def balance(database: Database, account_id: int = 1) -> Balance | None:
    return database.run_now(read_balance, account_id, Mode.LIVE)


def count_holds(database: Database) -> Any:
    return database.run_now(lambda connection: connection.execute(text("SELECT count(*) FROM hold")).scalar())


def test_first_start_finds_nothing_and_takes_the_first_epoch(database: Database) -> None:
    found = recover(database, AT_US)
    assert (found.seat, found.settled, found.voided, found.charged_nano) == (Seat(1, 1), 0, 0, 0)
    assert recover(database, AT_US).seat == Seat(1, 2)


def test_holds_are_settled_at_their_checkpoint_or_voided(database: Database) -> None:
    seat = open_accounts(database, live_nano=1_000)
    for request_id in ("nothing", "some", "too much", "ended"):
        write(database, [hold(request_id, amount_nano=100)], seat)
    for request_id, pico in (("some", 40_001), ("too much", 250_000)):
        checkpoint = Checkpoint(request_id=request_id, progress_pico=pico, usage=USAGE, at_us=AT_US)
        write(database, [checkpoint], seat)
    write(database, [settle("ended", 7)], seat)
    found = recover(database, LATER_US)
    assert (found.settled, found.voided, found.charged_nano) == (2, 1, 141)
    assert balance(database) == Balance(1_000 - 141 - 7, 0)
    ends = {
        request_id: database.run_now(read_transfers, request_id)[-1] for request_id in ("nothing", "some")
    }
    assert (ends["nothing"].kind, ends["nothing"].reason, ends["nothing"].amount) == (
        "void",
        "recovered",
        100,
    )
    some = ends["some"]
    assert (some.kind, some.reason, some.amount, some.cost_pico) == ("settle", "recovered", 41, 40_001)
    assert (some.usage, some.usage_source) == (USAGE, "estimated")
    assert database.run_now(verify).faults == ()


def test_recovered_request_leaves_a_row_that_explains_it(database: Database) -> None:
    seat = open_accounts(database, live_nano=1_000)
    checkpoint = Checkpoint(request_id="r1", progress_pico=40_001, usage=USAGE, at_us=AT_US)
    write(database, [hold("r1"), checkpoint], seat)
    recover(database, LATER_US)
    [row] = database.run_now(lambda connection: list_requests(connection, limit=9))
    assert (row.id, row.at_us, row.model, row.endpoint) == ("r1", AT_US, "gpt-5.5", "/v1/chat/completions")
    assert (row.outcome, row.error_code, row.cost_nano, row.cost_pico) == (
        Outcome.FAILED,
        "server_restarted",
        41,
        40_001,
    )
    assert (row.usage, row.usage_source, row.total_us) == (
        Usage(3, 0, 0, 2, 0),
        UsageSource.ESTIMATED,
        60_000_000,
    )


def test_recovery_that_is_repeated_changes_nothing(database: Database) -> None:
    fill(database)
    assert recover(database, LATER_US).settled > 0
    before = database.run_now(verify)
    again = recover(database, LATER_US)
    assert (again.settled, again.voided) == (0, 0)
    assert database.run_now(verify) == before


def test_late_settlement_of_a_recovered_request_is_refused(database: Database) -> None:
    seat = open_accounts(database, live_nano=1_000)
    write(database, [hold("r1")], seat)
    newer = recover(database, LATER_US).seat
    with pytest.raises(LedgerFenced, match="data folder of its own"):
        write(database, [settle("r1", 50)], seat)
    [outcome] = write(database, [settle("r1", 50)], newer)
    assert isinstance(outcome, AlreadyEnded)


def test_start_with_very_many_holds_is_soon_ready_and_ends_them_all(made_home: Path) -> None:
    database = Database.open(made_home)
    seat = open_accounts(database, live_nano=1_000 * NANO_PER_USD)
    size = 2_000
    for begin in range(0, MANY, size):
        numbers = range(begin, begin + size)
        holds = [hold(f"req_{number:032x}", 1 + number % 3, 1_000) for number in numbers]
        points = [
            Checkpoint(request_id=f"req_{number:032x}", progress_pico=500_000, usage=USAGE, at_us=AT_US)
            for number in numbers
            if number % 2
        ]
        write(database, [*holds, *points], seat)
    found = recover(database, LATER_US, patience_s=0.3)  # too short for all of them
    assert found.settled + found.voided + found.left == MANY
    began = time.monotonic()
    assert asyncio.run(recover_rest(database, found.seat, LATER_US)) == found.left
    took_s = time.monotonic() - began
    print(
        f"ready in {found.took_s:.2f} s; the other {found.left:,} of {MANY:,} holds in {took_s:.2f} s beside requests"
    )
    left = [balance(database, account) for account in (1, 2, 3)]
    assert sum(one.posted for one in left if one) == 3_000 * NANO_PER_USD - MANY // 2 * 500
    assert count_holds(database) == 0
    assert database.run_now(verify).fault_count == 0
    database.close_now()


def test_holds_for_which_a_start_had_no_time_are_ended_beside_requests(database: Database) -> None:
    seat = open_accounts(database, live_nano=1_000_000)
    write(database, [hold(f"r{number}") for number in range(1_200)], seat)
    found = recover(database, LATER_US, patience_s=0)
    assert (found.settled, found.voided, found.left) == (0, 0, 1_200)
    assert balance(database) == Balance(1_000_000, 120_000)  # still safely held
    write(database, [hold("new")], found.seat)
    assert asyncio.run(recover_rest(database, found.seat, LATER_US)) == 1_200
    assert balance(database) == Balance(1_000_000, 100)
    assert asyncio.run(recover_rest(database, found.seat, LATER_US)) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM transfer WHERE seq = (SELECT max(seq) FROM transfer)",
        "UPDATE transfer SET amount = amount + 1 WHERE seq = (SELECT max(seq) - 3 FROM transfer)",
        "DELETE FROM transfer WHERE seq = (SELECT max(seq) - 3 FROM transfer)",
        "UPDATE ledger_tail SET seq = seq - 1",
        "DELETE FROM ledger_tail",
        "UPDATE ledger_account SET posted = posted + 1 WHERE id = 18",
        "UPDATE ledger_account SET held = held + 1 WHERE id = 18",
    ],
)
def test_start_on_damaged_books_is_refused(database: Database, damage: str) -> None:
    fill(database, 20)

    def break_it(connection: Connection) -> None:
        disarm(connection)
        assert connection.execute(text(damage)).rowcount == 1

    database.run_now(break_it)
    with pytest.raises(LedgerDamaged, match=r"runapi ledger verify"):
        recover(database, LATER_US)


def test_customers_from_before_the_ledger_get_their_play_money_once(database: Database) -> None:
    database.run_now(create_account, "old", AT_US, test_balance_nano=0)
    assert database.run_now(read_balance, 1, Mode.TEST) == Balance(0, 0)
    for _ in range(3):
        recover(database, LATER_US, test_balance_nano=700)
    assert database.run_now(read_balance, 1, Mode.TEST) == Balance(700, 0)
    assert database.run_now(read_balance, 1, Mode.LIVE) == Balance(0, 0)


def test_new_customer_has_play_money_in_test_mode_and_nothing_in_live_mode(database: Database) -> None:
    database.run_now(create_account, "new", AT_US)
    assert database.run_now(read_balance, 1, Mode.TEST) == Balance(1_000 * NANO_PER_USD, 0)
    assert database.run_now(read_balance, 1, Mode.LIVE) == Balance(0, 0)
    assert database.run_now(read_balance, 2, Mode.LIVE) is None


def test_long_request_with_extensions_is_released_whole(database: Database) -> None:
    seat = open_accounts(database, live_nano=1_000)
    extend = ExtendHold(request_id="r1", number=1, amount_nano=200, least_nano=200, at_us=AT_US)
    write(database, [hold("r1"), extend], seat)
    recover(database, LATER_US)
    assert balance(database) == Balance(1_000, 0)
    assert [t.kind for t in database.run_now(read_transfers, "r1")] == ["hold", "extend", "void"]


def test_folder_remembers_its_node_and_another_folder_is_another_node(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    seats = []
    for name in ("a", "b", "a"):
        database = Database.open(tmp_path / name, url)
        seats.append(recover(database, AT_US).seat)
        database.close_now()
    assert seats == [Seat(1, 1), Seat(2, 1), Seat(1, 2)]


def test_copied_folder_takes_over_and_the_first_process_is_fenced(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    first = Database.open(tmp_path / "a", url)
    seat = recover(first, AT_US).seat
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    second = Database.open(tmp_path / "b", url)
    assert recover(second, AT_US).seat == Seat(seat.node, seat.epoch + 1)
    with pytest.raises(LedgerFenced):
        write(first, [hold("r1")], seat)
    first.close_now()
    second.close_now()


def test_living_node_keeps_its_holds_and_one_that_fell_silent_loses_them(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    first, second = (Database.open(tmp_path / name, url) for name in ("a", "b"))
    first.run_now(create_account, "acme", AT_US)
    seat = recover(first, AT_US).seat

    def held() -> Any:
        return first.run_now(
            lambda connection: connection.execute(text("SELECT count(*) FROM hold")).scalar()
        )

    asked = hold("r1", amount_nano=0)
    first.run_now(write_operations, [asked], node=seat.node, epoch=seat.epoch)
    assert recover(second, AT_US + FORGOTTEN_AFTER_US - 1).voided == 0
    assert count_holds(first) == 1
    checkpoint = Checkpoint(request_id="r1", progress_pico=0, usage="", at_us=AT_US + FORGOTTEN_AFTER_US)
    write(first, [checkpoint], seat)  # a sign of life
    assert recover(second, AT_US + FORGOTTEN_AFTER_US + 1).voided == 0
    assert recover(second, AT_US + 2 * FORGOTTEN_AFTER_US + 1).voided == 1
    assert count_holds(first) == 0
    first.close_now()
    second.close_now()
