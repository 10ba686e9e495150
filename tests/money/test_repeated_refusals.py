"""A key that is refused again and again is answered from memory; what happens to its money or limits ends that."""

import threading
import time

import pytest

from fakes import replies, steps
from money.shop import COST_NANO, LEAST_OUTPUT, RICH_NANO, Customer, hold_nano
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
STORM = 8  # from the sixth on, refusals come from memory


def storm(customer: Customer, **fields: object) -> dict:
    """Refuse a customer so often that its refusals come from memory; the error it is told."""
    told = [customer.ask(**fields) for _ in range(STORM)]
    assert all(answer.error == told[0].error for answer in told)
    assert all(answer.headers["x-should-retry"] == "false" for answer in told)
    assert len({answer.id for answer in told}) == STORM
    return told[0].error


def test_each_refusal_leaves_a_row(shop, upstream):
    customer = shop.customer(0)
    storm(customer)
    rows = customer.rows
    assert len(rows) == STORM
    assert {(row["status"], row["error_code"], row["outcome"]) for row in rows} == {
        (402, "insufficient_credits", "refused")
    }
    assert [row["model"] for row in rows] == ["gpt-5.5"] * 5 + [""] * 3  # nobody has read those
    assert upstream.calls == []


def test_refusal_from_memory_is_the_key_s_alone(shop, upstream):
    poor, rich = shop.customer(0), shop.customer()
    storm(poor)
    assert rich.ask().is_whole
    assert poor.colleague().ask().status == 402
    assert poor.rows[-1]["model"] == "gpt-5.5"


def test_refusals_of_single_requests_are_not_kept(shop, upstream):
    customer = shop.customer()
    for _ in range(STORM):
        assert customer.ask(model="gpt-9").status == 404
        assert customer.ask(max_cost=0).status == 400
        assert customer.ask(messages=[]).status == 400
    assert customer.ask().is_whole


@pytest.mark.parametrize("mode", ["live", "test"])
def test_code_that_is_redeemed_ends_it(shop, upstream, mode):
    customer = shop.customer(0, mode=mode)
    storm(customer)
    [code] = shop.command("codes.create", usd=usd(RICH_NANO), mode=mode)
    got = customer.post("/v1/redeem", {"code": code["code"]})
    assert got.status == 200
    assert customer.ask().is_whole


def test_adjustment_ends_it(shop, upstream):
    customer = shop.customer(0)
    storm(customer)
    shop.command("accounts.adjust", name=customer.account, usd="1", note="for the trouble")
    assert customer.ask().is_whole


def test_limit_that_is_raised_ends_it(shop, upstream):
    customer = shop.customer()
    customer.limit(spend_total="0")
    assert storm(customer)["code"] == "spend_limit_reached"
    customer.limit(spend_total="1")
    assert customer.ask().is_whole


def test_money_that_a_running_request_gives_back_can_be_spent(shop, upstream):
    customer = shop.customer(hold_nano(LEAST_OUTPUT) + COST_NANO)
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open() as running:  # all there is is set aside for it
        upstream.wait_for_calls()
        assert [customer.ask().is_whole for _ in range(STORM)] == [False] * STORM
        assert len(upstream.calls) == 1
        may_end.set()
        assert customer.read(running).is_whole
    assert is_served_once_memory_fades(customer)


def test_small_request_is_served_though_large_ones_were_refused(shop, upstream):
    customer = shop.customer(hold_nano(LEAST_OUTPUT))
    storm(customer, messages=[{"role": "user", "content": "x" * 10_000}])
    assert is_served_once_memory_fades(customer)


def is_served_once_memory_fades(customer: Customer) -> bool:
    deadline = time.monotonic() + 20
    while not customer.ask().is_whole:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return True
