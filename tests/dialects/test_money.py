"""Money, limits, idempotency and receipts are the same on every protocol."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from dialects.cases import BOTH, PATHS
from dialects.town import CHAT, CLAUDE, COST_NANO, HELLO, MESSAGES, RESPONSES
from fakes import http, replies, responses_replies, steps
from runapi.core.check_receipt import check_receipt

CAP = {CHAT: "max_completion_tokens", RESPONSES: "max_output_tokens", MESSAGES: "max_tokens"}


def cap_of(upstream):
    return upstream.calls[-1].json["max_output_tokens"]


# ---- holds and limits ------------------------------------------------------------------------------------


@PATHS
@BOTH
def test_who_cannot_pay_is_refused_and_calls_nobody(town, responses_only, path, stream):
    poor = town.customer(100_000)
    heard = poor.hear(path, stream=stream)
    assert heard.status == 402
    assert heard.error["type"] == ("billing_error" if path == MESSAGES else "insufficient_quota")
    assert responses_only.calls == []
    assert poor.balance == (100_000, 0)


@PATHS
def test_what_is_affordable_is_the_cap(town, responses_only, path):
    customer = town.customer(2_000_000)  # 133 tokens of output at most, less what the prompt may cost
    heard = customer.hear(path, **{CAP[path]: 100_000})
    assert heard.is_whole
    assert 16 <= cap_of(responses_only) < 134
    assert customer.balance == (2_000_000 - COST_NANO, 0)


@PATHS
def test_max_cost_is_kept(town, responses_only, path):
    customer = town.customer()
    refused = customer.hear(path, headers={"x-runapi-max-cost": "0.0001"})
    assert refused.status == 400
    heard = customer.hear(path, headers={"x-runapi-max-cost": "0.002"})
    assert heard.is_whole
    assert cap_of(responses_only) < 134
    assert dict(customer.transfers(heard.id))["hold"] <= 2_000_000
    assert customer.hear(path, max_cost=0.0001).status == 400
    assert len(responses_only.calls) == 1


@PATHS
def test_limits_of_a_key_count_every_protocol(town, responses_only, path):
    customer = town.customer()
    customer.limit(models=["gpt-5.5"])
    assert customer.hear(path, model="gpt-5.4").status == 404
    customer.limit(requests_per_minute=2)
    assert customer.hear(path).status == 200
    assert customer.hear(CHAT).status == 200
    limited = customer.hear(path)
    assert limited.status == 429
    assert int(limited.headers["retry-after"]) > 0


@PATHS
@BOTH
def test_no_more_is_spent_than_there_is(town, responses_only, path, stream):
    hold_nano = 5_000_000  # at most: what each of them sets aside
    customer = town.customer(3 * hold_nano)
    go = threading.Event()
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.default = [steps.wait(go), *make(usage=responses_replies.usage(19, 250))]
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(customer.hear, path, stream=stream, **{CAP[path]: 256}) for _ in range(12)]
        responses_only.wait_for_calls(2)
        go.set()
        heard = [one.result() for one in asked]
    served = [one for one in heard if one.is_whole]
    assert 2 <= len(served) < 12
    assert {one.status for one in heard} <= {200, 402, 429}
    assert len(responses_only.calls) == len(served)
    spent = sum(one.cost_nano for one in served)
    assert customer.balance == (3 * hold_nano - spent, 0)
    assert all(row["cost_nano"] == "0" for row in customer.rows if row["status"] != 200)


@PATHS
@BOTH
def test_upstream_that_reports_more_than_was_held_is_not_the_customer_s_loss(
    town, responses_only, path, stream
):
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.then(make(usage=responses_replies.usage(10_000, 9_000)))
    customer = town.customer()
    heard = customer.hear(path, stream=stream, **{CAP[path]: 100})
    held = dict(customer.transfers(heard.id))["hold"]
    assert heard.cost_nano == customer.spent_nano == held


@PATHS
@BOTH
def test_usage_that_nobody_reports_is_counted_here(town, responses_only, path, stream):
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.then(make(usage=None))
    customer = town.customer()
    heard = customer.hear(path, stream=stream)
    row = customer.row
    assert row["usage_source"] == "estimated"
    assert row["usage"]["input"] > 0
    assert row["usage"]["output"] == 2  # "Hello."
    assert heard.cost_nano == customer.spent_nano == row["usage"]["input"] * 2_500 + 2 * 15_000


# ---- receipts --------------------------------------------------------------------------------------------


@PATHS
@BOTH
@pytest.mark.parametrize("server", ["responses_only", "chat_only", "messages_only"])
def test_receipt_verifies_whatever_the_dialects(town, request, path, stream, server):
    request.getfixturevalue(server)
    customer = town.customer()
    model = CLAUDE if server == "messages_only" else "gpt-5.5"
    asked = json.dumps({**HELLO[path], "model": model, "stream": stream}).encode()
    heard = customer.hear(path, asked)
    got = http.request(town.gateway.url, "GET", f"/v1/requests/{heard.id}/receipt", key=customer.key)
    assert got.status == 200, got.body
    assert check_receipt(got.body).fault is None
    receipt = got.json["receipt"]
    assert receipt["endpoint"] == path
    told = json.loads(receipt["upstream_usage"])
    assert {"prompt_tokens", "input_tokens"} & told.keys()
    assert receipt["request_sha256"] == sha256(asked).hexdigest()
    assert receipt["response_sha256"] == sha256(heard.body).hexdigest()


def test_receipt_is_verified_by_the_command(town, responses_only, tmp_path):
    customer = town.customer()
    heard = customer.hear(MESSAGES, stream=True)
    got = http.request(town.gateway.url, "GET", f"/v1/requests/{heard.id}/receipt", key=customer.key)
    file = tmp_path / "receipt.json"
    file.write_bytes(got.body)
    ended = town.gateway.command("receipts", "verify", str(file))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    file.write_bytes(got.body.replace(b"/v1/messages", b"/v1/massages"))
    assert town.gateway.command("receipts", "verify", str(file)).returncode == 1


# ---- sent twice ------------------------------------------------------------------------------------------


@PATHS
@BOTH
def test_request_under_a_key_is_answered_again_with_the_same_bytes(town, responses_only, path, stream):
    customer = town.customer()
    headers = {"idempotency-key": "order-7"}
    first = customer.hear(path, headers=headers, stream=stream)
    again = customer.hear(path, headers=headers, stream=stream)
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    assert len(responses_only.calls) == 1
    assert customer.spent_nano == COST_NANO
    other = customer.hear(path, headers=headers, stream=stream, model="gpt-5.4")
    assert other.status == 422


@PATHS
@BOTH
def test_request_under_a_key_that_runs_is_joined(town, responses_only, path, stream):
    customer = town.customer()
    go, asked = threading.Event(), threading.Event()
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.then([steps.signal(asked), steps.wait(go), *make()])
    with ThreadPoolExecutor(2) as pool:
        headers = {"idempotency-key": "order-8"}
        both = [pool.submit(customer.hear, path, headers=headers, stream=stream) for _ in range(2)]
        assert asked.wait(10)
        go.set()
        first, second = [one.result() for one in both]
    assert first.body == second.body
    assert first.id == second.id
    assert len(responses_only.calls) == 1
    assert customer.spent_nano == COST_NANO


@PATHS
def test_key_of_one_protocol_is_not_for_another(town, responses_only, path):
    customer = town.customer()
    headers = {"idempotency-key": "order-9"}
    assert customer.hear(path, headers=headers).is_whole
    other = customer.hear(CHAT if path != CHAT else MESSAGES, headers=headers)
    assert other.status == 422
    assert customer.spent_nano == COST_NANO


@PATHS
@BOTH
def test_request_under_a_key_that_failed_may_be_sent_again(town, responses_only, path, stream):
    customer = town.customer()
    responses_only.then(replies.error(500))
    headers = {"idempotency-key": "order-10"}
    assert customer.hear(path, headers=headers, stream=stream).status == 500
    assert customer.hear(path, headers=headers, stream=stream).is_whole
    assert customer.spent_nano == COST_NANO
