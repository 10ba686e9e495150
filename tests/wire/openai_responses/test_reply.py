"""A whole Responses answer on its way through."""

import json

import pytest

from fakes import specification
from runapi.core.usage import Usage
from runapi.wire.openai_chat.reply import BadReplyError
from runapi.wire.openai_responses.reply import read_responses_reply
from wire.openai_responses import answers
from wire.openai_responses.answers import call, custom_call, message, reasoning, refusal_part, text_part

COUNTED = Usage(input=7, cached=1, cache_write=2, output=3, reasoning=1)
COST = "0.000123"
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}


def body(*output, **more):
    return answers.written(answers.response(*output, **more)).encode()


def test_every_byte_passes_but_the_models_name_and_the_cost():
    data = body(reasoning("Look"), SEARCH, message("Hi"), call(), unheard_of={"a": [1.50]})
    data = data.replace(b'"a":[1.5]', b'"a" : [1.50e0]')
    reply = read_responses_reply(data)
    expected = data.replace(answers.MODEL.encode(), b"gpt-5.5").replace(b"2135}", b'2135,"cost":0.000123}')
    assert reply.render("gpt-5.5", COST, COUNTED) == expected
    assert reply.usage == Usage(input=1024, cached=1024, output=87, reasoning=64)
    assert (reply.model, reply.service_tier) == (answers.MODEL, "default")
    assert reply.hosted_calls == {"web_search_call": 1}


def test_name_is_put_right_where_it_is_and_nowhere_else():
    tools = [{"type": "image_generation", "model": answers.MODEL}]
    reply = read_responses_reply(body(message(f'"model":"{answers.MODEL}"'), tools=tools))
    rendered = json.loads(reply.render("gpt-5.5", COST, COUNTED))
    assert rendered["model"] == "gpt-5.5"
    assert rendered["tools"] == tools
    assert answers.MODEL in rendered["output"][0]["content"][0]["text"]


def test_fields_that_went_upstream_otherwise_are_echoed():
    rendered = read_responses_reply(body(message("Hi")), {"store": b"true"}).render("m", COST, COUNTED)
    assert json.loads(rendered)["store"] is True


@pytest.mark.parametrize("usage", [None, "many", {"input_tokens": -1, "output_tokens": 2}, ...])
def test_counts_of_our_own_stand_in_where_the_upstreams_cannot_be_believed(usage):
    answer = answers.response(message("Hi"), usage=usage)
    if usage is ...:
        del answer["usage"]
    reply = read_responses_reply(json.dumps(answer).encode())
    assert reply.usage is None
    rendered = json.loads(reply.render("gpt-5.5", COST, COUNTED))
    specification.check_response(rendered)
    assert rendered["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 13,
        "cost": 0.000123,
    }


@pytest.mark.parametrize(
    ("output", "delivers"),
    [
        ((), False),
        ((reasoning(),), False),
        ((message(""),), False),
        ((message(),), False),
        ((reasoning("Look"),), True),
        ((message("Hi"),), True),
        ((message(refusal_part("No.")),), True),
        ((message({"type": "new", "shape": 1}),), False),
        (({"type": "message", "content": 7},), True),
        ((call(),), True),
        ((custom_call(),), True),
        ((SEARCH,), True),
        (({"type": "unheard_of"},), True),
    ],
)
def test_answer_delivers_what_a_client_can_read(output, delivers):
    assert read_responses_reply(body(*output)).delivers is delivers


def test_text_is_all_that_the_model_wrote():
    text = read_responses_reply(
        body(reasoning("Look"), message(text_part("Hi"), refusal_part("No.")), call(), custom_call())
    ).text()
    assert sorted(text) == sorted("LookHiNo.look_up" + '{"city":"Oslo"}' + "apply_patch*** Begin Patch")


def test_text_that_nobody_can_read_is_no_reply():
    reply = read_responses_reply(b'{"output":[{"type":"x","a":' + b"9" * 5000 + b"}]}")
    with pytest.raises(BadReplyError):
        reply.text()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"output":null}',
        b'{"output":[7]}',
        b'{"output":[],"error":{"code":"x","message":"y"}}',
        b'{"output":[],"error":"y"}',
        b'{"output":[],"status":"failed"}',
        b'{"output":[],"status":"in_progress"}',
        b'{"output":[],"x":"\xff"}',
        b'{"output":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(BadReplyError):
        read_responses_reply(data)


def test_incomplete_answer_is_one():
    assert read_responses_reply(body(message("Hi"), status="incomplete")).delivers
