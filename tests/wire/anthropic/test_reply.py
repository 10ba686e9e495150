"""A whole message on its way through."""

import json

import pytest

from runapi.core.usage import Usage
from runapi.wire.anthropic.reply import read_messages_reply
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from wire.anthropic.streams import COUNTED, START_USAGE

USAGE = START_USAGE | {"output_tokens": 31}
BODY = (
    b'{"content": [{"type":"tool_use","id":"t","name":"look",'
    b'"input":{"model":"claude-up","usage":%b, "n":1.50}}, {"type":"text","text":"Hi."}],'
    b' "x_new":{"usage":1}, "model":"claude-up" ,"usage":%b,"type":"message"}'
) % (json.dumps(USAGE).encode(), json.dumps(USAGE).encode())


def test_a_reply_passes_byte_for_byte_but_for_the_model_and_the_cost():
    reply = read_messages_reply(BODY)
    head, _, tail = BODY.rpartition(json.dumps(USAGE).encode())
    priced = head + json.dumps(USAGE).encode()[:-1] + b',"cost":0.000123}' + tail
    ours = priced.replace(b'"model":"claude-up" ,', b'"model":"claude-ours" ,')
    assert reply.render("claude-ours", "0.000123", COUNTED) == ours


def test_a_reply_says_what_it_consumed_and_delivers():
    reply = read_messages_reply(BODY)
    assert reply.usage == Usage(input=19, cached=100, cache_write=7, output=31)
    assert (reply.service_tier, reply.delivers, reply.model) == ("default", True, "claude-up")
    assert "look" in reply.text()
    assert "Hi." in reply.text()
    assert json.loads(reply.raw_usage) == USAGE


@pytest.mark.parametrize("usage", [b"null", b"{}", b'{"input_tokens":-1,"output_tokens":2}', b"7"])
def test_usage_that_cannot_be_believed_is_replaced_by_our_own_count(usage):
    reply = read_messages_reply(b'{"model":"m","content":[],"usage":%b}' % usage)
    assert reply.usage is None
    rendered = json.loads(reply.render("m", "0.5", COUNTED))["usage"]
    assert (rendered["input_tokens"], rendered["cache_read_input_tokens"], rendered["cost"]) == (7, 2, 0.5)


@pytest.mark.parametrize(
    ("content", "delivers"),
    [
        (b"[]", False),
        (b'[{"type":"text","text":""}]', False),
        (b'[{"type":"redacted_thinking","data":"x"}]', False),
        (b'[{"type":"thinking","thinking":"","signature":"x"}]', False),
        (b'[{"type":"thinking","thinking":"Hm."}]', True),
        (b'[{"type":"tool_use","id":"t","name":"f","input":{}}]', True),
        (b'[{"type":"brand_new"}]', True),
    ],
)
def test_an_answer_delivers_with_words_or_a_call(content, delivers):
    assert read_messages_reply(b'{"content":%b}' % content).delivers is delivers


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"content":7}', b'{"content":[],"x":"\xff"}', b"[" * 100_000]
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(BadReplyError):
        read_messages_reply(body)


def test_an_error_that_came_as_a_success_is_no_message():
    with pytest.raises(FailedAnswerError):
        read_messages_reply(b'{"type":"error","error":{"type":"api_error","message":"x"}}')


def test_half_an_emoji_does_not_break_a_reply():
    reply = read_messages_reply(b'{"model":"m","content":[{"type":"text","text":"a\\ud83d"}]}')
    assert json.loads(reply.render("m", "0", COUNTED))["content"][0]["text"] == "a\ufffd"
