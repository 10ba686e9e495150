"""Upstreams that refuse: what the client is told, who is tried next, and who is left alone for how long."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from fakes import replies, steps
from faults.kinds import HTML, page
from relay.calls import HELLO, Whole, has

UNCHARGED = {"cost_nano": "0", "outcome": "failed", "usage_source": "none"}
MINI = HELLO | {"model": "gpt-5.4-mini"}
ASKS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def ask(caller, body=HELLO, *, stream=False) -> Whole:
    got = caller.post({**body, "stream": stream})
    assert isinstance(got, Whole)
    return got


@ASKS
@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_refusal_of_the_client_s_request_is_passed_on_and_no_other_upstream_is_asked(
    caller, first, second, stream, status
):  # F-40
    first.then(
        replies.error(status, "Too many images.", type="invalid_request_error", param="messages", code="odd")
    )
    got = ask(caller, stream=stream)
    assert (got.status, got.error) == (
        status,
        {"message": "Too many images.", "type": "invalid_request_error", "param": "messages", "code": "odd"},
    )
    has(caller.row(), **UNCHARGED, status=status, error_code="odd", attempts=1)
    assert second.calls == []


@ASKS
def test_model_that_an_upstream_does_not_know_is_asked_for_elsewhere(caller, first, second, stream):
    unknown = replies.error(404, "No such model.", type="invalid_request_error", code="model_not_found")
    first.then(unknown, unknown)
    second.then([steps.answer(replies.polite_answer)], replies.error(500))
    assert ask(caller).text == "Hello."
    assert ask(caller, stream=stream).error["code"] == "upstream_error"  # somebody has it, and failed
    caller.rows(2)


@ASKS
@pytest.mark.parametrize(
    "said",
    [{"code": "model_not_found"}, {"message": "The model `gpt-5.5` does not exist."}, {"param": "model"}],
)
def test_model_that_no_upstream_knows_is_not_there(caller, first, stream, said):
    first.then(replies.error(404, type="invalid_request_error", **said))
    got = ask(caller, stream=stream)
    assert (got.status, got.error["code"], got.error["param"]) == (404, "model_not_found", "model")
    assert got.headers["x-should-retry"] == "false"
    has(caller.row(), **UNCHARGED)


NOT_OUR_URL = [
    page(404),
    page(404, '{"detail":"Not Found"}'),
    replies.error(404, "Unknown request URL: POST /chat/completions.", type="x", code="unknown_url"),
    replies.error(404, "Resource not found", type="invalid_request_error", code="404"),
]


@ASKS
@pytest.mark.parametrize("script", NOT_OUR_URL, ids=["page", "detail", "unknown_url", "resource"])
def test_base_url_that_is_wrong_is_not_the_client_s_mistake(caller, first, stream, script):
    first.then(script)
    got = ask(caller, stream=stream)
    assert (got.status, got.error["code"]) == (503, "upstream_unavailable")
    has(caller.row(), **UNCHARGED, status=503)


@ASKS
def test_base_url_that_is_wrong_has_another_upstream_asked(caller, first, second, stream):
    first.then(page(404))
    got = caller.stream(HELLO) if stream else caller.post(HELLO)
    assert got.text == "Hello."
    has(caller.row(), upstream="second", status=200, upstream_error="404 html")


@ASKS
def test_thing_that_the_request_names_and_is_not_there_is_the_client_s_to_mend(caller, first, second, stream):
    said = "Item with id 'rs_1' not found."
    first.then(replies.error(404, said, type="invalid_request_error", param="input"))
    got = ask(caller, stream=stream)
    assert (got.status, got.error["message"], got.error["param"]) == (404, said, "input")
    assert second.calls == []
    has(caller.row(), **UNCHARGED, status=404)


def test_client_s_own_errors_do_not_count_against_an_upstream(caller, first, second):
    for status in (400, 404, 422, 413, 400, 404):
        first.then(replies.error(status, "No.", type="invalid_request_error", param="input"))
        caller.post(HELLO)
    assert caller.post(HELLO).text == "Hello."
    assert caller.rows(7)[-1]["upstream"] == "first"


LEAKY = "Key sk-canary-key at http://10.0.0.7:8443/v1 or localhost, model theirs-5"


@ASKS
def test_message_is_passed_on_without_what_is_the_operator_s(caller, first, stream):  # F-50
    caller.never += ["10.0.0.7", "localhost", "theirs-5"]
    caller.add_upstream(
        "leaky",
        f"http://localhost:{first.port}/v1",
        "sk-canary-key",
        ("gpt-5.4-nano",),
        model_map={"gpt-5.4-nano": "theirs-5"},
    )
    try:
        first.then(replies.error(400, LEAKY, type=LEAKY, param=LEAKY, code=LEAKY))
        got = ask(caller, HELLO | {"model": "gpt-5.4-nano"}, stream=stream)
    finally:
        caller.remove_upstream("leaky")
        del caller.never[-3:]
    assert got.error["message"].startswith(
        "Key *** at (address left out) or (host left out), model gpt-5.4-nano"
    )
    row = caller.row()
    assert "sk-canary" not in str(row)
    assert len(row["error_code"]) <= 100


@ASKS
@pytest.mark.parametrize("text", [HTML, "<html>nginx</html>", "Proxy said: <body>no</body>"])
def test_page_inside_an_error_is_not_passed_on(caller, first, stream, text):
    first.then(replies.error(400, text, type="invalid_request_error"))
    assert ask(caller, stream=stream).error["message"] == "The service behind this model refused the request."
    caller.row()


@ASKS
@pytest.mark.parametrize(
    "body", ["null", "[]", '"no"', '{"error":"plain text"}', '{"error":{"message":7}}', "\xff", ""]
)
def test_refusal_in_any_shape_is_told_in_openai_s(caller, first, stream, body):
    first.then(page(400, body))
    got = ask(caller, stream=stream)
    assert got.status == 400
    assert got.error["type"] == "invalid_request_error"
    caller.row()


@ASKS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(caller, first, second, stream, status):  # F-43
    target = f"{second.base_url}/chat/completions"
    caller.remove_upstream("second")
    try:
        first.then([steps.headers(status, {"location": target, "content-length": "0"})])
        got = ask(caller, stream=stream)
    finally:
        caller.add_upstream("second", second.base_url, second.api_key, ("gpt-5.5",))
    assert (got.status, got.error["code"]) == (502, "upstream_bad_reply")
    assert second.calls == []
    caller.row()


# ---- rate limits (F-41) ----------------------------------------------------------------------------------


def date_in(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@ASKS
@pytest.mark.parametrize(
    ("fields", "waits"),
    [
        ({"retry-after": "7"}, (7, 7)),
        ({"retry-after": "0"}, (1, 1)),
        ({"retry-after": "-5"}, (1, 1)),
        ({"retry-after": "1000000000"}, (60, 60)),
        ({"retry-after": "soon"}, (5, 5)),
        ({}, (5, 5)),
        ({"retry-after": date_in(40)}, (1, 40)),
        ({"retry-after": date_in(-40)}, (1, 1)),
        ({"retry-after": date_in(100_000)}, (60, 60)),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "8.64s"}, (9, 9)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}, (60, 60)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, (1, 1)),
        ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "30s"}, (5, 5)),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "never"}, (5, 5)),
    ],
)
def test_rate_limit_is_told_with_our_own_time_and_kept_to(caller, first, stream, fields, waits):
    said = {
        "error": {"message": "Slow down.", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}
    }
    first.then(steps.json(said, 429, fields))
    lasts = waits[0] > 1  # longer than two requests take on the slowest machine
    for _ in range(1 + lasts):  # the second is told so without asking the upstream
        got = ask(caller, stream=stream)
        assert (got.status, got.error["code"], got.error["type"]) == (429, "rate_limit_exceeded", "requests")
        assert waits[0] - 1 <= int(got.headers["retry-after"]) <= waits[1]
    told, *kept = caller.rows(1 + lasts)
    has(told, **UNCHARGED, status=429, attempts=1)
    for row in kept:
        has(row, **UNCHARGED, status=429, attempts=0, upstream=None)
    assert len(first.calls) == 1


def test_rate_limit_holds_for_one_model_and_for_its_time(caller, first):
    first.then(replies.error(429, "Slow down.", retry_after=3))
    assert ask(caller).status == 429
    assert ask(caller, MINI).text == "Hello."
    assert ask(caller).status == 429
    time.sleep(3.05)
    assert ask(caller).text == "Hello."
    caller.rows(4)


def test_rate_limited_upstream_is_passed_over_until_all_are(caller, first, second):
    first.then(replies.error(429, "Slow down.", retry_after=30))
    assert ask(caller).text == "Hello."
    second.then(replies.error(429, "Slow down.", retry_after=10))
    assert ask(caller).status == 429
    limited = ask(caller)
    assert (limited.status, limited.headers["retry-after"]) == (429, "10")
    assert [len(first.calls), len(second.calls)] == [1, 2]
    caller.rows(3)


# ---- upstreams that keep failing (F-39, F-42) ------------------------------------------------------------


def test_upstream_that_failed_five_times_in_a_row_is_tried_last(caller, first, second):
    first.then(*[replies.error(500)] * 5)
    for _ in range(6):
        assert ask(caller).text == "Hello."
    assert [row["attempts"] for row in caller.rows(6)] == [2, 2, 2, 2, 2, 1]
    second.then(replies.error(500))
    assert ask(caller).text == "Hello."  # rather than none at all
    assert caller.row()["upstream"] == "first"


def test_success_between_failures_keeps_an_upstream_in_its_place(caller, first, second):
    for _ in range(2):
        first.then(*[replies.error(500)] * 4, [steps.answer(replies.polite_answer)])
        for _ in range(5):
            ask(caller)
    assert ask(caller).text == "Hello."
    assert caller.rows(11)[-1]["upstream"] == "first"


def test_upstream_that_refuses_our_key_is_tried_last_at_once(caller, first, second):
    first.then(replies.error(401, "Bad key."))
    assert ask(caller).text == ask(caller).text == "Hello."
    assert [row["attempts"] for row in caller.rows(2)] == [2, 1]


def test_upstream_that_was_set_up_again_is_tried_again(caller, first, second):
    first.then(replies.error(401, "Bad key."))
    ask(caller)
    caller.remove_upstream("first")
    caller.add_upstream("first", first.base_url, first.api_key, ("gpt-5.5",), priority=1)
    ask(caller)
    assert [row["upstream"] for row in caller.rows(2)] == ["second", "first"]


def test_no_more_than_three_upstreams_are_tried(caller, first, second):
    for name in ("third", "fourth"):
        caller.add_upstream(name, second.base_url, second.api_key, ("gpt-5.5",), priority=3)
    try:
        first.then(replies.error(500))
        second.then(replies.error(500), replies.error(502))
        assert ask(caller).status == 502
    finally:
        caller.remove_upstream("third")
        caller.remove_upstream("fourth")
    assert caller.row()["attempts"] == 3
