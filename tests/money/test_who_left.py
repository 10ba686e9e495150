"""A client that goes away is charged by its key's policy: to the end, or an estimate of what had come."""

import threading
import time

import pytest

from fakes import replies, steps
from faults.kinds import FINISH, NEVER, ROLE, STREAM, USAGE, WORD, streamed
from money.shop import COST_NANO, INPUT_NANO, OUTPUT_NANO, RICH_NANO, Customer, hold_nano
from relay.calls import skip_to

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
CAP = 1_000


def wait_for_row(customer: Customer) -> dict:
    deadline = time.monotonic() + 10
    while not customer.rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    [row] = customer.rows
    return row


def leave_in_the_middle(customer: Customer, upstream, end) -> None:
    """Go away once a word has come; what the upstream still has to say comes afterwards."""
    upstream.then([steps.headers(200, STREAM), steps.sse([ROLE, WORD]), *end])
    with customer.open(stream=True, max_tokens=CAP) as connection:
        connection.read_head()
        skip_to(connection.data(), b"Hel")


def test_answer_is_read_on_and_charged_by_its_real_count(shop, upstream):
    customer = shop.customer(on_disconnect="drain")
    may_end = threading.Event()
    leave_in_the_middle(customer, upstream, [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])])
    time.sleep(0.1)
    assert customer.balance == (RICH_NANO, hold_nano(CAP))  # it runs still
    may_end.set()
    row = wait_for_row(customer)
    assert (row["outcome"], row["usage_source"], row["client_left"]) == ("completed", "reported", True)
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_answer_is_ended_and_charged_by_an_estimate(shop, upstream):
    customer = shop.customer(on_disconnect="cancel")
    leave_in_the_middle(customer, upstream, [steps.wait(NEVER)])
    upstream.wait_for_closed_early()
    row = wait_for_row(customer)
    assert (row["outcome"], row["usage_source"], row["client_left"]) == ("cancelled", "estimated", True)
    cost = row["usage"]["input"] * INPUT_NANO + row["usage"]["output"] * OUTPUT_NANO
    assert row["usage"]["output"] >= 1
    assert customer.balance == (RICH_NANO - cost, 0)
    assert customer.transfers(row["id"]) == [("hold", hold_nano(CAP)), ("settle", cost)]


@pytest.mark.parametrize("policy", ["drain", "cancel"])
def test_nothing_is_charged_for_what_breaks_off_for_who_left(shop, upstream, policy):
    customer = shop.customer(on_disconnect=policy)
    upstream.then(
        [steps.wait(NEVER)] if policy == "cancel" else [steps.sleep(0.3), *streamed(ROLE, end=[steps.rst()])]
    )
    with customer.open(stream=True):
        upstream.wait_for_calls()
    row = wait_for_row(customer)
    assert (row["client_left"], row["cost_nano"]) == (True, "0")
    assert customer.balance == (RICH_NANO, 0)


@pytest.mark.parametrize("policy", ["drain", "cancel"])
def test_whole_answer_for_who_left(shop, upstream, policy):
    customer = shop.customer(on_disconnect=policy)
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open():
        upstream.wait_for_calls()
    if policy == "cancel":
        upstream.wait_for_closed_early()
    else:
        time.sleep(0.5)  # who has left is looked for once the answer takes a while
    may_end.set()
    row = wait_for_row(customer)
    left = RICH_NANO if policy == "cancel" else RICH_NANO - COST_NANO
    assert row["client_left"]
    assert customer.balance == (left, 0)


def test_spending_limit_counts_what_was_charged_for_who_left(shop, upstream):
    customer = shop.customer(on_disconnect="cancel")
    customer.limit(spend_day="0.02", concurrent=1)
    leave_in_the_middle(customer, upstream, [steps.wait(NEVER)])
    upstream.wait_for_closed_early()
    row = wait_for_row(customer)
    assert customer.limit()["spend_day"]["spent_usd"] == row["cost_usd"] != "0"
    assert customer.ask(max_tokens=1).is_whole
