"""Embeddings, legacy completions and moderations: passed on, metered, priced by the operator's own prices."""

import base64
import struct

import pytest
from openai import OpenAI

from dialects.cases import BOTH
from dialects.town import CHAT, MESSAGES, RESPONSES
from fakes import http, replies, steps, unbridged_replies
from money.shop import RICH_NANO

EMBEDDINGS, COMPLETIONS, MODERATIONS = "/v1/embeddings", "/v1/completions", "/v1/moderations"
EMBED = {"model": "text-embedding-3-small", "input": "Hello."}
COMPLETE = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello.", "max_tokens": 100}
MODERATE = {"model": "omni-moderation-latest", "input": "Hello."}
KINDS = pytest.mark.parametrize(
    ("path", "body"),
    [(EMBEDDINGS, EMBED), (COMPLETIONS, COMPLETE), (MODERATIONS, MODERATE)],
    ids=["embeddings", "completions", "moderations"],
)


@KINDS
def test_name_of_a_user_is_the_customer_s_own_upstream(town, openai, path, body):
    names = []
    for _ in range(2):
        assert town.customer().hear(path, body, user="mallory").status == 200
        names.append(openai.calls[-1].json["user"])
    assert len({*names, "mallory"}) == 3


# ---- embeddings ------------------------------------------------------------------------------------------


def test_vectors_are_passed_on_and_priced(town, openai):
    openai.then(unbridged_replies.embeddings_reply([(0.6, -0.8), (1.0, 0.0)], tokens=4))
    customer = town.customer()
    heard = customer.hear(EMBEDDINGS, EMBED, input=["Hello.", "World."], dimensions=2)
    assert [one["embedding"] for one in heard.json["data"]] == [[0.6, -0.8], [1.0, 0.0]]
    assert (heard.json["model"], heard.json["usage"]["prompt_tokens"]) == ("text-embedding-3-small", 4)
    assert heard.cost_nano == customer.spent_nano == 4 * 20
    assert heard.headers["x-runapi-cost"] == "0.00000008"
    row = customer.row
    assert (row["endpoint"], row["usage"]["input"], row["usage"]["output"]) == (EMBEDDINGS, 4, 0)
    assert (row["outcome"], row["usage_source"]) == ("completed", "reported")


def test_packed_vectors_are_passed_on(town, openai):
    heard = town.customer().hear(EMBEDDINGS, EMBED, encoding_format="base64")
    packed = heard.json["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(packed)) == pytest.approx((0.6, -0.8))


def test_openai_s_own_client_reads_vectors(town, openai):
    client = OpenAI(base_url=town.gateway.base_url, api_key=town.customer().key, max_retries=0)
    made = client.embeddings.create(model="text-embedding-3-small", input="Hello.")
    assert made.data[0].embedding == pytest.approx([0.6, -0.8])
    assert openai.calls[0].json["encoding_format"] == "base64"
    judged = client.moderations.create(model="omni-moderation-latest", input="Hello.")
    assert not judged.results[0].flagged


def test_many_large_vectors_are_passed_on(town, openai):
    vectors = [[float(at)] * 3_072 for at in range(8)]
    openai.then(unbridged_replies.embeddings_reply(vectors))
    heard = town.customer().hear(EMBEDDINGS, EMBED, input=["x"] * 8)
    assert len(heard.json["data"]) == 8


def test_vectors_whose_usage_is_missing_are_counted_here(town, openai):
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    reply = {"object": "list", "data": data, "model": "text-embedding-3-small"}
    openai.then(steps.json(reply, fields=replies.HEADERS))
    customer = town.customer()
    heard = customer.hear(EMBEDDINGS, EMBED, input="Hello, world.")
    assert customer.row["usage_source"] == "estimated"
    assert heard.json["usage"]["prompt_tokens"] > 0
    assert heard.cost_nano == customer.spent_nano == heard.json["usage"]["prompt_tokens"] * 20


# ---- completions -----------------------------------------------------------------------------------------


@BOTH
def test_completion_is_passed_on_and_priced(town, openai, stream):
    customer = town.customer()
    heard = customer.hear(COMPLETIONS, COMPLETE, stream=stream)
    assert heard.is_whole
    events = heard.events if stream else [heard.json]
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == "Hello."
    assert {event["model"] for event in events} == {"gpt-3.5-turbo-instruct"}
    [used] = [event["usage"] for event in events if event.get("usage")]
    cost_nano = 19 * 750 + 10 * 1_000
    assert round(used["cost"] * 10**9) == customer.spent_nano == cost_nano
    assert customer.row["stream"] is stream
    [call] = openai.calls
    assert (call.path, call.json["max_tokens"]) == (COMPLETIONS, 100)
    assert call.json.get("stream_options") == ({"include_usage": True} if stream else None)


def test_completion_stream_that_breaks_says_so_and_is_free(town, openai):
    said = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-3.5-turbo-instruct"}
    choice = {"text": "Hel", "index": 0, "logprobs": None, "finish_reason": None}
    openai.then(
        [steps.headers(200), *steps.sse([said | {"choices": [choice]}]), steps.sleep(0.05), steps.rst()]
    )
    customer = town.customer()
    heard = customer.hear(COMPLETIONS, COMPLETE, stream=True)
    assert heard.events[-1]["error"]["code"] == "upstream_truncated"
    assert customer.spent_nano == 0


def test_each_choice_of_each_prompt_is_held_for(town, openai):
    customer = town.customer()
    heard = customer.hear(COMPLETIONS, COMPLETE, prompt=["a", "b"], n=2, best_of=3, max_tokens=50)
    held = dict(customer.transfers(heard.id))["hold"]
    assert held >= 2 * 3 * 50 * 1_000


# ---- moderations -----------------------------------------------------------------------------------------


def test_moderation_is_passed_on_and_what_came_is_counted(town, openai):
    customer = town.customer()
    heard = customer.hear(MODERATIONS, MODERATE, input=["Hello there.", "World."])
    assert heard.json["results"][0]["flagged"] is False
    assert "usage" not in heard.json
    row = customer.row
    assert (row["usage_source"], row["usage"]["output"]) == ("estimated", 0)
    assert customer.spent_nano == row["usage"]["input"] * 10 > 0
    assert heard.headers["x-runapi-cost"] == f"{customer.spent_nano / 10**9:.9f}".rstrip("0")


def test_moderation_without_a_model_goes_to_the_usual_one(town, openai):
    assert town.customer().hear(MODERATIONS, {"input": "Hello."}).status == 200
    assert openai.calls[0].json["model"] == "omni-moderation-latest"


# ---- all of them -----------------------------------------------------------------------------------------


@KINDS
def test_sandbox_serves_test_keys(town, path, body):
    customer = town.customer(mode="test")
    heard = customer.hear(path, body)
    assert heard.status == 200
    assert (customer.row["mode"], customer.row["upstream"]) == ("test", "sandbox")


@KINDS
def test_upstream_s_failure_is_free(town, openai, path, body):
    openai.then(replies.error(500))
    customer = town.customer()
    heard = customer.hear(path, body)
    assert (heard.status, heard.error["code"]) == (500, "upstream_error")
    assert (customer.row["outcome"], customer.spent_nano) == ("failed", 0)


@KINDS
def test_answer_that_is_none_is_free(town, openai, path, body):
    openai.then(steps.json({"object": "list"}, fields=replies.HEADERS))
    customer = town.customer()
    assert customer.hear(path, body).status == 502
    assert customer.spent_nano == 0


@KINDS
def test_broke_customers_are_refused(town, openai, path, body):
    poor = town.customer(1)
    heard = poor.hear(path, body | {"input": "x" * 1_000, "prompt": "x" * 1_000})
    assert (heard.status, heard.error["code"]) == (402, "insufficient_credits")
    assert openai.calls == []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (EMBEDDINGS, "gpt-5.5"),
        (COMPLETIONS, "gpt-5.5"),
        (MODERATIONS, "gpt-5.5"),
        (CHAT, "text-embedding-3-small"),
        (RESPONSES, "text-embedding-3-small"),
        (MESSAGES, "text-embedding-3-small"),
        (EMBEDDINGS, "gpt-3.5-turbo-instruct"),
    ],
)
def test_model_that_is_none_for_an_endpoint_is_refused_by_name(town, openai, path, model):
    customer = town.customer()
    bodies = {EMBEDDINGS: EMBED, COMPLETIONS: COMPLETE, MODERATIONS: MODERATE}
    heard = customer.hear(path, bodies.get(path), model=model)
    assert heard.status == 404
    if path == MESSAGES:
        assert heard.error["type"] == "not_found_error"
    else:
        assert (heard.error["code"], heard.error["param"]) == ("unsupported_endpoint", "model")
    assert f"'{model}'" in heard.error["message"]
    assert openai.calls == []
    assert (customer.row["outcome"], customer.balance) == ("refused", (RICH_NANO, 0))


def test_chat_completions_are_not_listed(town):
    got = http.request(town.gateway.url, "GET", "/v1/chat/completions?limit=1", key=town.customer().key)
    assert (got.status, got.json["error"]["code"]) == (400, "unsupported_value")
