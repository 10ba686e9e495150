"""What an upstream says of itself neither breaks a request, nor fills the books, nor tells whose account it is."""

import json

import pytest

from dialects.town import CHAT, GPTS, RESPONSES
from fakes import http, replies, responses_replies, steps
from fakes.upstream import ScriptedUpstream

TIER = "\u001b[2J\u0000" + "T" * 100_000


def refusal(status, fields, message="Slow down."):
    data = json.dumps({"error": {"message": message, "type": "x", "param": None, "code": None}}).encode()
    return [steps.headers(status, {**fields, "content-length": str(len(data))}), steps.body(data)]


@pytest.fixture
def spare(raided):
    """Another upstream, for when the first will not serve."""
    with ScriptedUpstream() as upstream:
        raided.serve_as(upstream, "spare", [CHAT, RESPONSES], GPTS)
        yield upstream
        raided.command("upstreams.remove", name="spare")


@pytest.mark.parametrize(
    "fields",
    [
        {"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"},
        {"retry-after": "9" * 5_000},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9" * 5_000 + "s"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 5_000 + "ms"},
    ],
    ids=["far year", "long number", "long seconds", "long milliseconds"],
)
@pytest.mark.parametrize("status", [429, 500])
def test_next_upstream_is_asked_whatever_the_pause_that_one_wants(raided, rogue, spare, status, fields):
    rogue.default = refusal(status, fields)
    heard = raided.customer().hear(CHAT, model="gpt-5.4-nano")
    assert heard.status == 200
    assert len(spare.calls) == 1
    raided.gateway.assert_clean_log()


def test_pause_that_nobody_can_read_is_a_short_one(raided, rogue):
    rogue.then(refusal(429, {"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}))
    heard = raided.customer().hear(RESPONSES, model="gpt-5.3-codex")
    assert heard.status == 429
    assert int(heard.headers["retry-after"]) == 5


def test_operator_s_account_is_not_told(raided, rogue):
    message = (
        "Project `proj_AbCdEfGhIjKlMnOpQrSt` of org-AbCdEfGhIjKlMnOpQrStUvWx may not do this; see org-chart."
    )
    rogue.then(refusal(400, {}, message))
    heard = raided.customer().hear(CHAT)
    assert heard.error["message"] == "Project `***` of *** may not do this; see org-chart."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_service_tier_that_is_no_word_stays_out_of_the_books(raided, rogue, stream):
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "service_tier": TIER}
    if stream:
        said = {**chunk, "choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": "stop"}]}
        end = {**chunk, "choices": [], "usage": replies.USAGE}
        rogue.then([steps.headers(200), *steps.sse([said, end]), steps.done()])
    else:
        answer = [
            {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
        ]
        reply = {**chunk, "object": "chat.completion", "choices": answer, "usage": replies.USAGE}
        rogue.then(steps.json(reply))
    customer = raided.customer()
    asked = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    heard = http.request(raided.gateway.url, "POST", CHAT, key=customer.key, json=asked)
    assert heard.status == 200
    assert TIER[10:].encode() in heard.body  # the client gets the upstream's bytes all the same
    [row] = customer.rows
    assert row["service_tier"] is None
    assert row["cost_nano"] == str(19 * 2_500 + 10 * 15_000)


def test_usage_report_without_end_is_charged_and_stays_out_of_the_receipt(raided, rogue):
    rogue.then(responses_replies.plain_reply(usage={**responses_replies.USAGE, "more": "x" * 100_000}))
    customer = raided.customer()
    asked = {"model": "gpt-5.5", "input": "x"}
    heard = http.request(raided.gateway.url, "POST", RESPONSES, key=customer.key, json=asked)
    assert heard.status == 200
    [row] = customer.rows
    assert row["usage_source"] == "reported"
    assert row["cost_nano"] == str(19 * 2_500 + 10 * 15_000)
    got = customer.get(f"/v1/requests/{row['id']}/receipt")
    assert got.json["receipt"]["upstream_usage"] is None
