"""What a key may do beside what its account can pay for; limits change while the server runs."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from fakes import replies, steps
from money.shop import BOTH, COST_NANO, LEAST_OUTPUT, Answer, Customer, hold_nano
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
LEAST = hold_nano(LEAST_OUTPUT)  # once COST_NANO of it is spent, it pays for no further answer
ADJECTIVES = {"day": "Daily", "week": "Weekly", "month": "Monthly"}


def assert_is_a_rate_limit(refused: Answer, kind: str, words: str) -> None:
    assert (refused.status, refused.error["type"]) == (429, kind)
    assert (refused.error["code"], refused.error["param"]) == ("rate_limit_exceeded", None)
    assert refused.error["message"].startswith(f"Rate limit reached for this key: {words}")
    assert f"try again in {refused.headers['retry-after']}s" in refused.error["message"]


def resets_at(span: str) -> datetime:
    """When the present window of a spending limit ends."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match span:
        case "day":
            return today + timedelta(days=1)
        case "week":
            return today + timedelta(days=7 - today.weekday())
        case _:
            return (today.replace(day=1) + timedelta(days=32)).replace(day=1)


# ---- spending --------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("span", ["day", "week", "month"])
def test_spent_limit_says_when_it_resets(shop, upstream, span, stream):
    customer = shop.customer()
    customer.limit(**{f"spend_{span}": usd(LEAST)})
    limited = customer.ask(stream=stream)
    assert limited.headers["x-runapi-limited"] == (
        f"{LEAST_OUTPUT} output tokens, by spending limit (${usd(LEAST)} held)"
    )
    refused = customer.ask(stream=stream)
    assert (refused.status, refused.error["type"]) == (429, "requests")
    assert (refused.error["code"], refused.error["param"]) == ("spend_limit_reached", None)
    end = resets_at(span)
    assert refused.error["message"] == (
        f"{ADJECTIVES[span]} spending limit reached (${usd(LEAST)} for this key). "
        f"Resets at {end:%Y-%m-%dT%H:%M:%SZ}."
    )
    wait_s = int(refused.headers["retry-after"])
    assert 0 <= wait_s - (end - datetime.now(UTC)).total_seconds() < 10
    assert refused.headers.get("x-should-retry") == ("false" if wait_s > 60 else None)
    assert len(upstream.calls) == 1
    assert [row["status"] for row in customer.rows] == [200, 429]
    assert customer.colleague().ask().is_whole  # the limit is the key's, not the account's


def test_limit_in_total_is_only_ended_by_raising_it(shop, upstream):
    customer = shop.customer()
    customer.limit(spend_total=usd(LEAST))
    assert customer.ask().is_whole
    refused = customer.ask()
    assert (refused.status, refused.error["type"]) == (402, "insufficient_quota")
    assert (refused.error["code"], refused.error["param"]) == ("spend_limit_reached", None)
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    for _ in range(8):
        assert customer.ask().error == refused.error
    customer.limit(spend_total=usd(LEAST + COST_NANO))
    assert customer.ask().is_whole
    assert customer.ask().status == 402
    customer.limit(spend_total=None)
    assert customer.ask().is_whole
    assert len(upstream.calls) == 3


def test_one_nano_dollar_of_a_limit_decides(shop, upstream):
    customer = shop.customer()
    customer.limit(spend_day=usd(LEAST - 1))
    assert customer.ask().status == 429
    customer.limit(spend_day=usd(LEAST))
    assert customer.ask().is_whole
    assert len(upstream.calls) == 1


def test_what_running_requests_may_spend_counts_as_spent_until_they_end(shop, upstream):
    customer = shop.customer()
    customer.limit(spend_day=usd(2 * LEAST - 1))
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(max_tokens=LEAST_OUTPUT) as running:
        upstream.wait_for_calls()
        refused = customer.ask()
        assert_is_a_rate_limit(refused, "requests", f"the rest of its daily ${usd(2 * LEAST - 1)}")
        may_end.set()
        assert customer.read(running).is_whole
    assert customer.ask().is_whole


def test_failures_leave_the_limit_as_it_was(shop, upstream):
    customer = shop.customer()
    customer.limit(spend_total=usd(LEAST), concurrent=1)
    for stream in (False, True):
        upstream.then(replies.error(500), [steps.fin()], [steps.fin()])
        assert customer.ask(stream=stream).status == 500
        assert customer.ask(stream=stream).status == 502
        shop.serve_again(upstream)
    assert customer.ask().is_whole


def test_limit_counts_what_was_spent_before_it_was_set(shop, upstream):
    customer = shop.customer()
    assert customer.ask().is_whole
    shown = customer.limit(spend_day=usd(LEAST))
    assert shown["spend_day"]["spent_usd"] == usd(COST_NANO)
    assert customer.ask().status == 429


def test_limit_counts_what_was_running_when_it_was_set(shop, upstream):
    customer = shop.customer()
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open() as running:
        upstream.wait_for_calls()
        customer.limit(spend_day=usd(LEAST))
        may_end.set()
        assert customer.read(running).is_whole
    refused = customer.ask()
    assert (refused.status, refused.error["code"]) == (429, "spend_limit_reached")


# ---- rates -----------------------------------------------------------------------------------------------


@BOTH
def test_requests_a_minute(shop, upstream, stream):
    customer = shop.customer()
    customer.limit(requests_per_minute=2)
    assert [customer.ask(stream=stream).status for _ in range(2)] == [200, 200]
    refused = customer.ask(stream=stream)
    assert_is_a_rate_limit(refused, "requests", "2 requests per minute")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    customer.limit(requests_per_minute=3)
    assert customer.ask(stream=stream).is_whole
    assert len(upstream.calls) == 3


def test_tokens_a_minute_count_as_they_were_used(shop, upstream):
    customer = shop.customer()
    customer.limit(tokens_per_minute=1_000)
    upstream.then(replies.plain_reply(usage=replies.usage(19, 990)))
    assert customer.ask().is_whole
    refused = customer.ask()
    assert_is_a_rate_limit(refused, "tokens", "1000 tokens per minute")
    assert len(upstream.calls) == 1


@BOTH
def test_requests_at_once(shop, upstream, stream):
    customer = shop.customer()
    customer.limit(concurrent=2)
    may_end = threading.Event()
    write = replies.stream_reply if stream else replies.plain_reply
    upstream.then(*[[steps.wait(may_end), *write()]] * 2)
    with customer.open(stream=stream) as first, customer.open(stream=stream) as second:
        upstream.wait_for_calls(2)
        assert_is_a_rate_limit(customer.ask(), "requests", "2 concurrent requests")
        may_end.set()
        assert customer.read(first).is_whole
        assert customer.read(second).is_whole
    assert customer.ask().is_whole
    assert len(upstream.calls) == 3


# ---- what, from where, how long --------------------------------------------------------------------------


def test_models_that_are_not_allowed_seem_not_to_exist(shop, upstream):
    customer = shop.customer()
    customer.limit(models=["gpt-5.4-mini"])
    for _ in range(7):
        refused = customer.ask()
        assert (refused.status, refused.error["code"]) == (404, "model_not_found")
        assert (refused.error["param"], refused.error["type"]) == ("model", "invalid_request_error")
    assert upstream.calls == []
    assert customer.ask(model="gpt-5.4-mini").is_whole
    customer.limit(models=None)
    assert customer.ask().is_whole


def test_snapshot_may_be_used_by_who_may_use_its_model(shop, upstream):
    customer, snapshot = shop.customer(), "gpt-5.5-2026-04-23"
    customer.limit(models=["gpt-5.4-mini"])
    refused = customer.ask(model=snapshot)
    assert (refused.status, refused.error["code"]) == (404, "model_not_found")
    assert upstream.calls == []
    customer.limit(models=[snapshot])
    answer = customer.ask(model=snapshot)
    assert (answer.status, answer.json["model"]) == (200, snapshot)
    assert customer.ask().is_whole
    assert customer.ask(model="gpt-5.4-mini").status == 404
    assert upstream.calls[0].json["model"] == upstream.calls[1].json["model"]
    assert {row["model"] for row in customer.rows if row["status"] == 200} == {"gpt-5.5"}


def asked_everywhere(customer: Customer, headers: dict[str, str] | None = None) -> list[Answer]:
    return [
        customer.ask(headers=headers),
        customer.get("/v1/models", headers),
        customer.get("/v1/me", headers),
    ]


def test_key_is_for_some_addresses_only(shop, upstream):
    customer = shop.customer()
    customer.limit(networks=["192.0.2.0/24", "2001:db8::/32"])
    for refused in asked_everywhere(customer):
        assert (refused.status, refused.error["code"]) == (401, "ip_not_authorized")
        assert refused.error["param"] is None
        assert refused.headers["x-should-retry"] == "false"
    assert upstream.calls == []
    headers = {"x-forwarded-for": "192.0.2.7"}
    assert [answer.status for answer in asked_everywhere(customer, headers)] == [200] * 3


@pytest.mark.parametrize(
    ("hops", "status"),
    [
        ("192.0.2.7", 200),
        ("10.0.0.1, 192.0.2.7", 200),
        ("192.0.2.7, 10.0.0.1", 401),
        ("2001:db8::7", 200),
        ("::ffff:192.0.2.7", 200),
        (" 192.0.2.7 ", 200),
        ("192.0.2.7:4711", 401),
        ("192.0.2.7,", 401),
        ("unknown", 401),
        ("", 401),
        ("\xb2", 401),
    ],
)
def test_address_is_what_the_trusted_proxy_saw(shop, upstream, hops, status):
    customer = shop.customer()
    customer.limit(networks=["192.0.2.0/24", "2001:db8::/32"])
    headers = {"x-forwarded-for": hops}
    assert [answer.status for answer in asked_everywhere(customer, headers)] == [status] * 3


def test_key_ends_at_its_time(shop, upstream):
    customer = shop.customer()
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    customer.limit(expires=end.isoformat())
    assert customer.ask().is_whole
    time.sleep(max((end - datetime.now(UTC)).total_seconds() + 0.01, 0))
    for refused in asked_everywhere(customer):
        assert (refused.status, refused.error["code"]) == (401, "key_expired")
        assert refused.headers["x-should-retry"] == "false"
        assert f"{end:%Y-%m-%dT%H:%M:%SZ}" in refused.error["message"]
    assert len(upstream.calls) == 1
    customer.limit(expires=None)
    assert customer.ask().is_whole


def test_command_limits_a_key_at_once(shop, upstream):
    customer = shop.customer()
    shop.gateway.cli("keys", "limit", customer.key, "--spend-day", usd(LEAST - 1))
    assert customer.ask().error["code"] == "spend_limit_reached"
    shop.gateway.cli("keys", "limit", customer.key, "--spend-day", "none")
    assert customer.ask().is_whole
