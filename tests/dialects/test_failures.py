"""What goes wrong at an upstream, told in the client's protocol; nothing of it is charged."""

import pytest

from dialects.cases import BOTH, PATHS, SERVERS, model_at
from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import anthropic_replies, http, replies, responses_replies, steps

ASKED = pytest.mark.parametrize(
    "asked", [(path, stream) for path in (CHAT, RESPONSES, MESSAGES) for stream in (False, True)]
)
ANTHROPICS = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}
ANTHROPICS |= {503: "overloaded_error"}


TOLD = {400: 400, 401: 503, 403: 503, 404: 503, 429: 429, 500: 500, 503: 503}
"""What a client is told where an upstream refused with this status."""


def refusal_by(server, status, message="Broken.", retry_after=None):
    if server == "messages_only":
        kind = ANTHROPICS.get(status, "api_error")
        return anthropic_replies.error(status, message, type=kind, retry_after=retry_after)
    return replies.error(status, message, type="invalid_request_error", retry_after=retry_after)


def failing(server, how, *, begun):
    """A stream that fails by the upstream's own word, or by breaking off; before or after it has said something."""
    match server, how:
        case "chat_only", "says so":
            error = {
                "error": {"message": "Server exploded.", "type": "server_error", "param": None, "code": None}
            }
            said = [
                replies.chunk({"role": "assistant", "content": ""}),
                *([replies.chunk({"content": "Hel"})] * begun),
            ]
            return [steps.headers(200), *steps.sse([*said, error])]
        case "chat_only", _:
            said = [
                replies.chunk({"role": "assistant", "content": ""}),
                *([replies.chunk({"content": "Hel"})] * begun),
            ]
            return [steps.headers(200), *steps.sse(said), steps.sleep(0.05), steps.rst()]
        case "responses_only", "says so":
            return responses_replies.stream_failed_reply(after=5 if begun else 2)
        case "responses_only", "says error":
            return responses_replies.stream_error_reply(after=5 if begun else 2)
        case "responses_only", _:
            return responses_replies.stream_reply(
                cut_after=5 if begun else 2, cut=[steps.sleep(0.05), steps.rst()]
            )
        case _, "says so":
            return anthropic_replies.stream_error_reply(after=4 if begun else 1, kind="api_error")
        case _:
            return anthropic_replies.stream_reply(
                cut_after=4 if begun else 1, cut=[steps.sleep(0.05), steps.rst()]
            )


def check_broken(heard):
    """The end of a broken answer, which no client takes for a whole one."""
    events = heard.events
    match heard.path:
        case "/v1/chat/completions":
            assert "error" in events[-1]
            assert b"[DONE]" not in heard.body
            assert not any(choice["finish_reason"] for one in events[:-1] for choice in one["choices"])
        case "/v1/responses":
            assert heard.kinds[-2:] == ["error", "response.failed"]
            assert events[-1]["response"]["error"]["code"] == "server_error"
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
        case _:
            assert heard.kinds[-1] == "error"
            assert "message_stop" not in heard.kinds
            assert events[-1]["request_id"] == heard.id


HOWS = pytest.mark.parametrize("how", ["says so", "says error", "breaks off"])


@PATHS
@SERVERS
@HOWS
def test_stream_that_breaks_says_so_and_is_free(town, upstream, path, server, how):
    upstream.then(failing(server, how, begun=True))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=True)
    assert heard.status == 200
    check_broken(heard)
    row = customer.row
    assert (row["outcome"], row["cost_nano"], row["status"]) == ("failed", "0", 200)
    assert row["usage_source"] == "estimated"
    assert customer.spent_nano == 0


@PATHS
@SERVERS
@HOWS
def test_stream_that_breaks_before_it_says_anything_is_refused_and_free(town, upstream, path, server, how):
    upstream.then(failing(server, how, begun=False))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=True)
    if (path, server, heard.status) == (CHAT, "chat_only", 200):  # the chunk that names the role had gone on
        check_broken(heard)
    else:
        assert heard.status == 502
        assert path != MESSAGES or heard.error["type"] == "api_error"
    assert (customer.row["outcome"], customer.spent_nano) == ("failed", 0)


@PATHS
@BOTH
def test_response_that_failed_is_a_refusal(town, responses_only, path, stream):
    make = responses_replies.stream_failed_reply if stream else responses_replies.failed_reply
    responses_only.then(make(items=[]))
    customer = town.customer()
    heard = customer.hear(path, stream=stream)
    assert heard.status == 502
    assert customer.spent_nano == 0


@ASKED
@SERVERS
@pytest.mark.parametrize("status", TOLD)
def test_upstream_s_refusal_is_told_in_the_client_s_words(town, upstream, asked, server, status):
    path, stream = asked
    upstream.then(refusal_by(server, status, retry_after=7 if status == 429 else None))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=stream)
    assert heard.status == TOLD[status]
    if path == MESSAGES:
        assert heard.error["type"] == ANTHROPICS[TOLD[status]]
    if status == 429:
        assert heard.headers["retry-after"] == "7"
    if status == 400:
        assert heard.error["message"] == "Broken."
    assert upstream.api_key not in heard.body.decode()
    assert (customer.row["outcome"], customer.spent_nano) == ("failed", 0)


# ---- refusals of our own, in Anthropic's shape -----------------------------------------------------------


def refused(customer, status, kind, **asked):
    heard = customer.hear(MESSAGES, **asked)
    assert (heard.status, heard.error["type"]) == (status, kind)
    assert heard.json["request_id"] == heard.id == heard.headers["request-id"]
    return heard


def test_messages_are_refused_in_anthropic_s_shape(town, responses_only):
    customer = town.customer()
    refused(customer, 404, "not_found_error", model="gpt-6")
    refused(customer, 400, "invalid_request_error", max_tokens=None)
    refused(customer, 400, "invalid_request_error", body=b"{")
    refused(customer, 400, "invalid_request_error", messages=[])
    refused(customer, 415, "invalid_request_error", headers={"content-type": "text/csv"})
    refused(customer, 401, "authentication_error", headers={"authorization": "Bearer runapi_live_nonesuch"})
    refused(customer, 400, "invalid_request_error", headers={"x-runapi-max-cost": "-1"})
    poor = refused(town.customer(1_000), 402, "billing_error")
    assert poor.headers["x-should-retry"] == "false"
    customer.limit(requests_per_minute=1)
    assert customer.hear(MESSAGES).status == 200
    limited = refused(customer, 429, "rate_limit_error")
    assert int(limited.headers["retry-after"]) > 0
    assert len(responses_only.calls) == 1


def test_messages_without_an_upstream_are_refused_in_anthropic_s_shape(town):
    refused(town.customer(), 503, "overloaded_error")


def test_long_body_is_refused_in_anthropic_s_shape(hasty_town, hasty_responses):
    content = [{"role": "user", "content": "x" * 100_000}]
    refused(hasty_town.customer(), 413, "request_too_large", messages=content)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", MESSAGES, 405), ("POST", "/v1/messages/batches", 404), ("PUT", "/v1/v1/messages", 405)],
)
def test_url_below_messages_that_is_none_is_refused_in_anthropic_s_shape(town, method, path, status):
    got = http.request(town.gateway.url, method, path, key=town.customer().key)
    assert got.status == status
    assert got.json["type"] == "error"


def test_prompt_that_is_too_long_has_the_figures_that_claude_code_reads(town, responses_only):
    text = "This model's maximum context length is 272000 tokens. However, your messages resulted in 300123 tokens."
    responses_only.then(
        replies.error(400, text, type="invalid_request_error", code="context_length_exceeded")
    )
    heard = town.customer().hear(MESSAGES)
    assert heard.error["message"] == "prompt is too long: 300123 tokens > 272000 maximum"


def test_prompt_that_is_too_long_for_claude_has_openai_s_code(town, messages_only):
    messages_only.then(
        anthropic_replies.error(
            400, "prompt is too long: 300123 tokens > 200000 maximum", type="invalid_request_error"
        )
    )
    heard = town.customer().hear(CHAT, model=CLAUDE)
    assert (heard.status, heard.error["code"]) == (400, "context_length_exceeded")
