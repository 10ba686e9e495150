"""Who cannot pay for the longest answer gets a shorter one: what the money pays for goes upstream as the limit."""

import threading

import pytest

from fakes import replies, steps
from money.shop import BOTH, COST_NANO, LEAST_OUTPUT, OUTPUT_NANO, RICH_NANO, hold_nano, wait_for_answers
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
MOST_OUTPUT = 128_000  # of gpt-5.5


@BOTH
def test_poor_customer_gets_an_answer_under_the_cap_that_is_paid_for(shop, upstream, stream):
    customer = shop.customer(hold_nano(1_000))
    write = replies.stream_reply if stream else replies.plain_reply
    upstream.then(write(finish_reason="length"))
    answer = customer.ask(stream=stream)
    assert answer.is_whole
    [call] = upstream.calls
    assert call.json["max_completion_tokens"] == 1_000
    limited = f"1000 output tokens, by balance (${usd(hold_nano(1_000))} held)"
    assert answer.headers["x-runapi-limited"] == limited
    assert b'"finish_reason":"length"' in answer.body.replace(b'": ', b'":')
    assert customer.balance == (hold_nano(1_000) - COST_NANO, 0)
    told = customer.explain(answer.id)
    assert (told["hold"]["amount_nano"], told["hold"]["output_cap"]) == (str(hold_nano(1_000)), 1_000)


@pytest.mark.parametrize("choices", [1, 3, 128])
def test_each_choice_gets_its_share(shop, upstream, choices):
    customer = shop.customer(hold_nano(100, choices=choices) + OUTPUT_NANO * choices - 1)
    assert customer.ask(n=choices).is_whole
    assert upstream.calls[0].json["max_completion_tokens"] == 100
    assert upstream.calls[0].json["n"] == choices


@pytest.mark.parametrize("choices", [1, 3])
@pytest.mark.parametrize("own_cap", [None, 16, 17, 15, 5, 1])
def test_one_nano_dollar_decides(shop, upstream, choices, own_cap):
    useful = min(own_cap or LEAST_OUTPUT, LEAST_OUTPUT)
    needed = hold_nano(useful, choices=choices)
    fields = {"n": choices} | ({} if own_cap is None else {"max_completion_tokens": own_cap})
    customer = shop.customer(needed - 1)
    refused = customer.ask(**fields)
    assert (refused.status, refused.error["code"]) == (402, "insufficient_credits")
    assert f"needs at least ${usd(needed)} and ${usd(needed - 1)} is available." in refused.error["message"]
    assert upstream.calls == []
    customer.credit(1)
    assert customer.ask(**fields).is_whole
    assert upstream.calls[0].json["max_completion_tokens"] == useful


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("cap", [1, 5, 100, MOST_OUTPUT - 1])
def test_own_smaller_cap_is_kept(shop, upstream, name, cap):
    customer = shop.customer()
    answer = customer.ask(**{name: cap})
    [call] = upstream.calls
    assert call.json["max_completion_tokens"] == cap
    assert "max_tokens" not in call.json
    assert "x-runapi-limited" not in answer.headers
    assert customer.transfers(answer.id)[0] == ("hold", hold_nano(cap))


def test_own_larger_cap_is_lowered_to_what_is_paid_for(shop, upstream):
    customer = shop.customer(hold_nano(50))
    answer = customer.ask(max_tokens=MOST_OUTPUT * 2)
    assert upstream.calls[0].json["max_completion_tokens"] == 50
    assert answer.headers["x-runapi-limited"].startswith("50 output tokens, by balance")


@pytest.mark.parametrize(
    ("caps", "kept"),
    [
        ({"max_tokens": 7, "max_completion_tokens": None}, 7),
        ({"max_tokens": 900, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 7, "max_completion_tokens": 900}, 900),
    ],
)
def test_newer_of_two_caps_counts(shop, upstream, caps, kept):
    customer = shop.customer()
    answer = customer.ask(**caps)
    assert upstream.calls[0].json["max_completion_tokens"] == kept
    assert customer.transfers(answer.id)[0] == ("hold", hold_nano(kept))


def test_rich_customer_is_not_limited(shop, upstream):
    customer = shop.customer(RICH_NANO)
    answer = customer.ask()
    assert "max_completion_tokens" not in upstream.calls[0].json
    assert "x-runapi-limited" not in answer.headers
    assert customer.transfers(answer.id) == [("hold", hold_nano(MOST_OUTPUT)), ("settle", COST_NANO)]


def test_what_runs_is_set_aside_and_comes_back(shop, upstream):
    customer = shop.customer(hold_nano(100))
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(max_tokens=60) as running:
        upstream.wait_for_calls()
        assert customer.balance == (hold_nano(100), hold_nano(60))
        may_end.set()
        assert customer.read(running).is_whole
    assert customer.balance == (hold_nano(100) - COST_NANO, 0)


def test_of_many_at_once_exactly_those_are_served_that_are_paid_for(shop, upstream):
    customer = shop.customer(3 * hold_nano(20) + hold_nano(20) - 1)
    keys = [customer, *(customer.colleague() for _ in range(4))]
    may_end = threading.Event()
    upstream.default = [steps.wait(may_end), *replies.plain_reply()]
    running = [keys[number % 5].open(max_tokens=20, n=1) for number in range(20)]
    # Who asks for 20 tokens and cannot have 16 is refused; the fourth could have had 16 to 19.
    upstream.wait_for_calls(4)
    assert customer.balance[1] <= customer.balance[0]
    wait_for_answers(running, 16)  # the others are refused
    may_end.set()
    answers = [customer.read(connection) for connection in running]
    for connection in running:
        connection.close()
    assert sorted(answer.status for answer in answers) == [200] * 4 + [429] * 16
    assert len(upstream.calls) == 4
    assert sorted(call.json["max_completion_tokens"] for call in upstream.calls) == [19, 20, 20, 20]
    assert customer.balance == (4 * hold_nano(20) - 1 - 4 * COST_NANO, 0)


def test_who_has_money_that_is_only_held_is_told_to_wait_and_not_that_there_is_none(shop, upstream):
    customer = shop.customer(hold_nano(20))
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(max_tokens=20) as running:
        upstream.wait_for_calls()
        refused = customer.ask(max_tokens=20)
        assert (refused.status, refused.error["code"]) == (429, "credits_held")
        assert int(refused.headers["retry-after"]) > 0
        assert "x-should-retry" not in refused.headers
        may_end.set()
        assert customer.read(running).is_whole
