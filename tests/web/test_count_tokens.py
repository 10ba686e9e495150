"""How many tokens a request would have: asked by OpenAI's and Anthropic's clients, for nothing, refused in their words."""

import json

import anthropic
import openai
import pytest

from fakes import http, specification
from fakes.server import Gateway
from runapi.wire.tokens import count_chat_input, count_text

RESPONSES, MESSAGES = "/v1/responses/input_tokens", "/v1/messages/count_tokens"
USER = {"role": "user", "content": "How is the weather in Oslo?"}
COUNTED = count_chat_input([USER])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where."}}}


def post(gateway: Gateway, path: str, body: object) -> http.Response:
    return http.post(gateway.url, body, key=gateway.test_key, path=path)


def counted(gateway: Gateway, **fields: object) -> int:
    answer = post(gateway, RESPONSES, {"model": "gpt-5.5", **fields})
    assert answer.status == 200, answer.body
    specification.check_input_tokens(answer.json)
    return answer.json["input_tokens"]  # type: ignore[index]


def balance(gateway: Gateway) -> object:
    return http.request(gateway.url, "GET", "/v1/me/balance", key=gateway.test_key).json


# ---- Responses -------------------------------------------------------------------------------------------


def test_text_is_counted_exactly(gateway: Gateway):
    text = USER["content"]
    assert counted(gateway, input=text) == COUNTED == count_text(text) + 3 + 1 + 3
    assert counted(gateway, input=[USER]) == COUNTED
    more = counted(gateway, input=text, instructions="Be brief.")
    assert more == count_chat_input([{"role": "system", "content": "Be brief."}, USER])


def test_tools_count(gateway: Gateway):
    tool = {"type": "function", "name": "look_up", "description": "Looks it up.", "parameters": SCHEMA}
    assert counted(gateway, input=[USER], tools=[tool]) == count_chat_input([USER], [{"function": tool}])


def test_count_is_what_an_answer_then_reports(gateway: Gateway):
    text = "The quick brown fox. " * 50
    made = post(gateway, "/v1/responses", {"model": "gpt-5.5", "input": text})
    assert made.json["usage"]["input_tokens"] == counted(gateway, input=text)  # type: ignore[index]


def test_what_was_said_before_counts(gateway: Gateway):
    first = post(gateway, "/v1/responses", {"model": "gpt-5.5", "input": "One"}).json
    alone = counted(gateway, input="Two")
    whole = counted(gateway, input="Two", previous_response_id=first["id"])  # type: ignore[index]
    second = post(
        gateway,
        "/v1/responses",
        {"model": "gpt-5.5", "input": "Two", "previous_response_id": first["id"]},  # type: ignore[index]
    )
    assert whole > alone
    assert second.json["usage"]["input_tokens"] == whole  # type: ignore[index]


def test_model_may_be_left_out(gateway: Gateway):
    answer = post(gateway, RESPONSES, {"input": [USER]})
    assert (answer.status, answer.json) == (200, {"object": "response.input_tokens", "input_tokens": COUNTED})


def test_counting_costs_nothing_and_leaves_no_row(gateway: Gateway):
    def newest() -> object:
        return http.request(gateway.url, "GET", "/v1/requests?limit=1", key=gateway.test_key).json

    before = balance(gateway), newest()
    counted(gateway, input="Hello")
    post(gateway, MESSAGES, {"model": "gpt-5.5", "messages": [USER]})
    assert (balance(gateway), newest()) == before


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"model": "gpt-5.5"}, 400, "input", "missing_required_parameter"),
        ({"model": "gpt-5.5", "input": 5}, 400, "input", "invalid_type"),
        ({"model": 5, "input": "Hi"}, 400, "model", "invalid_type"),
        ({"model": "nope", "input": "Hi"}, 404, "model", "model_not_found"),
        ({"input": []}, 400, "input", "empty_array"),
        (
            {"model": "gpt-5.5", "input": "Hi", "previous_response_id": "resp_none"},
            400,
            "previous_response_id",
            "previous_response_not_found",
        ),
        ([], 400, None, "invalid_type"),
    ],
)
def test_bad_request_is_refused_in_openais_shape(gateway: Gateway, body, status, param, code):
    refused = post(gateway, RESPONSES, body)
    assert refused.status == status
    specification.check_error(refused.json)
    error = refused.json["error"]  # type: ignore[index]
    assert (error["param"], error["code"]) == (param, code)


def test_openais_client_counts(gateway: Gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.test_key, max_retries=0) as client:
        answer = client.responses.input_tokens.count(model="gpt-5.4", input=[USER])
    assert (answer.input_tokens, answer.object) == (COUNTED, "response.input_tokens")


# ---- Messages --------------------------------------------------------------------------------------------


@pytest.fixture
def client(gateway: Gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.test_key, max_retries=0) as made:
        yield made


def test_anthropics_client_counts(client: anthropic.Anthropic):
    assert client.messages.count_tokens(model="gpt-5.5", messages=[USER]).input_tokens == COUNTED
    more = client.messages.count_tokens(
        model="gpt-5.5",
        system="Be brief.",
        messages=[USER],
        tools=[{"name": "look_up", "description": "Looks it up.", "input_schema": SCHEMA}],
        thinking={"type": "enabled", "budget_tokens": 2_000},
        tool_choice={"type": "any"},
    )
    tool = {"name": "look_up", "description": "Looks it up.", "parameters": SCHEMA}
    asked = [{"role": "system", "content": "Be brief."}, USER]
    assert more.input_tokens == count_chat_input(asked, [{"function": tool}])


def test_conversation_with_tools_counts(client: anthropic.Anthropic):
    called = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"city": "Oslo"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
    messages = [
        USER,
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [result]},
    ]
    counts = [
        client.messages.count_tokens(model="gpt-5.5", messages=messages[:many]).input_tokens
        for many in (1, 2, 3)
    ]
    assert counts == sorted(set(counts))


def test_clients_unknown_betas_are_let_through(gateway: Gateway):
    body = {"model": "gpt-5.5", "messages": [USER], "context_management": {"edits": []}, "unheard_of": 1}
    answer = http.request(
        gateway.url,
        "POST",
        f"{MESSAGES}?beta=true",
        key=gateway.test_key,
        json=body,
        headers={"anthropic-version": "2023-06-01", "anthropic-beta": "token-counting-2024-11-01,unheard-of"},
    )
    assert (answer.status, answer.json) == (200, {"input_tokens": COUNTED})


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"model": "gpt-5.5"}, 400, "invalid_request_error"),
        ({"model": "gpt-5.5", "messages": []}, 400, "invalid_request_error"),
        ({"model": "nope", "messages": [USER]}, 404, "not_found_error"),
        ({"messages": [USER]}, 400, "invalid_request_error"),
        ("no object", 400, "invalid_request_error"),
    ],
)
def test_bad_request_is_refused_in_anthropics_shape(gateway: Gateway, body, status, kind):
    refused = post(gateway, MESSAGES, body)
    assert refused.status == status
    said = json.loads(refused.body)
    assert (said["type"], said["error"]["type"]) == ("error", kind)
    assert said["error"]["message"]
    assert said["request_id"].startswith("req_")
    assert set(said) == {"type", "error", "request_id"}


def test_wrong_key_is_refused_in_anthropics_shape(gateway: Gateway):
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="wrong", max_retries=0) as made,
        pytest.raises(anthropic.AuthenticationError),
    ):
        made.messages.count_tokens(model="gpt-5.5", messages=[USER])
