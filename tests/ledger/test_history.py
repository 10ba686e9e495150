"""Statements and overviews of the ledger say what its rows say."""

import pytest

from fakes.offices import Clock, office_on
from ledger.filled import AT_US, fill, hold, open_accounts, settle, topup, write
from runapi.core.keys import Mode
from runapi.core.ledger.books import AccountKind, Balance
from runapi.core.ledger.operations import ExtendHold, Operation, Void
from runapi.flows.ledger_rows import BooksRow, StatementRow
from runapi.flows.office import CommandRefused
from runapi.flows.show_ledger import ListBooks, ShowLedger, list_books, show_ledger
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.customers import read_balance
from runapi.store.ledger.history import STEP
from runapi.store.ledger.overview import read_customer_balances
from runapi.store.ledger.verify import verify


async def statement(database: Database, account: str = "customer 1", **asked: object) -> StatementRow:
    office = office_on(database, Clock(AT_US))
    return await show_ledger(database, office, ShowLedger(account, **asked))  # type: ignore[arg-type]


def open_customers(database: Database) -> list[str]:
    """Accounts whose names commands take, which those of `filled` are not."""
    names = ["ann", "bob"]
    for name in names:
        database.run_now(create_account, name, AT_US)
    return names


async def test_statement_is_newest_first_and_says_what_each_row_did(database: Database) -> None:
    open_customers(database)
    seat = open_accounts(database, 0)
    extension = ExtendHold(request_id="r1", number=1, amount_nano=50, least_nano=50, at_us=AT_US)
    void = Void(request_id="r2", reason="upstream failed", at_us=AT_US)
    operations: list[Operation] = [topup(1, 1_000), hold("r1"), extension, settle("r1", 70), hold("r2"), void]
    write(database, [*operations, hold("r3")], seat)
    found = await statement(database, "ann")
    assert [(row.kind, row.posted_nano, row.held_nano, row.request_id) for row in found.transfers] == [
        ("hold", "0", "100", "r3"),
        ("void", "0", "-100", "r2"),
        ("hold", "0", "100", "r2"),
        ("settle", "-70", "-150", "r1"),
        ("extend", "0", "50", "r1"),
        ("hold", "0", "100", "r1"),
        ("topup", "1000", "0", None),
    ]
    assert (found.balance.posted_nano, found.balance.held_nano) == ("930", "100")
    assert (found.balance.available_nano, found.balance.available_usd) == ("830", "0.00000083")
    assert found.transfers[1].reason == "upstream failed"


async def test_effects_of_a_whole_statement_add_up_to_the_balance(database: Database) -> None:
    names = open_customers(database)
    fill(database)
    for account_id, name in enumerate(names, 1):
        for mode in Mode:
            found = await statement(database, name, mode=mode, limit=1_000)
            balance = database.run_now(read_balance, account_id, mode)
            assert balance is not None
            assert sum(int(row.posted_nano) for row in found.transfers) == balance.posted
            assert sum(int(row.held_nano) for row in found.transfers) == balance.held


async def test_statement_has_the_rows_of_its_account_and_mode_alone(database: Database) -> None:
    open_customers(database)
    seat = open_accounts(database, 0)
    write(database, [topup(1, 5), topup(2, 6), topup(1, 7, Mode.TEST)], seat)
    live, test = await statement(database, "ann"), await statement(database, "ann", mode=Mode.TEST)
    assert [row.amount_nano for row in live.transfers] == ["5"]
    assert [row.amount_nano for row in test.transfers] == ["7", str(1_000 * 10**9)]


async def test_rows_are_found_however_far_back_they_are(database: Database) -> None:
    open_customers(database)
    seat = open_accounts(database, 0)
    others = [topup(2, 9) for _ in range(STEP + 5)]
    write(database, [topup(1, 1), topup(1, 2), *others, topup(1, 3), topup(2, 9)], seat)
    found = await statement(database, "ann", limit=10)
    assert [row.amount_nano for row in found.transfers] == ["3", "2", "1"]
    assert [row.amount_nano for row in (await statement(database, "ann", limit=2)).transfers] == ["3", "2"]


@pytest.mark.parametrize("limit", [0, -1, 1_001])
async def test_limit_out_of_bounds_is_refused(database: Database, limit: int) -> None:
    open_customers(database)
    with pytest.raises(CommandRefused, match="from 1 to 1000"):
        await statement(database, "ann", limit=limit)


async def test_unknown_account_has_no_statement(database: Database) -> None:
    with pytest.raises(NotFound, match="no account named 'nobody'"):
        await statement(database, "nobody")


def books(database: Database) -> dict[Mode, BooksRow]:
    office = office_on(database, Clock(AT_US))
    return {row.mode: row for row in database.run_now(list_books, office, ListBooks())}


def test_overview_adds_up_every_account_and_hold(database: Database) -> None:
    fill(database)
    found = books(database)
    held = {mode: sum(int(kind.held_nano) for kind in row.kinds) for mode, row in found.items()}
    assert {mode: row.sum_nano for mode, row in found.items()} == {Mode.LIVE: "0", Mode.TEST: "0"}
    assert {mode: int(row.open_holds_nano) for mode, row in found.items()} == held
    assert found[Mode.LIVE].open_holds == 12
    assert database.run_now(verify).fault_count == 0
    kinds = {kind.kind: kind for kind in found[Mode.LIVE].kinds}
    assert set(kinds) == set(AccountKind)
    assert (kinds[AccountKind.CUSTOMER].accounts, kinds[AccountKind.CUSTOMER].frozen) == (3, 1)
    assert int(kinds[AccountKind.WRITE_OFF].posted_nano) < 0 < int(kinds[AccountKind.REVENUE].posted_nano)
    assert kinds[AccountKind.CASH].posted_nano == str(-1_000 * 10**9)


def test_empty_books_are_all_zero(database: Database) -> None:
    found = books(database)
    assert [row.open_holds for row in found.values()] == [0, 0]
    assert {kind.posted_nano for row in found.values() for kind in row.kinds} == {"0"}


def test_balances_are_those_of_each_account_and_mode(database: Database) -> None:
    open_customers(database)
    seat = open_accounts(database, 0)
    write(database, [topup(2, 500), hold("r1", 2)], seat)
    every = database.run_now(read_customer_balances)
    assert every[2][Mode.LIVE] == Balance(500, 100, True)
    assert every[1][Mode.LIVE] == Balance(0, 0, True)
    assert database.run_now(read_customer_balances, 2) == {2: every[2]}
    assert database.run_now(read_customer_balances, 9) == {}
