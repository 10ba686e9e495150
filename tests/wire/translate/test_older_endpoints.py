"""Embeddings, legacy completions and moderations: passed on as they are, checked, counted and priced."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import specification
from fakes.feeding import bytes_fed
from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.openai_chat.reply import BadReplyError
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.openai_completions import (
    CompletionStream,
    read_completion_reply,
    read_completion_request,
)
from runapi.wire.openai_embeddings import read_embeddings_reply, read_embeddings_request
from runapi.wire.openai_moderations import DEFAULT_MODEL, read_moderations_reply, read_moderations_request
from runapi.wire.tokens import count_text

COUNTED = Usage(input=7, output=2)
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def encoded(**fields):
    return json.dumps(fields).encode()


def refusal_of(read, **fields):
    with pytest.raises(Problem) as caught:
        read(encoded(**fields))
    specification.check_error(caught.value.body())
    assert caught.value.status == 400
    return caught.value.param


# ---- embeddings ------------------------------------------------------------------------------------------


def embeddings(vector=(0.1, -0.25), usage=None, **more):
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    usage = {"prompt_tokens": 5, "total_tokens": 5} if usage is None else usage
    return encoded(object="list", data=data, model="text-embedding-up", usage=usage, **more)


@pytest.mark.parametrize("name", ["encoding_format", "x_unknown"])
def test_a_request_for_embeddings_passes_with_the_upstreams_name(name):
    fields = {"model": "ours", "input": "Hi", name: "base64", "max_cost": "0.5"}
    request = read_embeddings_request(encoded(**fields))
    assert request.model == "ours"
    assert json.loads(request.encode("theirs")) == {"model": "theirs", "input": "Hi", name: "base64"}


@pytest.mark.parametrize(
    ("given_input", "texts", "tokens"),
    [
        ("Hello there", 1, count_text("Hello there")),
        (["Hello", "there"], 2, count_text("Hello") + count_text("there")),
        ([1, 2, 3], 1, 3),
        ([[1, 2], [3]], 2, 3),
    ],
)
def test_text_and_tokens_are_counted_and_bounded_by_their_bytes(given_input, texts, tokens):
    request = read_embeddings_request(encoded(model="m", input=given_input))
    assert (len(request.input), request.input.count_tokens()) == (texts, tokens)
    assert request.shape.text_bytes >= tokens
    assert request.shape.output_cap == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "a"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": None}, "input"),
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": 7}, "input"),
        ({"model": "m", "input": {"a": 1}}, "input"),
        ({"model": "m", "input": ["a", 1]}, "input[1]"),
        ({"model": "m", "input": [1, "a"]}, "input[1]"),
        ({"model": "m", "input": [[1], []]}, "input[1]"),
        ({"model": "m", "input": [-1]}, "input[0]"),
        ({"model": "m", "input": ["a"] * 2049}, "input"),
        ({"model": "m", "input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"model": "m", "input": "a", "dimensions": 0}, "dimensions"),
        ({"model": "m", "input": "a", "user": 7}, "user"),
        ({"model": 7, "input": "a"}, "model"),
    ],
)
def test_a_bad_request_for_embeddings_is_refused_by_name(fields, param):
    assert refusal_of(read_embeddings_request, **fields) == param


@pytest.mark.parametrize("vector", [[0.1, -2.5e-05], "zczMPQAAgL4="])
def test_vectors_pass_untouched_with_the_cost_in_the_usage(vector):
    reply = read_embeddings_reply(embeddings(vector))
    assert (reply.usage, reply.delivers) == (Usage(input=5), True)
    got = json.loads(reply.render("ours", "0.000001", COUNTED))
    assert (got["model"], got["data"][0]["embedding"]) == ("ours", vector)
    assert got["usage"].pop("cost") == 0.000001
    specification.check_embeddings(got)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -1}, 7])
def test_embeddings_without_a_usage_that_can_be_believed_are_counted_here(usage):
    reply = read_embeddings_reply(embeddings(usage=usage))
    assert (reply.usage, reply.raw_usage) == (None, None)
    assert json.loads(reply.render("ours", "0", COUNTED))["usage"] == {
        "prompt_tokens": 7,
        "total_tokens": 7,
        "cost": 0,
    }


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[]}', b'{"data":[1],"error":{}}', b"<html>"])
def test_what_holds_no_vectors_is_no_reply(body):
    with pytest.raises(BadReplyError):
        read_embeddings_reply(body)


# ---- moderations -----------------------------------------------------------------------------------------


def test_a_request_for_moderation_passes_and_has_a_model_even_if_none_is_named():
    request = read_moderations_request(encoded(input="Hi"))
    assert request.model == DEFAULT_MODEL
    assert json.loads(request.encode("theirs")) == {"input": "Hi", "model": "theirs"}


@pytest.mark.parametrize(
    "given_input",
    [
        "Hello there",
        ["Hello there"],
        [
            {"type": "text", "text": "Hello there"},
            {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
        ],
    ],
)
def test_the_text_to_moderate_is_counted(given_input):
    request = read_moderations_request(encoded(input=given_input))
    assert request.input.count_tokens() == count_text("Hello there")
    assert request.shape.text_bytes >= count_text("Hello there")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"type": "audio"}]}, "input[0].type"),
        ({"input": [{"type": "text"}]}, "input[0].text"),
        ({"input": [{"type": "image_url"}]}, "input[0].image_url"),
        ({"input": "a", "model": 7}, "model"),
    ],
)
def test_a_bad_request_for_moderation_is_refused_by_name(fields, param):
    assert refusal_of(read_moderations_request, **fields) == param


def test_a_moderation_passes_with_nothing_but_its_model_changed():
    body = encoded(
        id="modr-1", model="omni-moderation-2024-09-26", results=[{"flagged": False, "categories": {}}]
    )
    reply = read_moderations_reply(body)
    assert (reply.delivers, reply.usage, reply.text()) == (True, None, "")
    assert reply.render("omni", "0", COUNTED) == body.replace(
        b'"model": "omni-moderation-2024-09-26"', b'"model":"omni"'
    )


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"results":[]}', b'{"results":[{}],"error":{"message":"no"}}']
)
def test_what_holds_no_results_is_no_moderation(body):
    with pytest.raises(BadReplyError):
        read_moderations_reply(body)


# ---- legacy completions ----------------------------------------------------------------------------------


def test_a_request_for_a_completion_passes_with_the_cap_that_was_paid_for():
    fields = {"model": "ours", "prompt": "Hi", "max_tokens": 50, "x_unknown": 1, "max_cost": 1}
    request = read_completion_request(encoded(**fields))
    assert json.loads(request.encode("theirs", 20)) == {
        "model": "theirs",
        "prompt": "Hi",
        "max_tokens": 20,
        "x_unknown": 1,
    }
    assert json.loads(request.encode("theirs", 90))["max_tokens"] == 50
    assert "max_tokens" not in json.loads(
        read_completion_request(encoded(model="m", prompt="Hi")).encode("m")
    )


@pytest.mark.parametrize(
    ("fields", "cap", "choices"),
    [
        ({"prompt": "a"}, 16, 1),
        ({"prompt": "a", "max_tokens": 0}, 0, 1),
        ({"prompt": ["a", "b"], "n": 3}, 16, 6),
        ({"prompt": [[1], [2]], "n": 2, "best_of": 5}, 16, 10),
        ({"prompt": [1, 2]}, 16, 1),
    ],
)
def test_every_answer_of_every_prompt_is_paid_for(fields, cap, choices):
    shape = read_completion_request(encoded(model="m", **fields)).shape
    assert (shape.output_cap, shape.choices) == (cap, choices)
    assert shape.text_bytes == len(json.dumps(fields["prompt"]))


def test_a_streamed_completion_is_to_report_its_usage():
    request = read_completion_request(encoded(model="m", prompt="a", stream=True, stream_options={"x": 1}))
    assert (request.stream, request.wants_usage) == (True, False)
    assert json.loads(request.encode("m"))["stream_options"] == {"x": 1, "include_usage": True}
    whole = read_completion_request(encoded(model="m", prompt="a", stream_options={"include_usage": True}))
    assert "stream_options" not in json.loads(whole.encode("m"))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": "a"}, "model"),
        ({"model": "m"}, "prompt"),
        ({"model": "m", "prompt": []}, "prompt"),
        ({"model": "m", "prompt": True}, "prompt"),
        ({"model": "m", "prompt": "a", "n": 0}, "n"),
        ({"model": "m", "prompt": "a", "best_of": 21}, "best_of"),
        ({"model": "m", "prompt": "a", "logprobs": 6}, "logprobs"),
        ({"model": "m", "prompt": "a", "temperature": 3}, "temperature"),
        ({"model": "m", "prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"model": "m", "prompt": "a", "stream": "yes"}, "stream"),
        ({"model": "m", "prompt": "a", "stop": [1]}, "stop[0]"),
        ({"model": "m", "prompt": "a", "stream_options": []}, "stream_options"),
    ],
)
def test_a_bad_request_for_a_completion_is_refused_by_name(fields, param):
    assert refusal_of(read_completion_request, **fields) == param


def completion(text="Hello.", usage=USAGE, finish="stop", **more):
    choices = [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}]
    body = {
        "id": "cmpl-up",
        "object": "text_completion",
        "created": 7,
        "model": "up",
        "choices": choices,
    } | more
    return body if usage is None else body | {"usage": usage}


def test_a_completion_passes_with_the_cost_in_its_usage():
    reply = read_completion_reply(encoded(**completion()))
    assert (reply.usage, reply.delivers, reply.text()) == (Usage(input=5, output=2), True, "Hello.")
    got = json.loads(reply.render("ours", "0.5", COUNTED))
    assert got == completion(model="ours", usage=USAGE | {"cost": 0.5})
    specification.check_completion(got)


def test_a_completion_without_usage_is_counted_here():
    reply = read_completion_reply(encoded(**completion(usage=None)))
    assert reply.usage is None
    assert json.loads(reply.render("ours", "0", COUNTED))["usage"]["prompt_tokens"] == 7
    assert not read_completion_reply(encoded(**completion(""))).delivers


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"choices":[{}]}', b'{"choices":[],"error":{}}', b'{"choices":[{"text":"\xff"}]}']
)
def test_what_is_no_completion_is_refused(body):
    with pytest.raises(BadReplyError):
        read_completion_reply(body)


def streamed(texts=("Hel", "lo."), usage=USAGE):
    chunks = [completion(text, None, None) for text in texts] + [completion("", None, "stop")]
    last = completion(usage=usage) | {"choices": []}
    return b"".join(b"data: %b\n\n" % encoded(**one) for one in [*chunks, last]) + b"data: [DONE]\n\n"


def relay(data, *, wants_usage=False, cuts=()):
    stream = CompletionStream(model="ours", wants_usage=wants_usage)
    out = bytes_fed(stream, data, cuts)
    return stream, out + stream.tail("0.5", COUNTED) if stream.ended else out


@given(
    texts=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 1500), max_size=6),
    wants_usage=st.booleans(),
)
def test_a_streamed_completion_passes_however_it_was_cut(texts, cuts, wants_usage):
    data = streamed(texts)
    stream, out = relay(data, wants_usage=wants_usage, cuts=cuts)
    assert out == relay(data, wants_usage=wants_usage)[1]
    assert (stream.text, stream.delivers, stream.usage) == ("".join(texts), True, Usage(input=5, output=2))
    *chunks, done = [event.removeprefix("data: ") for event in out.decode().split("\n\n")[:-1]]
    assert done == "[DONE]"
    read = [json.loads(chunk) for chunk in chunks]
    assert "".join(choice["text"] for one in read for choice in one["choices"]) == "".join(texts)
    assert {one["model"] for one in read} == {"ours"}
    assert read[-1]["usage"] == USAGE | {"cost": 0.5}
    assert bool(read[-1]["choices"]) is not wants_usage


def test_a_heartbeat_of_a_completion_looks_like_its_chunks():
    stream = CompletionStream(model="ours", wants_usage=False)
    beat = json.loads(stream.heartbeat("cmpl-ours", 5).removeprefix(b"data: "))
    assert beat == completion("", None, None, id="cmpl-ours", created=5, model="ours")


def test_a_completion_that_was_cut_is_no_whole_one():
    data = streamed()
    stream, out = relay(data[: data.index(b'"stop"')])
    assert (stream.ended, stream.fault) == (False, StreamFault.TRUNCATED)
    assert b"[DONE]" not in out


def test_usage_that_nobody_reported_comes_in_a_chunk_of_the_same_kind():
    _, out = relay(streamed(usage={"prompt_tokens": -1}), wants_usage=True)
    last = json.loads(out.decode().split("\n\n")[-3].removeprefix("data: "))
    assert (last["object"], last["choices"], last["usage"]["prompt_tokens"]) == ("text_completion", [], 7)
