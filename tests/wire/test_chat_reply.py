"""A whole Chat reply: only the model's name and the cost are ours, every other byte is the upstream's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.chunks import USAGE
from runapi.core.usage import Usage
from runapi.wire.openai_chat.reply import BadReplyError, read_chat_reply

COUNTED = Usage(input=7, output=2)


def reply(content="Hello.", usage=USAGE, **more):
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []} | more
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-5.5-2026-04-23",
        "choices": choices,
    } | ({"usage": usage} if usage is not None else {})


@given(
    content=st.text(), indent=st.sampled_from([None, 2]), unknown=st.dictionaries(st.text(), st.integers())
)
def test_every_byte_but_the_model_and_the_cost_is_the_upstreams(content, indent, unknown):
    body = json.dumps(reply(content, x_unknown=unknown), indent=indent).encode()
    got = read_chat_reply(body).render("gpt-5.5", "0.000123", COUNTED)
    back = got.replace(b',"cost":0.000123', b"", 1)
    ours = b'"model":"gpt-5.5"' if b'"model":"gpt-5.5"' in got else b'"model": "gpt-5.5"'
    upstreams = b'"model": "gpt-5.5-2026-04-23"'
    before, behind = body.split(upstreams, 1)
    assert back.split(ours, 1)[0] == before
    assert "".join(back.split(ours, 1)[1].decode().split()) == "".join(behind.decode().split())
    assert json.loads(got)["choices"] == json.loads(body)["choices"]
    assert json.loads(got)["usage"] == USAGE | {"cost": 0.000123}


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[{"message":{"content":"a","x":{"model":"theirs"}}}],"model":"theirs"}',
        b'{"x":{"model":"theirs"},"model" : "theirs","choices":[{"message":{"content":"a"}}]}',
        rb'{"x":{"model":"theirs"},"mod\u0065l":"theirs","choices":[{"message":{"content":"a"}}]}',
        b'{"model":"another","choices":[{"message":{"content":"a","x":"theirs"}}],"model":"theirs"}',
    ],
    ids=["nested in front", "with spaces", "with an escape", "doubled"],
)
def test_outermost_model_is_the_one_that_is_put_right(body):
    got = read_chat_reply(body).render("ours", "0", COUNTED)
    assert json.loads(got)["model"] == "ours"
    inner = json.loads(got).get("x") or json.loads(got)["choices"][0]["message"].get("x")
    assert inner in ({"model": "theirs"}, "theirs")
    assert b"another" not in got


def test_text_that_looks_like_our_fields_passes_untouched():
    trap = '"model":"gpt-5.5-2026-04-23","usage":{"prompt_tokens":1}'
    got = json.loads(read_chat_reply(json.dumps(reply(trap)).encode()).render("gpt-5.5", "0", COUNTED))
    assert got["choices"][0]["message"]["content"] == trap
    assert got["model"] == "gpt-5.5"


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 1}, "many"])
def test_missing_or_impossible_usage_is_replaced_by_our_own_count(usage):
    chat = read_chat_reply(json.dumps(reply(usage=usage)).encode())
    assert chat.usage is None
    assert chat.text() == "Hello."
    got = json.loads(chat.render("gpt-5.5", "0.5", COUNTED))
    assert (got["usage"]["prompt_tokens"], got["usage"]["completion_tokens"], got["usage"]["cost"]) == (
        7,
        2,
        0.5,
    )


@pytest.mark.parametrize(
    ("content", "more", "delivers"),
    [
        ("Hello.", {}, True),
        ("", {}, False),
        (None, {}, False),
        (None, {"refusal": "No."}, True),
        (
            None,
            {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            True,
        ),
        (None, {"tool_calls": []}, False),
    ],
)
def test_a_reply_delivers_when_it_holds_text_a_refusal_or_a_call(content, more, delivers):
    assert read_chat_reply(json.dumps(reply(content, **more)).encode()).delivers is delivers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"[]",
        b"{}",
        b'{"choices":null}',
        b'{"choices":[{}]}',
        b'{"error":{"message":"no"},"choices":[]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":' + b"[" * 100_000,
        b'{"choices":[{"message":{"content":NaN}}]}',
    ],
)
def test_what_is_no_reply_is_refused(body):
    with pytest.raises(BadReplyError):
        read_chat_reply(body)
