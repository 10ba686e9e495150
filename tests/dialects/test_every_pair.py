"""Each protocol of a client, at an upstream of each dialect: whole and streamed, said, called, priced and explained."""

import json

import pytest

from dialects.cases import BOTH, PATHS, SERVERS, model_at
from dialects.town import CHAT, CLAUDE, MESSAGES, RATES, RESPONSES
from fakes import anthropic_replies, replies, responses_replies

TOOL = {
    CHAT: {
        "type": "function",
        "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
    },
    RESPONSES: {
        "type": "function",
        "name": "look",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    },
    MESSAGES: {"name": "look", "input_schema": {"type": "object", "properties": {}}},
}
ARGUMENTS = '{"where":"R\u00e9union","deep":true}'


def called(server, stream):
    """An upstream's call of a tool, in its own dialect."""
    match server:
        case "chat_only":
            how = replies.stream_tool_reply if stream else replies.tool_reply
            return how("look", ARGUMENTS)
        case "responses_only":
            how = responses_replies.stream_reply if stream else responses_replies.plain_reply
            return how([responses_replies.Called("look", ARGUMENTS)])
        case _:
            how = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
            return how([anthropic_replies.Used("look", ARGUMENTS)])


def calls_in(heard):
    """The name and the arguments of each call, as the client's dialect has them."""
    match heard.path:
        case "/v1/chat/completions":
            choice = heard.object["choices"][0]
            assert choice["finish_reason"] == "tool_calls"
            return [
                (call["function"]["name"], call["function"]["arguments"])
                for call in choice["message"]["tool_calls"]
            ]
        case "/v1/responses":
            return [
                (item["name"], item["arguments"])
                for item in heard.object["output"]
                if item["type"] == "function_call"
            ]
        case _:
            assert heard.object["stop_reason"] == "tool_use"
            return [
                (block["name"], block["input"])
                for block in heard.object["content"]
                if block["type"] == "tool_use"
            ]


@PATHS
@SERVERS
@BOTH
def test_any_client_reaches_any_upstream(town, upstream, path, server, stream):
    customer, model = town.customer(), model_at(server)
    heard = customer.hear(path, model=model, stream=stream)
    assert heard.is_whole
    assert heard.text == "Hello."
    assert heard.object["model"] == model
    [call] = upstream.calls
    assert bool(call.json.get("stream")) is stream
    rates = RATES[model]
    cost_nano = 19 * rates[0] + 10 * rates[1]
    assert heard.cost_nano == cost_nano == customer.spent_nano
    assert heard.headers.get("x-runapi-cost") == (None if stream else f"{cost_nano / 10**9:.9f}".rstrip("0"))
    row = customer.row
    assert (row["id"], row["endpoint"], row["model"], row["stream"]) == (heard.id, path, model, stream)
    assert (row["status"], row["outcome"], row["usage_source"]) == (200, "completed", "reported")
    assert (row["usage"]["input"], row["usage"]["output"]) == (19, 10)


@PATHS
@SERVERS
@BOTH
def test_any_client_s_tools_are_called_by_any_upstream(town, upstream, path, server, stream):
    upstream.strict = (
        server != "chat_only"
    )  # which serves gpt-5.5 with tools and reasoning, as OpenAI does not
    upstream.then(called(server, stream))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=stream, tools=[TOOL[path]])
    assert heard.is_whole
    [(name, given)] = calls_in(heard)
    assert name == "look"
    assert (given if path == MESSAGES else json.loads(given)) == json.loads(ARGUMENTS)
    assert heard.cost_nano == customer.spent_nano > 0


@PATHS
@BOTH
def test_usage_is_counted_as_the_client_s_protocol_counts(town, responses_only, path, stream):
    used = responses_replies.usage(1_000, 50, cached=640, reasoning=32)
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    responses_only.then(make(usage=used))
    customer = town.customer()
    heard = customer.hear(path, stream=stream)
    told = heard.object["usage"]
    match path:
        case "/v1/chat/completions":
            assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (
                1_000,
                50,
                1_050,
            )
            assert told["prompt_tokens_details"]["cached_tokens"] == 640
            assert told["completion_tokens_details"]["reasoning_tokens"] == 32
        case "/v1/responses":
            assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == (1_000, 50, 1_050)
            assert told["input_tokens_details"]["cached_tokens"] == 640
            assert told["output_tokens_details"]["reasoning_tokens"] == 32
        case _:  # Anthropic does not count what was cached as input
            assert (told["input_tokens"], told["cache_read_input_tokens"]) == (360, 640)
            assert told["output_tokens"] == 50
    assert heard.cost_nano == customer.spent_nano == 360 * 2_500 + 640 * 250 + 50 * 15_000


@PATHS
@BOTH
def test_usage_of_anthropic_s_is_counted_as_the_client_s_protocol_counts(town, messages_only, path, stream):
    used = anthropic_replies.usage(300, 50, cache_read=600, cache_write=100)
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    messages_only.then(make(usage=used))
    customer = town.customer()
    heard = customer.hear(path, model=CLAUDE, stream=stream)
    told = heard.object["usage"]
    match path:
        case "/v1/chat/completions":
            assert (told["prompt_tokens"], told["completion_tokens"]) == (1_000, 50)
            assert told["prompt_tokens_details"]["cached_tokens"] == 600
        case "/v1/responses":
            assert (told["input_tokens"], told["output_tokens"]) == (1_000, 50)
            assert told["input_tokens_details"]["cached_tokens"] == 600
        case _:
            assert (told["cache_read_input_tokens"], told["output_tokens"]) == (600, 50)
            if not stream:
                assert (told["input_tokens"], told["cache_creation_input_tokens"]) == (300, 100)
    assert heard.cost_nano == customer.spent_nano == 300 * 2_400 + 600 * 240 + 100 * 3_000 + 50 * 12_000


@PATHS
@BOTH
@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.3-codex", CLAUDE])
def test_sandbox_answers_test_keys_on_every_protocol(town, path, stream, model):
    customer = town.customer(mode="test")
    heard = customer.hear(path, model=model, stream=stream)
    assert heard.is_whole
    assert heard.text
    assert heard.cost_nano == int(customer.row["cost_nano"]) > 0
