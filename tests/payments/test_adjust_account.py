"""Adjustments and refunds by hand: exact, once under a reference, never more than is available."""

from collections.abc import Callable

import msgspec
import pytest

from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import hold, principal
from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Post, make_tid
from runapi.flows.adjust_account import AdjustAccount, RefundAccount, adjust_account, refund_account
from runapi.flows.credit_account import CreditAccount, credit_account
from runapi.flows.office import CommandRefused, Office
from runapi.flows.payment_rows import CreditRow
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.customers import read_balance
from runapi.store.ledger.verify import verify

USD = 10**9
Act = Callable[..., CreditRow]


@pytest.fixture
def adjust(database: Database, office: Office) -> Act:
    def act(usd: str = "-3.5", **asked: object) -> CreditRow:
        parameters = AdjustAccount(**{"name": "acme", "usd": usd, "note": "typed twice", **asked})  # type: ignore[arg-type]
        return database.run_now(adjust_account, office, parameters)

    return act


@pytest.fixture
def refund(database: Database, office: Office) -> Act:
    def act(usd: str = "2", **asked: object) -> CreditRow:
        parameters = RefundAccount(**{"name": "acme", "usd": usd, **asked})  # type: ignore[arg-type]
        return database.run_now(refund_account, office, parameters)

    return act


@pytest.fixture(autouse=True)
def five_dollars(database: Database, office: Office) -> None:
    database.run_now(credit_account, office, CreditAccount(name="acme", usd="5"))


def posted(database: Database, mode: Mode = Mode.LIVE) -> int:
    balance = database.run_now(read_balance, 1, mode)
    assert balance is not None
    return balance.posted


def last_transfer(database: Database) -> tuple[object, ...]:
    query = "SELECT kind, debit, credit, amount, reason, reference FROM transfer ORDER BY seq DESC LIMIT 1"
    return tuple(database.run_now(lambda connection: connection.exec_driver_sql(query).one()))


# ---- what they do ----------------------------------------------------------------------------------------


@ON_BOTH
def test_an_adjustment_takes_and_gives_exactly(database: Database, adjust: Act):
    taken = adjust("-3.500000001")
    assert (taken.usd, taken.amount_nano, taken.available_usd) == (
        "-3.500000001",
        "-3500000001",
        "1.499999999",
    )
    assert last_transfer(database) == ("adjust", 18, 12, 3_500_000_001, "typed twice", "")
    given = adjust("0.5", note="goodwill", reference="case 7")
    assert (given.usd, given.available_usd) == ("0.5", "1.999999999")
    assert last_transfer(database) == ("adjust", 12, 18, 500_000_000, "goodwill", "case 7")
    assert database.run_now(verify).fault_count == 0


@ON_BOTH
def test_a_refund_goes_back_to_cash(database: Database, refund: Act):
    row = refund("2", reference="re_1", note="by wire")
    assert (row.usd, row.amount_nano, row.available_usd, row.mode) == ("2", str(2 * USD), "3", Mode.LIVE)
    assert last_transfer(database) == ("refund", 18, 2, 2 * USD, "by wire", "re_1")
    assert database.run_now(verify).fault_count == 0


def test_all_that_is_available_can_be_taken_and_no_nano_more(database: Database, adjust: Act, refund: Act):
    for act in (lambda usd: adjust(f"-{usd}"), refund):
        with pytest.raises(CommandRefused, match=r"has 5 USD available \(live\), less than the 5.000000001"):
            act("5.000000001")
    assert posted(database) == 5 * USD
    assert refund("2").available_usd == "3"
    assert adjust("-3").available_usd == "0"


def test_what_is_held_cannot_be_taken(database: Database, adjust: Act, refund: Act):
    """A running request holds 0.00001 USD."""
    database.run_now(hold, principal(mode=Mode.LIVE), "req_running")
    for act in (lambda: adjust("-5"), lambda: refund("5")):
        with pytest.raises(CommandRefused, match=r"has 4\.99999 USD available"):
            act()
    assert refund("4.99999").available_usd == "0"
    assert database.run_now(verify).fault_count == 0


def test_an_adjustment_of_play_money_leaves_live_money_alone(database: Database, adjust: Act):
    adjust("-1000", mode=Mode.TEST)
    assert (posted(database), posted(database, Mode.TEST)) == (5 * USD, 0)


def test_a_frozen_account_can_be_given_and_not_taken_from(database: Database, adjust: Act, refund: Act):
    chargeback = Post(
        kind=TransferKind.REFUND,
        mode=Mode.LIVE,
        account_id=1,
        amount_nano=7 * USD,
        tid=make_tid("chargeback", "1"),
        at_us=1,
    )
    database.run_now(write_operations, [chargeback])
    for act in (lambda: adjust("-0.000000001"), lambda: refund("0.000000001")):
        with pytest.raises(CommandRefused, match="has -2 USD available"):
            act()
    assert adjust("2").available_usd == "0"
    assert database.run_now(verify).fault_count == 0


# ---- once ------------------------------------------------------------------------------------------------


@ON_BOTH
def test_under_one_reference_each_happens_once(database: Database, adjust: Act, refund: Act):
    for act, usd in ((adjust, "-1"), (adjust, "1.5"), (refund, "0.5")):
        reference = f"number {usd}"
        first = act(usd, reference=reference)
        before = posted(database)
        again = act(usd, reference=reference)
        assert (again.repeated, again.seq, again.available_usd) == (True, first.seq, None)
        assert posted(database) == before


def test_a_repeated_refund_is_no_refusal_though_the_money_is_gone(
    database: Database, adjust: Act, refund: Act
):
    refund("5", reference="re_1")
    assert refund("5", reference="re_1").repeated
    assert adjust("1", reference="a").available_usd == "1"
    adjust("-1", reference="b")
    assert adjust("-1", reference="b").repeated


def test_a_reference_with_another_amount_or_direction_is_refused(
    database: Database, adjust: Act, refund: Act
):
    adjust("-1", reference="a")
    refund("1", reference="a")  # a refund's numbers are its own
    for act, usd, before in ((adjust, "1", "-1"), (adjust, "-2", "-1"), (refund, "2", "1")):
        with pytest.raises(CommandRefused, match=f"'a' was used before, for {before} USD"):
            act(usd, reference="a")
    assert posted(database) == 3 * USD


# ---- bad input -------------------------------------------------------------------------------------------

NO_AMOUNTS = [
    *(
        "0",
        "-0",
        "0.0",
        "+5",
        "--5",
        "- 5",
        "5.",
        ".5",
        "05",
        "1e3",
        "-1e3",
        "5,00",
        "5 ",
        " 5",
        "-",
        "",
        "five",
    ),
    *(
        "NaN",
        "-Infinity",
        "1000000.000000001",
        "9" * 100,
        "-" + "9" * 100,
        "0.0000000001",
        "\u0665",
        "5\n",
        "$5",
    ),
]


@pytest.mark.parametrize("usd", NO_AMOUNTS)
def test_what_is_no_amount_is_refused_with_nothing_changed(
    database: Database, adjust: Act, refund: Act, usd: str
):
    for act in (adjust, refund):
        with pytest.raises(CommandRefused, match="plain decimal"):
            act(usd)
    assert posted(database) == 5 * USD


def test_a_refund_of_a_negative_amount_is_no_credit(database: Database, refund: Act):
    with pytest.raises(CommandRefused, match="'-2' is not accepted"):
        refund("-2")
    assert posted(database) == 5 * USD


@pytest.mark.parametrize("note", ["", " ", "x" * 201, "a\tb", "a\x1b[31m"])
def test_an_adjustment_says_why(database: Database, adjust: Act, note: str):
    with pytest.raises(CommandRefused, match="note"):
        adjust(note=note)
    assert posted(database) == 5 * USD


def test_other_bad_input_is_refused_with_nothing_changed(database: Database, adjust: Act, refund: Act):
    for act in (adjust, refund):
        with pytest.raises(NotFound):
            act("1", name="nobody")
        for asked in (
            {"reference": ""},
            {"reference": "x" * 201},
            {"note": "x" * 201},
            {"name": ""},
            {"name": "a b"},
        ):
            with pytest.raises(CommandRefused):
                act("1", **asked)
    assert posted(database) == 5 * USD


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (AdjustAccount, {"usd": -3.5}),
        (AdjustAccount, {"usd": -3}),
        (AdjustAccount, {"mode": "prod"}),
        (AdjustAccount, {"mode": None}),
        (AdjustAccount, {"amount": "1"}),
        (RefundAccount, {"usd": 2.5}),
        (RefundAccount, {"mode": "test"}),  # play money is not paid back
        (RefundAccount, {"name": 1}),
    ],
)
def test_parameters_of_another_kind_are_no_parameters(form: type[msgspec.Struct], body: dict[str, object]):
    whole = {"name": "acme", "usd": "1", "note": "why", **body}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(whole), type=form)


def test_an_adjustment_without_a_note_is_no_parameter():
    with pytest.raises(msgspec.ValidationError, match="note"):
        msgspec.json.decode(b'{"name": "acme", "usd": "1"}', type=AdjustAccount)
