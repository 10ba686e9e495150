"""Redeem codes: worth their amount once, to one account; what is stored redeems nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import open_books
from fakes.offices import Clock
from runapi.core.keys import Mode
from runapi.core.problems import Problem
from runapi.core.redeem_codes import ALPHABET, make_code, read_code
from runapi.flows.office import CommandRefused, Office
from runapi.flows.redeem import (
    CreateCodes,
    ListCodes,
    RevokeCode,
    create_codes,
    list_codes,
    redeem_code,
    revoke_code,
)
from runapi.store.database import Database
from runapi.store.faults import NotFound
from runapi.store.ledger.customers import read_balance

DAY_US = 24 * 3600 * 1_000_000


def create(database: Database, office: Office, **asked: object) -> list[str]:
    parameters = CreateCodes(**{"usd": "5", **asked})  # type: ignore[arg-type]
    return [made.code for made in database.run_now(create_codes, office, parameters)]


def redeem(database: Database, office: Office, code: str, account_id: int = 1):
    return database.run_now(redeem_code, office, account_id, code)


def refused(database: Database, office: Office, code: str) -> Problem:
    before = posted(database)
    with pytest.raises(Problem) as caught:
        redeem(database, office, code)
    assert posted(database) == before
    return caught.value


def posted(database: Database, mode: Mode = Mode.LIVE, account_id: int = 1) -> int:
    balance = database.run_now(read_balance, account_id, mode)
    assert balance is not None
    return balance.posted


def kinds(database: Database) -> list[str]:
    query = "SELECT kind FROM transfer WHERE reason = 'redeem code' ORDER BY seq"
    return list(database.run_now(lambda connection: connection.exec_driver_sql(query).scalars().all()))


@ON_BOTH
def test_a_code_brings_its_amount_once(database: Database, office: Office):
    (code,) = create(database, office, usd="2.5")
    brought = redeem(database, office, code)
    assert (brought.usd, brought.amount_nano, brought.available_usd) == ("2.5", "2500000000", "2.5")
    again = refused(database, office, code)
    assert (again.status, again.code) == (400, "invalid_redeem_code")
    assert posted(database) == 2_500_000_000


@ON_BOTH
def test_of_many_who_redeem_at_once_one_has_it(database: Database, office: Office):
    (code,) = create(database, office)
    others = [database.run_now(open_books, name=f"other-{number}") for number in range(3)]

    def attempt(number: int) -> bool:
        try:
            redeem(database, office, code, [1, *others][number % 4])
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        won = list(threads.map(attempt, range(100)))
    assert sum(won) == 1
    assert sum(posted(database, account_id=account) for account in (1, *others)) == 3 * 10**9 + 5 * 10**9


def test_a_gift_is_promotion_and_a_sold_code_is_cash(database: Database, office: Office):
    (gift,), (sold,) = create(database, office), create(database, office, sold=True)
    redeem(database, office, gift)
    redeem(database, office, sold)
    assert kinds(database) == ["promo", "topup"]


def test_a_code_for_test_mode_is_play_money(database: Database, office: Office):
    (code,) = create(database, office, mode=Mode.TEST)
    before = posted(database, Mode.TEST)
    redeem(database, office, code)
    assert (posted(database), posted(database, Mode.TEST)) == (0, before + 5 * 10**9)


def test_a_code_may_be_typed_as_people_type(database: Database, office: Office):
    codes = create(database, office, count=4)
    for code, typed in zip(
        codes,
        (
            codes[0].lower(),
            codes[1].replace("-", ""),
            f" {codes[2]}\n",
            codes[3].replace("0", "O").replace("1", "l"),
        ),
        strict=True,
    ):
        assert redeem(database, office, typed).usd == "5", code


@ON_BOTH
def test_a_code_ends_after_its_last_day(database: Database, office: Office, clock: Clock):
    first, second = create(database, office, count=2, ends="2026-11-23")
    clock.us += DAY_US  # noon of that day
    redeem(database, office, first)
    clock.us += DAY_US
    refused(database, office, second)


@ON_BOTH
def test_a_revoked_code_is_worth_nothing_and_a_redeemed_one_cannot_be_revoked(
    database: Database, office: Office
):
    first, second = create(database, office, count=2)
    revoked = database.run_now(revoke_code, office, RevokeCode(1))
    assert revoked.revoked_at is not None
    assert database.run_now(revoke_code, office, RevokeCode(1)) == revoked
    refused(database, office, first)
    redeem(database, office, second)
    with pytest.raises(NotFound, match="redeemed by acme"):
        database.run_now(revoke_code, office, RevokeCode(2))
    with pytest.raises(NotFound, match="no redeem code with the id 3"):
        database.run_now(revoke_code, office, RevokeCode(3))


def test_every_wrong_code_gets_the_same_answer(database: Database, office: Office):
    (used,) = create(database, office)
    redeem(database, office, used)
    unknown = make_code(bytes(range(20)))
    mistyped = used[:-1] + ("A" if used[-1] != "A" else "B")
    answers = {
        refused(database, office, code).message
        for code in (used, unknown, mistyped, "", "RC-", "x" * 10_000, "ключ", "RC-\0", "' OR 1=1--")
    }
    assert len(answers) == 1


@ON_BOTH
def test_the_list_shows_what_became_of_codes_and_never_the_codes(database: Database, office: Office):
    codes = create(database, office, count=3, note="spring")
    redeem(database, office, codes[1])
    rows = database.run_now(list_codes, office, ListCodes())
    assert [(row.id, row.shown, row.redeemed_by) for row in rows] == [
        (3, codes[2][:7], None),
        (2, codes[1][:7], "acme"),
        (1, codes[0][:7], None),
    ]
    assert {row.note for row in rows} == {"spring"}
    unused = database.run_now(list_codes, office, ListCodes(unused=True, limit=1))
    assert [row.id for row in unused] == [3]


def test_what_is_stored_redeems_nothing(database: Database, office: Office):
    (code,) = create(database, office)
    database.close_now()
    stored = b"".join(file.read_bytes() for file in database.home.iterdir() if file.is_file())
    assert code.encode() not in stored
    assert code.replace("-", "").encode() not in stored
    assert code[8:].encode() not in stored


@pytest.mark.parametrize(
    "asked",
    [
        *(
            {"usd": usd}
            for usd in ("0", "-5", "1e3", "", "NaN", "10001", "5.0000000001", "5 ", "\u0665", "+1", ".5")
        ),
        *({"count": count} for count in (0, -1, 1001)),
        *({"ends": day} for day in ("", "2026-11-21", "yesterday", "2026-02-30", "9999-99-99", "20261231")),
        *({"note": note} for note in ("x" * 201, "a\nb")),
    ],
)
def test_bad_input_makes_no_code(database: Database, office: Office, asked: dict[str, object]):
    with pytest.raises(CommandRefused):
        create(database, office, **asked)
    assert database.run_now(list_codes, office, ListCodes()) == []


@given(st.binary(min_size=20, max_size=20))
def test_every_code_can_be_read_and_no_single_slip_goes_unnoticed(chance: bytes):
    code = make_code(chance)
    plain = read_code(code)
    assert plain is not None
    assert code.replace("-", "") == "RC" + plain
    for place, letter in enumerate(plain):
        for other in ALPHABET[:4]:
            if other != letter:
                assert read_code(plain[:place] + other + plain[place + 1 :]) is None
    assert read_code(plain[1:]) is None
