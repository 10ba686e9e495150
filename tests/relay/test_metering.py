"""Every request leaves one row, and its cost is what the published prices say, to the nano-dollar."""

import json

import pytest

from fakes import http, replies, steps
from fakes.replies import chunk
from relay.calls import HELLO, Caller, Whole, has

WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

# Nano-dollars a token for gpt-5.5: input, cached input, output. Half of OpenAI's price list of autumn 2026.
STANDARD, LONG = (2_500, 250, 15_000), (5_000, 500, 22_500)
FLEX, FLEX_LONG = (1_250, 125, 7_500), (2_500, 250, 11_250)
PRIORITY = (6_250, 625, 37_500)


def price(usage: dict, rates: tuple[int, int, int]) -> int:
    """What this usage costs, worked out apart from the product."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    fresh = usage["prompt_tokens"] - cached
    return fresh * rates[0] + cached * rates[1] + usage["completion_tokens"] * rates[2]


def answer(usage: object, *, stream: bool, text: str = "Hello.", tier: str = "default") -> steps.Script:
    """An answer that reports this usage; `usage=...` leaves it out."""
    if stream:
        items = [
            chunk({"role": "assistant", "content": text}, asked=True),
            chunk({}, finish_reason="stop", asked=True),
        ]
        items = [{**item, "service_tier": tier} for item in items]
        if usage is not ...:
            items.append({**chunk(None), "usage": usage, "service_tier": tier})
        return [steps.headers(200), steps.sse([*items, "[DONE]"])]
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    reply = {
        "id": replies.REPLY_ID,
        "object": "chat.completion",
        "created": replies.CREATED,
        "model": replies.MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "service_tier": tier,
    }
    return steps.json(reply if usage is ... else reply | {"usage": usage})


def ask(
    caller: Caller, upstream, script: steps.Script, *, stream: bool, **fields: object
) -> tuple[dict, dict]:
    """Ask, and give the usage that the client was told and the row that was left."""
    upstream.then(script)
    body = HELLO | fields
    if stream:
        got = caller.stream(body, valid=False)
        [told] = got.usages
        assert got.done
    else:
        got = caller.post(body, valid=False)
        told = got.json["usage"]
    row = caller.row()
    has(row, id=got.id, status=200, outcome="completed", stream=stream, model=body["model"], error_code=None)
    assert told["cost"] == float(row["cost_usd"])
    return told, row


@WAYS
@pytest.mark.parametrize(
    "case",
    [
        (replies.usage(19, 10), "default", STANDARD),
        (replies.usage(1, 0), "default", STANDARD),
        (replies.usage(12_000, 345, cached=8_000), "default", STANDARD),
        (replies.usage(2_000, 900, cached=2_000, reasoning=900), "default", STANDARD),
        (replies.usage(272_000, 7), "default", STANDARD),
        (replies.usage(272_001, 7, cached=128), "default", LONG),
        (replies.usage(19, 10, cached=3), "flex", FLEX),
        (replies.usage(300_000, 10), "flex", FLEX_LONG),
        (replies.usage(19, 10, cached=3), "priority", PRIORITY),
        (replies.usage(300_000, 10), "priority", LONG),
        (replies.usage(19, 10), "scale", STANDARD),
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, "default", STANDARD),
        ({"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": None}, "default", STANDARD),
    ],
    ids=str,
)
def test_cost_is_the_price_list_s_and_kinds_of_tokens_are_disjoint(caller: Caller, upstream, stream, case):
    usage, tier, rates = case
    told, row = ask(
        caller, upstream, answer(usage, stream=stream, tier=tier), stream=stream, service_tier=tier
    )
    assert {name: told[name] for name in usage} == usage
    has(row, usage_source="reported", cost_nano=str(price(usage, rates)), service_tier=tier)
    kinds = row["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    assert (kinds["input"], kinds["cached"], kinds["cache_write"]) == (
        usage["prompt_tokens"] - cached,
        cached,
        0,
    )
    assert kinds["output"] == usage["completion_tokens"] >= kinds["reasoning"]
    official = tuple(2 * rate for rate in rates)
    assert row["upstream_cost_nano"] == str(price(usage, official))


@WAYS
def test_priority_that_the_client_did_not_ask_for_is_charged_as_standard(caller: Caller, upstream, stream):
    usage = replies.usage(19, 10)
    _told, row = ask(caller, upstream, answer(usage, stream=stream, tier="priority"), stream=stream)
    assert row["cost_nano"] == str(price(usage, STANDARD))
    assert row["upstream_cost_nano"] == str(price(usage, tuple(2 * rate for rate in PRIORITY)))


@WAYS
@pytest.mark.parametrize(
    "usage",
    [
        ...,
        None,
        {},
        [],
        7,
        "many",
        True,
        {"prompt_tokens": 19},
        {"prompt_tokens": "19", "completion_tokens": 10},
        {"prompt_tokens": 19.5, "completion_tokens": 10},
        {"prompt_tokens": True, "completion_tokens": 10},
        {"prompt_tokens": -1, "completion_tokens": 10},
        {"prompt_tokens": None, "completion_tokens": 10},
        {"prompt_tokens": 10**18, "completion_tokens": 10},
        {"prompt_tokens": 19, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": -5}},
        {"prompt_tokens": 19, "completion_tokens": 10, "prompt_tokens_details": "none"},
    ],
    ids=repr,
)
def test_usage_that_is_missing_or_cannot_be_true_is_counted_here(
    caller: Caller, upstream, stream, usage
):  # F-31, F-32
    told, row = ask(caller, upstream, answer(usage, stream=stream, text="Hello there, world."), stream=stream)
    has(row, usage_source="estimated")
    counted = row["usage"]
    assert (counted["output"], counted["cached"], counted["reasoning"]) == (5, 0, 0)
    assert 8 <= counted["input"] <= 15
    assert (told["prompt_tokens"], told["completion_tokens"]) == (counted["input"], 5)
    assert told["total_tokens"] == counted["input"] + 5
    assert row["cost_nano"] == str(counted["input"] * 2_500 + 5 * 15_000)


@WAYS
@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (replies.usage(19, 10, cached=25), (0, 19, 10)),
        (replies.usage(19, 10) | {"total_tokens": 7}, (19, 0, 10)),
        (replies.usage(19, 10, reasoning=99), (19, 0, 10)),
        (
            replies.usage(19, 10) | {"prompt_tokens_details": {"cached_tokens": 15, "cache_write_tokens": 9}},
            (0, 15, 10),
        ),
    ],
    ids=str,
)
def test_parts_larger_than_their_whole_are_cut_down_to_it(
    caller: Caller, upstream, stream, usage, counted
):  # F-33
    _, row = ask(caller, upstream, answer(usage, stream=stream), stream=stream)
    kinds = row["usage"]
    assert (kinds["input"], kinds["cached"], kinds["output"]) == counted
    assert sum(kinds[kind] for kind in ("input", "cached", "cache_write")) == 19
    assert kinds["reasoning"] <= 10
    has(row, usage_source="reported")


DIGITS = b"9" * 5_000


@WAYS
def test_request_that_we_cannot_read_to_its_depth_is_counted_all_the_same(caller: Caller, upstream, stream):
    upstream.then(answer(..., stream=stream))
    body = b'{"model":"gpt-5.5","stream":%b,"messages":[{"role":"user","content":"x","x":%b}]}'
    with caller.open(body % (b"true" if stream else b"false", DIGITS)) as connection:
        assert connection.read_response().status == 200
    row = caller.row()
    has(row, outcome="completed", usage_source="estimated")
    assert int(row["cost_nano"]) > 0


def test_reply_that_nobody_counted_and_we_cannot_read_is_not_delivered(caller: Caller, upstream):
    odd = json.dumps({"choices": [{"message": {"content": "Hello.", "x": 0}}]}).encode().replace(b"0", DIGITS)
    upstream.then([steps.headers(200, {"content-length": str(len(odd))}), steps.body(odd)])
    assert caller.post(HELLO).error["code"] == "upstream_bad_reply"
    has(caller.row(), outcome="failed", cost_nano="0")


@pytest.mark.parametrize("asked", [False, True], ids=["not asked", "asked"])
def test_last_of_several_reports_counts_and_none_is_added_up(caller: Caller, upstream, asked):  # F-34
    items = [
        chunk({"role": "assistant", "content": "a"}, usage=replies.usage(19, 1)),
        chunk({"content": "b"}, usage=replies.usage(19, 2)),
        chunk({}, finish_reason="stop", usage=replies.usage(19, 3)),
        chunk(None, usage=replies.usage(19, 4)),
    ]
    options = {"stream_options": {"include_usage": True}} if asked else {}
    script = [steps.headers(200), steps.sse([*items, "[DONE]"])]
    told, row = ask(caller, upstream, script, stream=True, **options)
    assert (told["completion_tokens"], row["usage"]["output"]) == (4, 4)
    assert row["cost_nano"] == str(19 * 2_500 + 4 * 15_000)


@pytest.mark.parametrize("usage", [5, 1741569952, {}, [], True, 0], ids=repr)
@pytest.mark.parametrize("first", [False, True], ids=["usage last", "usage first"])
def test_number_that_stands_elsewhere_too_is_not_taken_for_the_usage(caller: Caller, upstream, usage, first):
    finish = {**chunk({}, finish_reason="stop", padded=False), "x": [5, {}, [], True, 0, {"usage": None}]}
    finish = {"usage": usage, **finish} if first else {**finish, "usage": usage}
    items = [chunk({"role": "assistant", "content": "a"}), finish, "[DONE]"]
    upstream.then([steps.headers(200), steps.sse(items)])
    got = caller.stream(HELLO, valid=False)
    last = got.chunks[-1]
    assert (last["x"][:5], last["choices"][0]["delta"], last["created"]) == (
        [5, {}, [], True, 0],
        {},
        replies.CREATED,
    )
    assert last["usage"]["completion_tokens"] == 1
    has(caller.row(), usage_source="estimated")


@WAYS
@pytest.mark.parametrize("text", ["", None])
def test_empty_answer_is_not_charged(caller: Caller, upstream, stream, text):
    usage = replies.usage(19, 10, reasoning=10)
    told, row = ask(caller, upstream, answer(usage, stream=stream, text=text), stream=stream)
    assert told["cost"] == 0
    has(row, cost_nano="0", usage_source="reported", upstream_cost_nano=str(2 * (19 * 2_500 + 10 * 15_000)))


@WAYS
def test_calls_and_refusals_are_charged_though_nobody_counted_them(caller: Caller, upstream, stream):
    call = replies.Call("get_weather", '{"city":"Berlin"}')
    script = (
        replies.stream_tool_reply(call.name, call.arguments, include_usage=False)
        if stream
        else replies.tool_reply(call.name, call.arguments, usage=None)
    )
    _, row = ask(caller, upstream, script, stream=stream)
    has(row, usage_source="estimated")
    assert row["usage"]["output"] >= 5
    assert int(row["cost_nano"]) > 0


@WAYS
def test_what_the_operator_is_charged_follows_the_upstream_s_share(caller: Caller, upstream, stream):
    caller.add_upstream(
        "cheap", upstream.base_url, upstream.api_key, ("gpt-5.5",), priority=1, cost_ratio="0.8"
    )
    try:
        _, row = ask(caller, upstream, answer(replies.usage(19, 10), stream=stream), stream=stream)
    finally:
        caller.remove_upstream("cheap")
    has(row, upstream="cheap", cost_nano="197500", upstream_cost_nano="316000")


@WAYS
def test_row_tells_the_whole_story(caller: Caller, upstream, stream):
    _, row = ask(
        caller,
        upstream,
        [steps.sleep(0.05), *answer(replies.USAGE, stream=stream)],
        stream=stream,
        temperature=0.3,
    )
    has(
        row,
        account="caller",
        mode="live",
        endpoint="/v1/chat/completions",
        upstream="scripted",
        upstream_model="gpt-5.5",
        attempts=1,
        client_left=False,
        dropped=["temperature"],
        cost_usd="0.0001975",
        upstream_cost_usd="0.000395",
    )
    assert caller.key().startswith(row["key"])
    assert 50_000 <= row["first_byte_us"] <= row["total_us"] < 30_000_000


REFUSED = [
    (b"", 400, "invalid_json"),
    (b'{"model":"gpt-5.5"', 400, "invalid_json"),
    (b"[]", 400, "invalid_type"),
    (b'{"messages":[]}', 400, "missing_required_parameter"),
    (b'{"model":"gpt-5.5","messages":[]}', 400, "empty_array"),
    (b'{"model":"gpt-5.5","messages":[{"role":"user","content":"x"}],"n":0}', 400, "invalid_value"),
    (b'{"model":"no-such","messages":[{"role":"user","content":"x"}]}', 404, "model_not_found"),
    (b'{"model":"no-such","messages":[{"role":"user","content":"x"}],"stream":true}', 404, "model_not_found"),
]


@pytest.mark.parametrize(("body", "status", "code"), REFUSED, ids=[code for _, _, code in REFUSED])
def test_refused_request_leaves_a_row_too_and_reaches_no_upstream(
    caller: Caller, upstream, body, status, code
):
    got = caller.post(body)
    assert (got.status, got.error["code"]) == (status, code)
    row = caller.row()
    has(
        row,
        id=got.id,
        outcome="refused",
        status=status,
        error_code=code,
        cost_nano="0",
        upstream=None,
        attempts=0,
    )
    has(
        row,
        usage_source="none",
        usage=dict.fromkeys(("input", "cached", "cache_write", "output", "reasoning"), 0),
    )
    assert upstream.calls == []


def test_model_that_nobody_serves_leaves_a_row(caller: Caller, upstream):
    got = caller.post(HELLO | {"model": "gpt-5.3-codex"})
    assert (got.status, got.error["code"]) == (503, "no_upstream")
    has(caller.row(), id=got.id, outcome="failed", error_code="no_upstream", cost_nano="0")


def test_requests_side_by_side_leave_a_row_each_with_the_right_answer(caller: Caller, upstream):  # F-55
    upstream.default = [
        steps.answer(lambda request: replies.stream_reply([request.json["messages"][0]["content"]]))
    ]
    said = [f"nonce {number}" for number in range(60)]
    opened = [
        caller.open({"model": "gpt-5.5", "stream": True, "messages": [{"role": "user", "content": text}]})
        for text in said
    ]
    got = [caller.read(connection) for connection in opened]
    for connection in opened:
        connection.close()
    assert [stream.text for stream in got] == said
    assert {row["id"] for row in caller.rows(60)} == {stream.id for stream in got}


# ---- the sandbox -----------------------------------------------------------------------------------------


def said(text: str) -> dict:
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": text}]}


@WAYS
def test_test_key_reaches_the_sandbox_and_is_metered_in_play_money(caller: Caller, upstream, stream):
    key = caller.key(mode="test")
    got = caller.stream(said("hi"), key=key) if stream else caller.post(said("hi"), key=key)
    assert got.text
    row = caller.row()
    has(
        row,
        mode="test",
        upstream="sandbox",
        outcome="completed",
        usage_source="reported",
        upstream_cost_nano="0",
    )
    assert row["cost_nano"] == str(row["usage"]["input"] * 2_500 + row["usage"]["output"] * 15_000) != "0"
    assert upstream.calls == []


@WAYS
def test_sandbox_that_is_told_to_cut_is_an_upstream_that_breaks(caller: Caller, stream):
    key = caller.key(mode="test")
    if stream:
        got = caller.stream(said("[[sandbox:cut_after 3]] Count to ten."), key=key)
        assert not got.done
        assert got.error["code"] == "upstream_truncated"
    else:
        got = caller.post(said("[[sandbox:cut_after 3]] Count to ten."), key=key)
        assert (got.status, got.error["code"]) == (502, "upstream_bad_reply")
    has(caller.row(), outcome="failed", cost_nano="0")


@WAYS
def test_sandbox_that_is_told_to_refuse_says_what_it_was_told(caller: Caller, stream):
    key = caller.key(mode="test")
    for _ in range(2):  # it is never cooled down
        got = caller.post(said("[[sandbox:status 429 retry_after=5]]") | {"stream": stream}, key=key)
        assert isinstance(got, Whole)
        assert (got.status, got.headers["retry-after"]) == (429, "5")
    assert [row["outcome"] for row in caller.rows(2)] == ["failed", "failed"]


def test_requests_without_a_key_leave_no_row(caller: Caller):
    assert http.post(caller.gateway.url, HELLO).status == 401
    caller.rows(0)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"content-type": "application/xml"}, b"<x/>", 415, "unsupported_content_type"),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            b"{}",
            415,
            "unsupported_encoding",
        ),
    ],
)
def test_body_that_is_not_even_read_leaves_a_row(caller: Caller, headers, body, status, code):
    url, key = caller.gateway.url, caller.key()
    auth = {"authorization": f"Bearer {key}"}
    got = http.request(url, "POST", "/v1/chat/completions", body=body, headers=auth | headers)
    assert got.status == status
    has(caller.row(), status=status, error_code=code, outcome="refused", cost_nano="0", upstream=None)


def test_body_that_is_announced_as_too_large_leaves_a_row(caller: Caller):
    connection = http.Connection(caller.gateway.url)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {caller.key()}\r\n"
    connection.send(head.encode() + b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
    assert connection.read_response().status == 413
    connection.close()
    has(caller.row(), status=413, error_code="request_too_large", outcome="refused", cost_nano="0")
