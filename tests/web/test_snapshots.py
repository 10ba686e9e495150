"""A snapshot's dated name is another name of its model, wherever a model is named."""

import json

import pytest

from fakes import http
from fakes.server import Gateway

MODEL, SNAPSHOT = "gpt-5.5", "gpt-5.5-2026-04-23"
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
HI = [{"role": "user", "content": "Say hi."}]
BODIES = {
    CHAT: {"messages": HI},
    RESPONSES: {"input": "Say hi."},
    MESSAGES: {"messages": HI, "max_tokens": 100},
}
COUNTS = ("/v1/responses/input_tokens", "/v1/messages/count_tokens")


def post(gateway: Gateway, path: str, body: dict, model: str = SNAPSHOT, **fields: object) -> http.Response:
    return http.post(gateway.url, {**body, **fields, "model": model}, key=gateway.test_key, path=path)


@pytest.mark.parametrize("path", BODIES)
def test_answer_says_the_name_that_was_sent(gateway: Gateway, path: str):
    answer = post(gateway, path, BODIES[path])
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["model"] == SNAPSHOT


@pytest.mark.parametrize("path", BODIES)
def test_stream_says_the_name_that_was_sent(gateway: Gateway, path: str):
    answer = post(gateway, path, BODIES[path], stream=True)
    assert answer.status == 200
    assert f'"model":"{SNAPSHOT}"'.encode() in answer.body.replace(b": ", b":")
    assert f'"model":"{MODEL}"'.encode() not in answer.body.replace(b": ", b":")


def test_it_costs_what_the_model_costs_and_is_told_as_the_model(gateway: Gateway):
    costs, told = set(), set()
    for name in (MODEL, SNAPSHOT):
        answer = post(gateway, CHAT, BODIES[CHAT], name)
        costs.add(answer.json["usage"]["cost"])  # type: ignore[index]
        path = f"/v1/requests/{answer.headers['x-request-id']}"
        told.add(http.request(gateway.url, "GET", path, key=gateway.test_key).json["model"])  # type: ignore[index]
    assert len(costs) == 1
    assert told == {MODEL}


@pytest.mark.parametrize("path", COUNTS)
def test_it_is_counted(gateway: Gateway, path: str):
    body = {"input": "Say hi."} if "responses" in path else {"messages": HI}
    assert post(gateway, path, body).json == post(gateway, path, body, MODEL).json


def test_it_is_estimated(gateway: Gateway):
    found = post(gateway, "/v1/estimate", BODIES[CHAT])
    assert found.status == 200, found.body
    assert found.json["model"] == MODEL  # type: ignore[index]


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}], ids=["openai", "anthropic"])
def test_it_is_described_and_not_listed(gateway: Gateway, headers: dict):
    found = http.request(gateway.url, "GET", f"/v1/models/{SNAPSHOT}", key=gateway.test_key, headers=headers)
    assert (found.status, found.json["id"]) == (200, SNAPSHOT)  # type: ignore[index]
    listed = http.request(gateway.url, "GET", "/v1/models", key=gateway.test_key, headers=headers).json
    assert SNAPSHOT not in [model["id"] for model in listed["data"]]  # type: ignore[index]


@pytest.mark.parametrize("name", ["gpt-5.5-2026-04-24", "gpt-5.5-", "None", "gpt-5.3-codex-2026-02-05"])
def test_name_of_no_snapshot_is_unknown(gateway: Gateway, name: str):
    refused = post(gateway, CHAT, BODIES[CHAT], name)
    assert (refused.status, refused.json["error"]["code"]) == (404, "model_not_found")  # type: ignore[index]
