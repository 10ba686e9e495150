"""What an answer says of itself: its own id, the client's id, and what it cost."""

import json

import pytest

from fakes import replies, steps
from faults.kinds import ROLE, WORD, streamed
from money.shop import BOTH, COST_NANO, Answer
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
THEIRS = "order 66/a?"
NAME = "x-client-request-id"


def told(customer, theirs: str | None = THEIRS, **asked: object) -> Answer:
    return customer.ask(headers={} if theirs is None else {NAME: theirs}, **asked)


@BOTH
def test_client_s_own_id_is_repeated_on_what_succeeds(shop, upstream, stream):
    assert told(shop.customer(), stream=stream).headers[NAME] == THEIRS


def test_client_s_own_id_is_repeated_on_what_fails(shop, upstream):
    empty, customer = shop.customer(0), shop.customer()
    upstream.then(replies.error(500), streamed(ROLE, WORD, end=[steps.rst()]))
    refusals = [
        told(empty),
        told(customer, model="gpt-9"),
        told(customer, max_cost=0),
        customer.ask(b"{", headers={NAME: THEIRS}),
        customer.get("/v1/nowhere", {NAME: THEIRS}),
        customer.get("/v1/requests/nothing", {NAME: THEIRS}),
        told(customer),
    ]
    assert [refused.status for refused in refusals] == [402, 404, 400, 400, 404, 404, 500]
    assert {refused.headers[NAME] for refused in refusals} == {THEIRS}
    shop.serve_again(upstream)
    broken = told(customer, stream=True)
    assert not broken.is_whole
    assert broken.headers[NAME] == THEIRS
    assert told(empty, stream=True).headers[NAME] == THEIRS


def test_client_s_own_id_is_repeated_to_each_who_repeats_a_request(shop, upstream):
    customer = shop.customer()
    keyed = {"idempotency-key": "one"}
    first = customer.ask(headers=keyed | {NAME: "first"})
    again = customer.ask(headers=keyed | {NAME: "second"})
    silent = customer.ask(headers=keyed)
    assert (first.headers[NAME], again.headers[NAME]) == ("first", "second")
    assert NAME not in silent.headers
    assert first.id == again.id == silent.id


@pytest.mark.parametrize("theirs", [None, "", "\xe9", "a\tb", "x" * 513])
@BOTH
def test_id_that_cannot_be_printed_is_left_out(shop, upstream, theirs, stream):
    answer = told(shop.customer(), theirs, stream=stream)
    assert answer.is_whole
    assert NAME not in answer.headers


def test_longest_id_is_repeated(shop, upstream):
    assert told(shop.customer(), "~" * 512).headers[NAME] == "~" * 512


def test_client_s_own_id_does_not_go_upstream(shop, upstream):
    told(shop.customer())
    assert THEIRS not in repr(upstream.calls[0].fields)


@BOTH
def test_answer_says_what_it_cost(shop, upstream, stream):
    customer = shop.customer()
    answer = customer.ask(stream=stream)
    assert json.dumps(answer.cost) == usd(COST_NANO)
    if not stream:
        assert answer.headers["x-runapi-cost"] == usd(COST_NANO)
    assert customer.explain(answer.id)["cost"]["charged_usd"] == usd(COST_NANO)


def test_ids_grow_and_none_is_used_twice(shop, upstream):
    customer = shop.customer()
    ids = [customer.ask(stream=bool(number % 2)).id for number in range(10)]
    assert len(set(ids)) == 10
    listed = customer.get("/v1/requests?limit=100").json["data"]
    assert [found["id"] for found in listed] == ids[::-1]
