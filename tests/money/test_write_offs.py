"""An upstream that reports more than was set aside is paid by the house: the customer pays the hold at most."""

import json

import pytest

from fakes import replies
from money.shop import BOTH, INPUT_NANO, LEAST_OUTPUT, OUTPUT_NANO, hold_nano
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
WRITTEN_OFF = "cost above hold written off"


@BOTH
@pytest.mark.parametrize("output", [1_000, 10_000_000])
def test_customer_pays_the_hold_and_the_house_the_rest(shop, upstream, stream, output):
    held = hold_nano(LEAST_OUTPUT)
    customer = shop.customer(held)
    before = shop.books("write_off")
    write = replies.stream_reply if stream else replies.plain_reply
    upstream.then(write(usage=replies.usage(19, output)))
    answer = customer.ask(stream=stream)
    over = 19 * INPUT_NANO + output * OUTPUT_NANO - held
    assert answer.is_whole
    assert json.dumps(answer.cost) == usd(held)
    assert customer.balance == (0, 0)
    assert customer.transfers(answer.id) == [("hold", held), ("settle", held), ("write_off", over)]
    assert shop.books("write_off") == before - over
    [row] = customer.rows
    assert (row["cost_nano"], row["outcome"]) == (str(held), "completed")
    told = customer.explain(answer.id)
    assert (told["cost"]["charged_nano"], told["cost"]["written_off_nano"]) == (str(held), str(over))
    [line] = [
        line
        for line in map(json.loads, shop.gateway.stderr.splitlines())
        if line.get("request_id") == answer.id
    ]
    assert (line["event"], line["level"], line["written_off_nano"]) == (WRITTEN_OFF, "error", over)
    assert line["upstream"] == "scripted"
    shop.verify()


@pytest.mark.parametrize("lie", [10_000_001, 2**63, -1, 1.5, "12", True, None])
def test_count_that_cannot_be_true_is_not_believed(shop, upstream, lie):
    customer = shop.customer()
    upstream.then(replies.plain_reply(usage=replies.USAGE | {"completion_tokens": lie}))
    answer = customer.ask()
    [row] = customer.rows
    assert row["usage_source"] == "estimated"
    assert 1 <= row["usage"]["output"] <= 3  # "Hello."
    cost = row["usage"]["input"] * INPUT_NANO + row["usage"]["output"] * OUTPUT_NANO
    assert row["cost_nano"] == str(cost)
    assert answer.headers["x-runapi-cost"] == usd(cost)


def test_exactly_the_hold_is_no_loss(shop, upstream):
    customer = shop.customer(10 * INPUT_NANO + hold_nano(LEAST_OUTPUT) - 10 * INPUT_NANO)
    bound = (hold_nano(LEAST_OUTPUT) - LEAST_OUTPUT * OUTPUT_NANO) // INPUT_NANO
    upstream.then(replies.plain_reply(usage=replies.usage(bound, LEAST_OUTPUT)))
    answer = customer.ask()
    assert customer.transfers(answer.id) == [("hold", hold_nano(16)), ("settle", hold_nano(16))]
    assert customer.balance == (0, 0)
    assert WRITTEN_OFF not in [
        line["event"]
        for line in map(json.loads, shop.gateway.stderr.splitlines())
        if line.get("request_id") == answer.id
    ]
