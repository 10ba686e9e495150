"""A whole reply between any two dialects."""

import json

import pytest
from hypothesis import given

from fakes import specification
from fakes.answers import USAGE, answers
from fakes.chunks import USAGE as WRITTEN_USAGE
from runapi.core.bridge import Dialect
from runapi.core.usage import Usage
from runapi.wire.dialects import UPSTREAM_SIDES, Naming, answer_writer, read_request, to_asked
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Reasoning,
    ReasoningEnd,
    Role,
    Text,
    TextDelta,
    Turn,
)
from runapi.wire.openai_chat.reply import BadReplyError, read_chat_reply
from runapi.wire.translate import TranslatedReply, read_translated_reply

NAMING = Naming("gpt-5.5", "req_0123456789abcdef", 1741569952)
COUNTED = Usage(input=7, output=2)
REQUESTS = {
    Dialect.CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    Dialect.RESPONSES: {"input": "Hi"},
    Dialect.ANTHROPIC: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100},
}
CALL = [CallBegin(0, "call_a", "f"), CallDelta(0, '{"a":1}'), CallEnd(0)]


def client(dialect):
    return read_request(dialect, json.dumps({"model": "gpt-5.5"} | REQUESTS[dialect]).encode())


def reply_of(*events, dialect=Dialect.CHAT, **more):
    return TranslatedReply(events, answer_writer(client(dialect), NAMING), **more)


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialects_request_is_the_same_neutral_one(dialect):
    asked = to_asked(client(dialect))
    assert asked.model == "gpt-5.5"
    assert [(item.role, item.parts) for item in asked.items if isinstance(item, Turn)] == [
        (Role.USER, (Text("Hi"),))
    ]


@pytest.mark.parametrize("upstream", Dialect)
@pytest.mark.parametrize("dialect", Dialect)
def test_a_reply_goes_through_any_two_dialects_as_it_is(dialect, upstream):
    said = [
        Begin(1741569952),
        TextDelta("Hello."),
        *CALL,
        End(EndReason.CALLS, Usage(input=20, cached=4, output=10)),
    ]
    body = answer_writer(client(upstream), NAMING)(said, said[-1].usage, "0", model="up")
    reply = read_translated_reply(
        body, UPSTREAM_SIDES[upstream].read_answer, answer_writer(client(dialect), NAMING)
    )
    assert reply.usage == said[-1].usage
    assert reply.delivers
    out = reply.render("gpt-5.5", "0.5", COUNTED)
    assert json.loads(out)["model"] == "gpt-5.5"
    assert json.loads(out)["usage"]["cost"] == 0.5
    got = UPSTREAM_SIDES[dialect].read_answer(out)
    assert [event.text for event in got if isinstance(event, TextDelta)] == ["Hello."]
    assert [event for event in got if isinstance(event, CallBegin)] == CALL[:1]
    assert (got[-1].reason, got[-1].usage) == (EndReason.CALLS, said[-1].usage)


@given(events=answers(has_reasoning=True))
def test_chat_over_responses_is_a_valid_reply_that_means_the_same(events):
    theirs = answer_writer(client(Dialect.RESPONSES), NAMING)(events, events[-1].usage, "0", model="up")
    reply = read_translated_reply(
        theirs, UPSTREAM_SIDES[Dialect.RESPONSES].read_answer, answer_writer(client(Dialect.CHAT), NAMING)
    )
    out = reply.render("gpt-5.5", "0", COUNTED)
    specification.check_reply(json.loads(out))
    chat = read_chat_reply(out)
    assert chat.usage == reply.usage == events[-1].usage
    assert (chat.delivers, sorted(chat.text())) == (reply.delivers, sorted(reply.text()))


def test_usage_that_nobody_reported_is_our_own_count():
    reply = reply_of(TextDelta("a"), End(EndReason.STOP))
    assert (reply.usage, reply.raw_usage) == (None, None)
    assert json.loads(reply.render("gpt-5.5", "0", COUNTED))["usage"]["prompt_tokens"] == COUNTED.input


def test_the_report_is_kept_as_the_upstream_wrote_it():
    message = {"role": "assistant", "content": "a"}
    body = {
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": WRITTEN_USAGE,
        "service_tier": "flex",
    }
    reply = read_translated_reply(
        json.dumps(body).encode(),
        UPSTREAM_SIDES[Dialect.CHAT].read_answer,
        answer_writer(client(Dialect.RESPONSES), NAMING),
    )
    assert (reply.usage, json.loads(reply.raw_usage), reply.service_tier) == (USAGE, WRITTEN_USAGE, "flex")


@pytest.mark.parametrize(
    ("events", "delivers"),
    [([TextDelta("a")], True), (CALL, True), ([], False), ([ReasoningEnd(Reasoning("rs", "secret"))], False)],
)
def test_a_reply_delivers_when_it_holds_text_or_a_call(events, delivers):
    assert reply_of(*events, End(EndReason.STOP)).delivers is delivers


def test_a_reply_ends_at_a_stop_sequence():
    reply = reply_of(TextDelta("a END b"), *CALL, End(EndReason.CALLS, USAGE), stops=("END",))
    (choice,) = json.loads(reply.render("gpt-5.5", "0", COUNTED))["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("a ", "stop")
    assert reply.usage == USAGE
    assert reply_of(TextDelta("END"), End(EndReason.STOP), stops=("END",)).delivers


def test_reasoning_that_led_to_calls_is_there_to_be_kept_with_its_origin():
    reply = reply_of(
        ReasoningEnd(Reasoning("rs", "secret")), *CALL, End(EndReason.CALLS), origin="one/gpt-5.5"
    )
    (thought,) = reply.thoughts
    assert thought.items == (Reasoning("rs", "secret", origin="one/gpt-5.5"),)
    assert b"secret" not in reply.render("gpt-5.5", "0", COUNTED)


def test_a_client_of_functions_is_answered_with_a_function_call():
    body = {"model": "gpt-5.5", "functions": [{"name": "f"}]} | REQUESTS[Dialect.CHAT]
    request = read_request(Dialect.CHAT, json.dumps(body).encode())
    reply = TranslatedReply([*CALL, End(EndReason.CALLS)], answer_writer(request, NAMING))
    (choice,) = json.loads(reply.render("gpt-5.5", "0", COUNTED))["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "function_call"


def test_an_answer_without_an_end_is_none():
    with pytest.raises(BadReplyError):
        reply_of(TextDelta("a"))


@pytest.mark.parametrize("upstream", Dialect)
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error":{"message":"Oh."}}'])
def test_what_is_no_answer_is_refused_in_every_dialect(upstream, body):
    with pytest.raises(BadReplyError):
        UPSTREAM_SIDES[upstream].read_answer(body)
