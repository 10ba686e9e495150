"""Credit by hand: exact, in the right mode, and once under a reference."""

import pytest

from fakes.both_engines import ON_BOTH
from runapi.core.keys import Mode
from runapi.flows.credit_account import CreditAccount, credit_account
from runapi.flows.office import CommandRefused, Office
from runapi.flows.payment_rows import CreditRow
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.customers import read_balance


def credit(database: Database, office: Office, **asked: object) -> CreditRow:
    parameters = CreditAccount(**{"name": "acme", "usd": "5", **asked})  # type: ignore[arg-type]
    return database.run_now(credit_account, office, parameters)


def posted(database: Database, mode: Mode) -> int:
    balance = database.run_now(read_balance, 1, mode)
    assert balance is not None
    return balance.posted


@ON_BOTH
def test_a_credit_is_exact_to_the_nano_dollar(database: Database, office: Office):
    row = credit(database, office, usd="5.000000001", note="wire of 22 November")
    assert (row.usd, row.amount_nano, row.available_usd) == ("5.000000001", "5000000001", "5.000000001")
    assert not row.repeated
    assert posted(database, Mode.LIVE) == 5_000_000_001


def test_a_test_credit_is_play_money_and_no_cash(database: Database, office: Office):
    before = posted(database, Mode.TEST)
    credit(database, office, mode=Mode.TEST)
    assert (posted(database, Mode.LIVE), posted(database, Mode.TEST)) == (0, before + 5 * 10**9)
    query = "SELECT posted FROM ledger_account WHERE kind = 'cash'"
    cash = database.run_now(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert set(cash) == {0}


@ON_BOTH
def test_under_one_reference_an_account_is_credited_once(database: Database, office: Office):
    first = credit(database, office, reference="wire-17")
    again = credit(database, office, reference="wire-17", note="typed twice")
    assert (again.repeated, again.seq, again.available_usd) == (True, first.seq, None)
    assert posted(database, Mode.LIVE) == 5 * 10**9


def test_a_reference_with_another_amount_is_refused(database: Database, office: Office):
    credit(database, office, reference="wire-17")
    with pytest.raises(CommandRefused, match="used before, for 5 USD"):
        credit(database, office, reference="wire-17", usd="6")
    assert posted(database, Mode.LIVE) == 5 * 10**9


def test_without_a_reference_each_credit_counts(database: Database, office: Office):
    credit(database, office)
    credit(database, office)
    assert posted(database, Mode.LIVE) == 10 * 10**9


def test_the_largest_credit_is_a_million(database: Database, office: Office):
    assert credit(database, office, usd="1000000").available_usd == "1000000"


@pytest.mark.parametrize(
    "usd",
    [
        *("0", "0.0", "-5", "+5", "5.", ".5", "05", "1e3", "5,00", "5 ", " 5", "", "five", "NaN", "Infinity"),
        *("1000000.000000001", "9" * 100, "0.0000000001", "\u0665", "5\n", "0x10", "1_000", "$5"),
    ],
)
def test_an_amount_that_is_none_is_refused_with_nothing_changed(database: Database, office: Office, usd: str):
    with pytest.raises(CommandRefused, match="plain decimal"):
        credit(database, office, usd=usd)
    assert posted(database, Mode.LIVE) == 0


def test_other_bad_input_is_refused_with_nothing_changed(database: Database, office: Office):
    with pytest.raises(NotFound):
        credit(database, office, name="nobody")
    for asked in (
        {"note": "x" * 201},
        {"note": "a\tb"},
        {"reference": ""},
        {"reference": "x" * 201},
        {"name": ""},
    ):
        with pytest.raises(CommandRefused):
            credit(database, office, **asked)
    assert posted(database, Mode.LIVE) == 0
