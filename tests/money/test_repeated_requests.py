"""A request under an Idempotency-Key is served and charged once, however often it is sent."""

import json
import threading
import time

import pytest

from fakes import replies, steps
from faults.kinds import FINISH, NEVER, ROLE, USAGE, WORD, streamed
from money.shop import BOTH, COST_NANO, HELLO, RICH_NANO, Answer, Customer, hold_nano
from relay.calls import skip_to

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
KEYED = {"idempotency-key": "order 66"}
OWN = {"date", "transfer-encoding", "content-length"}  # headers of each response, not of the answer


def assert_is_replay(again: Answer, first: Answer) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    kept = {name: value for name, value in again.headers.items() if name not in OWN | {"idempotent-replayed"}}
    assert kept == {name: value for name, value in first.headers.items() if name not in OWN}


@BOTH
def test_replay_is_the_same_byte_for_byte_and_charged_once(shop, upstream, stream):
    customer = shop.customer()
    first = customer.ask(headers=KEYED, stream=stream)
    assert first.is_whole
    for _ in range(3):
        assert_is_replay(customer.ask(headers=KEYED, stream=stream), first)
    assert len(upstream.calls) == 1
    assert customer.balance == (RICH_NANO - COST_NANO, 0)
    assert [row["id"] for row in customer.rows] == [first.id]


def test_replay_has_the_heartbeats_of_the_first(shop, upstream):
    customer = shop.customer()
    upstream.then([steps.sleep(0.3), *replies.stream_reply()])
    first = customer.ask(headers=KEYED, stream=True)
    assert b'"delta":{}' in first.payloads[0]
    assert_is_replay(customer.ask(headers=KEYED, stream=True), first)


def test_replay_costs_an_empty_account_nothing(shop, upstream):
    customer = shop.customer(hold_nano(16))
    first = customer.ask(headers=KEYED)
    assert customer.ask().status == 402
    assert_is_replay(customer.ask(headers=KEYED), first)


@BOTH
def test_many_at_once_reach_the_upstream_once(shop, upstream, stream):
    customer = shop.customer()
    may_end = threading.Event()
    if stream:
        end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
        upstream.then(streamed(ROLE, WORD, end=end))
    else:
        upstream.then([steps.wait(may_end), *replies.plain_reply()])
    connections = [customer.open(headers=KEYED, stream=stream) for _ in range(12)]
    bodies = []
    if stream:
        heads = [connection.read_head() for connection in connections]
        pieces = [connection.pieces() for connection in connections]
        bodies = [next(some) for some in pieces]  # each gets the beginning before there is an end
        may_end.set()
        bodies = [begun + b"".join(some) for begun, some in zip(bodies, pieces, strict=True)]
    else:
        may_end.set()
        heads = [connection.read_head() for connection in connections]
        bodies = [b"".join(connection.pieces()) for connection in connections]
    for connection in connections:
        connection.close()
    assert len(set(bodies)) == 1
    assert sum(head.headers.get("idempotent-replayed") == "true" for head in heads) == 11
    assert len({head.headers["x-request-id"] for head in heads}) == 1
    assert len(upstream.calls) == 1
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


@pytest.mark.parametrize("running", [True, False])
def test_other_body_is_refused(shop, upstream, running):
    customer = shop.customer()
    may_end = threading.Event()
    upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(headers=KEYED) as first:
        upstream.wait_for_calls()
        if not running:
            may_end.set()
            assert customer.read(first).is_whole
        refused = customer.ask(headers=KEYED, user="somebody else")
        assert (refused.status, refused.error["code"]) == (422, "idempotency_key_reused")
        assert (refused.error["type"], refused.error["param"]) == ("invalid_request_error", "Idempotency-Key")
        assert refused.headers["x-should-retry"] == "false"
        if running:
            may_end.set()
            assert customer.read(first).is_whole
    assert len(upstream.calls) == 1
    assert [row["status"] for row in customer.rows] == [200, 422] or running
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_key_counts_within_one_account_and_mode(shop, upstream):
    customer, stranger = shop.customer(), shop.customer()
    colleague, tester = customer.colleague(), customer.colleague("test")
    tester.credit(RICH_NANO)
    first = customer.ask(headers=KEYED)
    assert_is_replay(colleague.ask(headers=KEYED), first)
    for other in (stranger, tester):
        answer = other.ask(headers=KEYED)
        assert answer.is_whole
        assert answer.id != first.id
        assert "idempotent-replayed" not in answer.headers
    assert len(upstream.calls) == 2


@BOTH
def test_request_that_failed_gives_its_key_back(shop, upstream, stream):
    customer = shop.customer()
    upstream.then(replies.error(500))
    assert customer.ask(headers=KEYED, stream=stream).status == 500
    shop.serve_again(upstream)
    answer = customer.ask(headers=KEYED, stream=stream)
    assert answer.is_whole
    assert "idempotent-replayed" not in answer.headers
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_stream_that_broke_gives_its_key_back(shop, upstream):
    customer = shop.customer()
    upstream.then(streamed(ROLE, WORD, end=[steps.rst()]))
    assert not customer.ask(headers=KEYED, stream=True).is_whole
    shop.serve_again(upstream)
    assert customer.ask(headers=KEYED, stream=True).is_whole
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_refused_request_gives_its_key_back(shop, upstream):
    customer = shop.customer(0)
    assert customer.ask(headers=KEYED).status == 402
    assert customer.ask(b"{", headers=KEYED).status == 400
    customer.credit(RICH_NANO)
    assert customer.ask(headers=KEYED).is_whole


def test_client_that_left_finds_the_whole_answer_when_it_comes_back(shop, upstream):
    customer = shop.customer(on_disconnect="drain")
    may_end = threading.Event()
    end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
    upstream.then(streamed(ROLE, WORD, end=end))
    with customer.open(headers=KEYED, stream=True) as connection:
        connection.read_head()
        skip_to(connection.data(), b"Hel")
    with customer.open(headers=KEYED, stream=True) as connection:
        head = connection.read_head()
        assert head.headers["idempotent-replayed"] == "true"
        may_end.set()
        payloads = list(connection.data())
    assert payloads[-1] == b"[DONE]"
    assert len(upstream.calls) == 1
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_charged_answer_that_is_not_kept_is_said_to_be_lost(shop, upstream):
    customer = shop.customer(on_disconnect="cancel")
    upstream.then(streamed(ROLE, WORD, end=[steps.wait(NEVER)]))
    with customer.open(headers=KEYED, stream=True) as connection:
        connection.read_head()
        skip_to(connection.data(), b"Hel")
    upstream.wait_for_closed_early()
    lost = wait_until_lost(customer)
    assert lost.error["code"] == "idempotency_answer_lost"
    assert lost.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == 1
    assert customer.balance[0] < RICH_NANO


def wait_until_lost(customer: Customer) -> Answer:
    """Ask until the request that was left has ended."""
    deadline = time.monotonic() + 10
    while (answer := customer.ask(headers=KEYED, stream=True)).status == 409:
        assert answer.error["code"] == "idempotency_request_running"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.status == 410
    return answer


def test_ceiling_in_a_header_is_no_part_of_the_request(shop, upstream):
    customer = shop.customer()
    first = customer.ask(headers=KEYED | {"x-runapi-max-cost": "0.01"})
    assert_is_replay(customer.ask(headers=KEYED | {"x-runapi-max-cost": "0.0000001"}), first)
    assert_is_replay(customer.ask(headers=KEYED), first)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("key", ["", "x" * 513, "\xe9", "a\tb"])
def test_key_that_cannot_be_one_is_refused(shop, upstream, key):
    customer = shop.customer()
    refused = customer.ask(headers={"idempotency-key": key})
    assert (refused.status, refused.error["code"]) == (400, "invalid_idempotency_key")
    assert refused.error["param"] == "Idempotency-Key"
    assert upstream.calls == []
    assert [row["error_code"] for row in customer.rows] == ["invalid_idempotency_key"]


def test_key_that_stands_twice_is_refused(shop, upstream):
    refused = shop.customer().ask(headers={"idempotency-key": "a\r\nidempotency-key: a"})
    assert (refused.status, refused.error["code"]) == (400, "repeated_header")


def test_longest_key_is_accepted(shop, upstream):
    customer = shop.customer()
    headers = {"idempotency-key": "~" * 512}
    first = customer.ask(headers=headers)
    assert_is_replay(customer.ask(headers=headers), first)


def test_bodies_are_compared_byte_by_byte(shop, upstream):
    customer = shop.customer()
    assert customer.ask(json.dumps(HELLO).encode(), headers=KEYED).is_whole
    assert customer.ask(json.dumps(HELLO, indent=1).encode(), headers=KEYED).status == 422
