"""Who sees the end of an answer finds the balance right already, and keeps it so whatever dies afterwards."""

import json
import sqlite3
import time
from hashlib import sha256

import pytest

from fakes import replies, steps
from fakes.upstream import ScriptedUpstream
from faults.kinds import NEVER, ROLE, WORD, streamed
from money.shop import BOTH, COST_NANO, INPUT_NANO, LEAST_OUTPUT, OUTPUT_NANO, RICH_NANO, Shop, hold_nano
from relay.calls import skip_to
from runapi.core.money import usd

pytestmark = pytest.mark.xdist_group("restarts")  # one server for all of them
TEXT = "All work and no play makes Jack a dull boy. " * 400


@pytest.fixture
def shop(mortal_shop: Shop) -> Shop:
    return mortal_shop


@pytest.fixture
def upstream(mortal_upstream: ScriptedUpstream) -> ScriptedUpstream:
    return mortal_upstream


def kill_and_return(shop: Shop) -> None:
    assert shop.gateway.kill() == -9
    shop.gateway.start()


@BOTH
def test_balance_is_right_when_the_last_byte_is_here(shop, upstream, stream):
    customer = shop.customer()
    for count in range(1, 11):
        with customer.open(stream=stream) as connection:
            connection.read_head()
            for piece in connection.pieces():
                if b"[DONE]" in piece:
                    break  # what ends the response may still be on its way
            assert customer.balance == (RICH_NANO - count * COST_NANO, 0)


def test_kill_at_the_last_byte_keeps_every_charge(shop, upstream):
    customer = shop.customer()
    body = json.dumps({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    whole = customer.ask(body)
    with customer.open(stream=True) as connection:
        head = connection.read_head()
        skip_to(connection.data(), b"[DONE]")
        assert shop.gateway.kill() == -9
    shop.gateway.start()
    assert customer.balance == (RICH_NANO - 2 * COST_NANO, 0)
    first, second = customer.rows
    assert (first["id"], second["id"]) == (whole.id, head.headers["x-request-id"])
    assert {row["outcome"] for row in customer.rows} == {"completed"}
    for row in (first, second):
        assert customer.transfers(row["id"])[-1] == ("settle", COST_NANO)
    receipt = customer.get(f"/v1/requests/{whole.id}/receipt").json["receipt"]
    assert receipt["request_sha256"] == sha256(body).hexdigest()
    assert receipt["response_sha256"] == sha256(whole.body).hexdigest()


@BOTH
def test_kill_in_the_middle_charges_nothing_and_holds_nothing(shop, upstream, stream):
    customer = shop.customer()
    upstream.then(streamed(ROLE, WORD, end=[steps.wait(NEVER)]) if stream else [steps.wait(NEVER)])
    with customer.open(stream=stream, max_tokens=100) as connection:
        upstream.wait_for_calls()
        if stream:
            connection.read_head()
            skip_to(connection.data(), b"Hel")
        assert customer.balance == (RICH_NANO, hold_nano(100))
        kill_and_return(shop)
    upstream.wait_for_closed_early()
    assert customer.balance == (RICH_NANO, 0)
    [row] = customer.rows
    assert (row["status"], row["outcome"], row["error_code"]) == (500, "failed", "server_restarted")
    assert (row["cost_nano"], row["stream"], row["model"]) == ("0", stream, "gpt-5.5")
    assert customer.transfers(row["id"]) == [("hold", hold_nano(100)), ("void", hold_nano(100))]
    assert customer.ask().is_whole


def test_kill_after_a_long_part_of_a_stream_charges_what_was_noted(shop, upstream):
    customer = shop.customer()
    upstream.then(streamed(ROLE, replies.chunk({"content": TEXT}), end=[steps.wait(NEVER)]))
    with customer.open(stream=True) as connection:
        request_id = connection.read_head().headers["x-request-id"]
        skip_to(connection.data(), TEXT[:20].encode())
        noted = wait_until_noted(shop, request_id)
        kill_and_return(shop)
    upstream.wait_for_closed_early()
    [row] = customer.rows
    assert (row["outcome"], row["error_code"], row["usage_source"]) == (
        "failed",
        "server_restarted",
        "estimated",
    )
    tokens = row["usage"]
    cost = tokens["input"] * INPUT_NANO + tokens["output"] * OUTPUT_NANO
    assert 1_000 * cost == noted
    assert len(TEXT) / 8 < tokens["output"] < len(TEXT) / 2
    assert int(row["cost_nano"]) == cost
    assert customer.balance == (RICH_NANO - cost, 0)


def wait_until_noted(shop: Shop, request_id: str) -> int:
    """What the server has noted durably that a running request cost, in pico-dollars."""
    books = sqlite3.connect(f"file:{shop.gateway.home / 'runapi.db'}?mode=ro", uri=True)
    deadline = time.monotonic() + 20
    while True:
        query = "SELECT progress_pico FROM hold WHERE request_id = ?"
        [(noted,)] = books.execute(query, (request_id,)).fetchall()
        if noted:
            books.close()
            return int(noted)
        assert time.monotonic() < deadline, "nothing was noted"
        time.sleep(0.05)


def test_spent_limits_survive_a_restart(shop, upstream):
    daily, total, rich = shop.customer(), shop.customer(), shop.customer()
    daily.limit(spend_day=usd(hold_nano(LEAST_OUTPUT)))
    total.limit(spend_total=usd(hold_nano(LEAST_OUTPUT)))
    assert all(customer.ask().is_whole for customer in (daily, total, rich))
    kill_and_return(shop)
    assert daily.ask().error["code"] == "spend_limit_reached"
    assert total.ask().status == 402
    assert rich.ask().is_whole


def test_answer_under_a_key_is_replayed_after_a_kill(shop, upstream):
    customer = shop.customer()
    firsts = {
        stream: customer.ask(headers={"idempotency-key": f"kill-{stream}"}, stream=stream)
        for stream in (False, True)
    }
    upstream.then([steps.wait(NEVER)])
    with customer.open(headers={"idempotency-key": "cut"}):
        upstream.wait_for_calls(3)
        kill_and_return(shop)
    upstream.wait_for_closed_early()
    for stream, first in firsts.items():
        again = customer.ask(headers={"idempotency-key": f"kill-{stream}"}, stream=stream)
        assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert len(upstream.calls) == 3
    assert customer.balance == (RICH_NANO - 2 * COST_NANO, 0)
    cut = customer.ask(headers={"idempotency-key": "cut"})  # the key of what died is free
    assert cut.is_whole
    assert "idempotent-replayed" not in cut.headers
    assert customer.balance == (RICH_NANO - 3 * COST_NANO, 0)


def test_address_is_the_connection_s_where_no_proxy_is_trusted(shop, upstream):
    customer = shop.customer()
    customer.limit(networks=["127.0.0.0/8"])
    assert customer.ask(headers={"x-forwarded-for": "192.0.2.7"}).is_whole
    customer.limit(networks=["192.0.2.0/24"])
    refused = customer.ask(headers={"x-forwarded-for": "192.0.2.7"})
    assert (refused.status, refused.error["code"]) == (401, "ip_not_authorized")
    assert "127.0.0.1" in refused.error["message"]
