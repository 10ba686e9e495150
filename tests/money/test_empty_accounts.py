"""Who has no money gets no answer, and costs none: 402, before any upstream is called, until there is a credit."""

import pytest

from money.shop import BOTH, COST_NANO, HELLO, RICH_NANO, Answer, hold_nano
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them


def assert_is_refused_for_want_of_money(refused: Answer) -> None:
    assert refused.status == 402
    assert refused.error["type"] == "insufficient_quota"
    assert refused.error["code"] == "insufficient_credits"
    assert refused.error["param"] is None
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


@BOTH
def test_empty_account_is_refused_before_any_upstream_is_called(shop, upstream, stream):
    customer = shop.customer(0)
    refused = customer.ask(stream=stream)
    assert_is_refused_for_want_of_money(refused)
    for word in ("$0 is available", "Top up", "POST /v1/topups", "POST /v1/redeem", "/v1/me/balance"):
        assert word in refused.error["message"]
    assert upstream.calls == []
    assert customer.balance == (0, 0)
    [row] = customer.rows
    assert (row["id"], row["status"], row["outcome"]) == (refused.id, 402, "refused")
    assert (row["error_code"], row["cost_nano"], row["attempts"]) == ("insufficient_credits", "0", 0)


@BOTH
def test_a_credit_makes_the_next_request_work_at_once(shop, upstream, stream):
    customer = shop.customer(0)
    for _ in range(8):  # so often that refusals come from memory by now
        assert customer.ask(stream=stream).status == 402
    customer.credit(RICH_NANO)
    assert customer.ask(stream=stream).is_whole
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_an_answer_is_refused_once_the_money_is_spent(shop, upstream):
    customer = shop.customer(hold_nano(16) + COST_NANO)
    assert customer.ask().is_whole
    assert customer.ask().is_whole
    left = hold_nano(16) - COST_NANO
    assert customer.balance == (left, 0)
    refused = customer.ask()
    assert_is_refused_for_want_of_money(refused)
    assert f"needs at least ${usd(hold_nano(16))} and ${usd(left)} is available" in refused.error["message"]
    assert len(upstream.calls) == 2


def test_live_keys_cannot_spend_play_money(shop, upstream):
    customer = shop.customer(0)
    customer.credit(RICH_NANO, mode="test")
    assert_is_refused_for_want_of_money(customer.ask())
    assert upstream.calls == []


def test_test_keys_cannot_spend_live_money(shop):
    customer = shop.customer(0, mode="test")
    customer.credit(RICH_NANO, mode="live")
    refused = customer.ask()
    assert_is_refused_for_want_of_money(refused)
    assert "play money" in refused.error["message"]
    assert "--mode test" in refused.error["message"]


def test_test_keys_spend_play_money_and_nothing_else(shop, upstream):
    customer = shop.customer(RICH_NANO, mode="test")
    customer.credit(RICH_NANO, mode="live")
    answer = customer.ask()
    assert answer.is_whole
    [row] = customer.rows
    cost = int(row["cost_nano"])
    assert cost > 0
    assert customer.balance == (RICH_NANO - cost, 0)
    assert customer.colleague("live").balance == (RICH_NANO, 0)
    assert upstream.calls == []


def test_keys_of_one_account_share_its_money(shop, upstream):
    customer = shop.customer(hold_nano(16))
    assert customer.ask().is_whole
    assert_is_refused_for_want_of_money(customer.colleague().ask())


def test_a_refused_request_with_the_same_words_is_not_charged_to_its_neighbour(shop, upstream):
    poor, rich = shop.customer(0), shop.customer()
    assert poor.ask(HELLO).status == 402
    assert rich.ask(HELLO).is_whole
    assert poor.balance == (0, 0)
