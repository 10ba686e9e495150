"""A test key at a whole gateway: what the sandbox refuses, and what it costs."""

import json

import pytest

from fakes import http
from fakes.server import Gateway

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
TOO_LONG = "word " * 280_000  # for gpt-5.4-mini, which takes 272,000 tokens
BODIES = {
    CHAT: {"messages": [{"role": "user", "content": TOO_LONG}]},
    RESPONSES: {"input": TOO_LONG},
    MESSAGES: {"messages": [{"role": "user", "content": TOO_LONG}], "max_tokens": 100},
}


def post(gateway: Gateway, path: str, **fields: object) -> http.Response:
    return http.post(gateway.url, {"model": "gpt-5.4-mini", **fields}, key=gateway.test_key, path=path)


def balance(gateway: Gateway) -> object:
    return http.request(gateway.url, "GET", "/v1/me/balance", key=gateway.test_key).json


@pytest.mark.parametrize("path", BODIES)
def test_more_than_the_model_takes_is_refused_and_costs_nothing(gateway: Gateway, path: str):
    before = balance(gateway)
    refused = post(gateway, path, **BODIES[path])
    assert refused.status == 400
    error = json.loads(refused.body)["error"]
    if path == MESSAGES:
        assert error["message"].startswith("prompt is too long")
    else:
        assert error["code"] == "context_length_exceeded"
    assert balance(gateway) == before


@pytest.mark.parametrize(
    ("directive", "status", "kind", "code"),
    [
        ("status 402", 402, "insufficient_quota", "insufficient_credits"),
        ("status 401", 401, "invalid_request_error", "invalid_api_key"),
        ("status 429 code=insufficient_quota", 429, "insufficient_quota", "insufficient_quota"),
    ],
)
def test_failure_that_no_retry_mends_says_so(gateway: Gateway, directive, status, kind, code):
    refused = post(gateway, CHAT, messages=[{"role": "user", "content": f"[[sandbox:{directive}]]"}])
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["type"], error["code"]) == (status, kind, code)
    assert refused.headers["x-should-retry"] == "false"


def test_failure_that_passes_leaves_the_client_to_try_again(gateway: Gateway):
    refused = post(gateway, CHAT, messages=[{"role": "user", "content": "[[sandbox:status 429]]"}])
    assert refused.status == 429
    assert "x-should-retry" not in refused.headers


CODEX = {"model": "gpt-5.3-codex"}  # of which Chat is put to the upstream as Responses
SAID = [{"role": "user", "content": "Say hi."}]
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "x"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"verbosity": "x"}, "verbosity"),
        ({"messages": [*SAID, RESULT]}, "messages"),
        ({"response_format": {"type": "json_object"}}, "messages"),
    ],
)
def test_what_was_put_in_other_words_is_refused_in_those_of_the_client(gateway: Gateway, fields, param):
    refused = post(gateway, CHAT, **{**CODEX, "messages": SAID, **fields})
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["param"]) == (400, param)
    for word in ("text.format", "text.verbosity", "function call", "tools[0].name", "input"):
        assert word not in error["message"]


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
def test_body_that_is_no_json_is_refused_in_words_that_fit_any_api(gateway: Gateway, path: str):
    refused = http.request(gateway.url, "POST", path, key=gateway.test_key, body=b"{")
    assert refused.status == 400
    assert "This API expects a JSON payload" in json.loads(refused.body)["error"]["message"]


def test_number_that_is_too_small_is_told_the_least(gateway: Gateway):
    error = json.loads(post(gateway, CHAT, messages=SAID, max_tokens=0).body)["error"]
    assert "expected a value of at least 1, but got 0 instead" in error["message"]


def test_responses_are_not_made_shorter_here(gateway: Gateway):
    refused = post(gateway, "/v1/responses/compact", input="hi")
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (404, "unknown_url")
