"""GET /v1/me and /v1/me/balance: whose the key is, what it may do, what the account has."""

import pytest

from api.conftest import NewCustomer
from api.customers import HELLO, Customer
from fakes import http
from fakes.server import Gateway
from runapi.wire.catalog_file import package_catalog

NOTHING = dict.fromkeys(("day", "week", "month", "total"))


# ---- the balance -----------------------------------------------------------------------------------------


def test_balance_is_exactly_six_fields_with_amounts_as_strings(new_customer: NewCustomer):
    assert new_customer().get("/v1/me/balance") == {
        "mode": "test",
        "currency": "usd",
        "posted_nano": "1000000000000",
        "held_nano": "0",
        "available_nano": "1000000000000",
        "available_usd": "1000",
    }


def test_balance_falls_by_exactly_what_the_answer_says_it_cost(new_customer: NewCustomer):
    customer = new_customer()
    response = customer.send("POST", "/v1/chat/completions", HELLO)
    cost = response.headers["x-runapi-cost"]
    charged = customer.get(f"/v1/requests/{response.headers['x-request-id']}")["cost"]
    assert charged["charged_usd"] == cost
    balance = customer.get("/v1/me/balance")
    assert int(balance["posted_nano"]) == 1000 * 10**9 - int(charged["charged_nano"])
    assert (balance["held_nano"], balance["available_nano"]) == ("0", balance["posted_nano"])


def test_live_money_and_play_money_are_shown_apart(new_customer: NewCustomer):
    live = new_customer(mode="live", usd="0.000000001")
    balance = live.get("/v1/me/balance")
    assert (balance["mode"], balance["available_nano"], balance["available_usd"]) == (
        "live",
        "1",
        "0.000000001",
    )
    test = new_customer(account=live.account)
    assert test.get("/v1/me/balance")["available_usd"] == "1000"


def test_held_money_is_shown_while_a_request_runs(new_customer: NewCustomer):
    customer = new_customer()
    slow = {
        **HELLO,
        "stream": True,
        "messages": [{"role": "user", "content": "[[sandbox:chunks 20 interval_ms=50]]"}],
    }
    with http.stream(customer.gateway.url, slow, key=customer.key) as stream:
        stream.read_head()
        balance = customer.get("/v1/me/balance")
        posted, held = int(balance["posted_nano"]), int(balance["held_nano"])
        assert held > 0
        assert int(balance["available_nano"]) == posted - held
        assert list(stream.data())[-1] == b"[DONE]"
    assert customer.get("/v1/me/balance")["held_nano"] == "0"


# ---- the key ---------------------------------------------------------------------------------------------


def test_me_tells_the_account_the_key_and_where_to_go_on(new_customer: NewCustomer):
    customer = new_customer()
    me = customer.get("/v1/me")
    assert (me["object"], me["account"], me["mode"]) == ("me", customer.account, "test")
    assert me["key"]["prefix"] == customer.key[:16]
    assert customer.key not in str(me)
    assert (me["key"]["on_disconnect"], me["key"]["on_refused_parameter"]) == ("drain", "drop")
    assert me["limits"]["spend"] == NOTHING
    assert me["limits"]["models"] is None
    assert me["models"] == list(package_catalog().models)
    for name in ("balance", "usage", "requests", "models"):
        url = me["links"][name]
        assert (
            http.request(url, "GET", url.removeprefix(customer.gateway.url), key=customer.key).status == 200
        )


def test_limits_are_told_with_what_is_spent_and_left_and_when_they_reset(new_customer: NewCustomer):
    customer = new_customer()
    customer.limit(spend_day="2", spend_total="3.5", requests_per_minute=60)
    nano = int(customer.get(f"/v1/requests/{customer.chat()}")["cost"]["charged_nano"])
    limits = customer.get("/v1/me")["limits"]
    day = limits["spend"]["day"]
    assert (day["limit_nano"], day["limit_usd"]) == ("2000000000", "2")
    assert (day["spent_nano"], day["held_nano"], day["left_nano"]) == (str(nano), "0", str(2 * 10**9 - nano))
    assert day["resets_at"].endswith("T00:00:00.000000Z")
    assert limits["spend"]["total"]["left_nano"] == str(35 * 10**8 - nano)
    assert limits["spend"]["total"]["resets_at"] is None
    assert (limits["spend"]["week"], limits["requests_per_minute"], limits["concurrent"]) == (None, 60, None)


def test_limit_that_was_lowered_below_what_is_spent_leaves_nothing(new_customer: NewCustomer):
    customer = new_customer()
    customer.chat()
    customer.limit(spend_month="0")
    month = customer.get("/v1/me")["limits"]["spend"]["month"]
    assert (month["limit_usd"], month["left_nano"], month["left_usd"]) == ("0", "0", "0")
    assert int(month["spent_nano"]) > 0


def test_only_models_that_the_key_may_call_are_listed(new_customer: NewCustomer):
    customer = new_customer()
    customer.limit(models=["gpt-5.4", "gpt-5.2"])
    me = customer.get("/v1/me")
    assert me["models"] == ["gpt-5.4", "gpt-5.2"]
    assert me["limits"]["models"] == ["gpt-5.4", "gpt-5.2"]


# ---- who is let in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/me", "/v1/me/balance", "/v1/me/usage"])
def test_a_query_that_means_nothing_here_is_refused(anybody: Customer, path: str):
    status, error = anybody.refused("GET", f"{path}?mode=live")
    assert (status, error["code"], error["param"]) == (400, "unknown_parameter", "mode")


@pytest.mark.parametrize("path", ["/v1/me", "/v1/me/balance", "/v1/me/usage", "/v1/requests"])
def test_key_that_may_not_be_used_from_here_is_told_nothing(new_customer: NewCustomer, path: str):
    customer = new_customer()
    customer.limit(networks=["192.0.2.0/24"])
    status, error = customer.refused("GET", path)
    assert (status, error["code"]) == (401, "ip_not_authorized")


def test_balance_of_a_revoked_key_is_not_told(new_customer: NewCustomer, gateway: Gateway):
    customer = new_customer()
    gateway.perform("keys.revoke", key=customer.key)
    assert customer.refused("GET", "/v1/me/balance")[0] == 401
