"""POST /v1/redeem: a code credits once; guessing is slow; what is no code changes nothing."""

import threading

import pytest

from api.conftest import NewCustomer
from api.customers import HELLO, Customer
from fakes.server import Gateway
from runapi.core.tries import Tries
from runapi.core.windows import MINUTE_US
from runapi.flows.front_desk import MOST_BAD_CODES

REDEEM = "/v1/redeem"
UNKNOWN_CODE = "RC-0000-0000-0000-0000-0000-0000"


def new_code(gateway: Gateway, usd: str = "5", mode: str = "test") -> str:
    [made] = gateway.perform("codes.create", usd=usd, mode=mode)
    return str(made["code"])


# ---- what a code does ------------------------------------------------------------------------------------


def test_code_credits_its_worth_and_says_what_there_is_now(new_customer: NewCustomer):
    customer = new_customer(mode="live", usd="1")
    told = customer.post(REDEEM, {"code": new_code(customer.gateway, "0.000000001", "live")})
    assert told == {
        "usd": "0.000000001",
        "amount_nano": "1",
        "mode": "live",
        "available_nano": "1000000001",
        "available_usd": "1.000000001",
    }
    assert customer.available_nano() == 1_000_000_001


def test_code_is_understood_as_people_type_it(new_customer: NewCustomer):
    customer = new_customer()
    code = new_code(customer.gateway).lower().replace("-", " ")
    assert customer.post(REDEEM, {"code": code})["usd"] == "5"


def test_refused_key_is_served_as_soon_as_its_code_is_redeemed(new_customer: NewCustomer):
    customer = new_customer(mode="live")
    for _ in range(20):  # often enough to be answered from memory
        assert customer.send("POST", "/v1/chat/completions", HELLO).status == 402
    customer.post(REDEEM, {"code": new_code(customer.gateway, mode="live")})
    assert customer.post("/v1/estimate", HELLO)["would_be_admitted"] is True
    assert customer.send("POST", "/v1/chat/completions", HELLO).status != 402


def test_of_many_who_try_one_code_at_once_one_has_it(new_customer: NewCustomer):
    customers = [new_customer() for _ in range(3)]
    code = new_code(customers[0].gateway)
    statuses: list[int] = []

    def redeem(customer: Customer) -> None:
        statuses.append(customer.send("POST", REDEEM, {"code": code}).status)

    threads = [threading.Thread(target=redeem, args=(customer,)) for customer in customers * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 8
    assert sum(customer.available_nano() for customer in customers) == 3005 * 10**9


@pytest.mark.parametrize(("mine", "of_code"), [("test", "live"), ("live", "test")])
def test_code_of_the_other_mode_is_refused_and_still_good(new_customer: NewCustomer, mine: str, of_code: str):
    customer = new_customer(mode=mine)
    other = new_customer(mode=of_code, account=customer.account)
    code, before = new_code(customer.gateway, mode=of_code), other.available_nano()
    status, error = customer.refused("POST", REDEEM, {"code": code})
    assert (status, error["param"], error["code"]) == (400, "code", "wrong_mode")
    assert f"a {of_code} key" in error["message"]
    assert other.available_nano() == before
    other.post(REDEEM, {"code": code})
    assert other.available_nano() == before + 5 * 10**9


# ---- what it refuses -------------------------------------------------------------------------------------


def test_used_unknown_revoked_and_mistyped_codes_are_refused_alike(new_customer: NewCustomer):
    customer = new_customer()
    used, revoked = new_code(customer.gateway), new_code(customer.gateway)
    customer.post(REDEEM, {"code": used})
    [listed] = [code for code in customer.gateway.perform("codes.list") if code["shown"] == revoked[:7]]
    customer.gateway.perform("codes.revoke", id=listed["id"])
    before = customer.available_nano()
    told = {
        str(customer.refused("POST", REDEEM, {"code": code}))
        for code in (used, revoked, UNKNOWN_CODE, used[:-1], "", "x" * 10_000, "\0", "٣" * 24, "' OR 1=1 --")
    }
    assert len(told) == 1
    assert "invalid_redeem_code" in told.pop()
    assert customer.available_nano() == before


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        *[
            (body, "invalid_json", None)
            for body in (
                b"",
                b" ",
                b"{",
                b"{'code': 1}",
                b'{"code":"\xff"}',
                b'{"code":NaN}',
                b'{"code":"\\ud800"}',
            )
        ],
        *[(body, "invalid_type", None) for body in (b"null", b"[]", b'"RC"', b"5", b"-0.5", b"true")],
        *[
            (b'{"code":%b}' % value, "invalid_type", "code")
            for value in (b"null", b"5", b"-1", b"1.5", b"1e999", b"[]", b"{}", b"true")
        ],
        (b"{}", "missing_required_parameter", "code"),
        (b'{"code":"x","usd":"5"}', "unknown_parameter", "usd"),
        (b'{"code":"x","account_id":2}', "unknown_parameter", "account_id"),
        (b'{"Code":"x"}', "unknown_parameter", "Code"),
    ],
)
def test_bad_body_is_refused_and_is_no_guess(anybody: Customer, body: bytes, code: str, param: str | None):
    before = anybody.available_nano()
    status, error = anybody.refused("POST", REDEEM, body)
    assert (status, error["code"], error["param"]) == (400, code, param)
    assert anybody.available_nano() == before


def test_large_and_foreign_bodies_are_refused(anybody: Customer):
    assert anybody.refused("POST", REDEEM, {"code": "x" * 100_000})[0] == 413
    form = anybody.send(
        "POST", REDEEM, b"code=x", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert form.status == 415


# ---- guessing --------------------------------------------------------------------------------------------


def test_guessing_is_stopped_and_right_codes_do_not_count(new_customer: NewCustomer):
    customer, bystander = new_customer(), new_customer()
    for _ in range(MOST_BAD_CODES + 1):
        customer.post(REDEEM, {"code": new_code(customer.gateway)})
    good = new_code(customer.gateway)
    for _ in range(MOST_BAD_CODES):
        assert customer.refused("POST", REDEEM, {"code": UNKNOWN_CODE})[0] == 400
    before = customer.available_nano()
    for code in (UNKNOWN_CODE, good):
        response = customer.send("POST", REDEEM, {"code": code})
        assert (response.status, response.json["error"]["code"]) == (429, "too_many_codes")  # type: ignore[index]
        assert 0 < int(response.headers["retry-after"]) <= 60
    second_key = new_customer(account=customer.account)
    assert second_key.refused("POST", REDEEM, {"code": good})[0] == 429
    assert customer.available_nano() == before
    bystander.post(REDEEM, {"code": good})


def test_many_guesses_at_once_get_no_further_than_one_after_the_other(new_customer: NewCustomer):
    customer = new_customer()
    statuses: list[int] = []

    def guess() -> None:
        statuses.append(customer.send("POST", REDEEM, {"code": UNKNOWN_CODE}).status)

    threads = [threading.Thread(target=guess) for _ in range(4 * MOST_BAD_CODES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(400) == MOST_BAD_CODES
    assert statuses.count(429) == 3 * MOST_BAD_CODES


def test_tries_are_counted_in_any_minute():
    tries = Tries(3)
    assert [tries.begin(1, at_us) for at_us in (0, 10, 20)] == [0, 0, 0]
    assert tries.begin(1, 30) == MINUTE_US - 30
    assert tries.begin(2, 30) == 0
    assert tries.begin(1, MINUTE_US - 1) == 1
    assert tries.begin(1, MINUTE_US) == 0  # the first is a minute old
    assert tries.begin(1, MINUTE_US) == 10


def test_forgiven_tries_leave_room_and_no_memory():
    tries = Tries(1)
    for at_us in range(5):
        assert tries.begin(1, at_us) == 0
        tries.forgive(1, at_us)
    assert not tries._tries
    tries.forgive(2, 0)
    assert tries.begin(1, 5) == 0
    tries.forgive(1, 4)  # another one's
    assert tries.begin(1, 6) > 0


def test_memory_of_tries_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runapi.core.tries.MOST_ACCOUNTS", 10)
    tries = Tries(1)
    for account_id in range(100):
        tries.begin(account_id, 0)
    assert len(tries._tries) == 10
