"""Events as a Chat stream or answer: valid by the specification, and no end before the tail."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fakes import specification
from fakes.answers import LOGPROB, answers, chunks_of
from runapi.core import problems
from runapi.core.usage import Usage
from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.neutral import (
    Annotation,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    CallKind,
    End,
    EndReason,
    Failure,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.answer_writer import ChatWriter, write_answer

COUNTED = Usage(input=7, output=2)
CITATION = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 1, "url": "https://e.org", "title": "e"},
}
COST = "0.000123"


def stream(*events, end=None, **more):
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1741569952, **more)
    return writer.write(events) + writer.tail(end or End(EndReason.STOP), COUNTED, COST)


def deltas(data):
    return [chunk["choices"][0]["delta"] for chunk in chunks_of(data) if chunk["choices"]]


def whole(*events, end=None, **more):
    written = write_answer(
        [*events, end or End(EndReason.STOP)],
        COUNTED,
        COST,
        model="gpt-5.5",
        id="chatcmpl-1",
        created_s=1,
        **more,
    )
    return json.loads(written)


@given(events=answers(has_reasoning=True), wants_usage=st.booleans())
def test_every_chunk_and_answer_is_valid(events, wants_usage):
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1741569952, wants_usage=wants_usage)
    out = writer.heartbeat() + writer.write(events)
    assert b'"finish_reason":"' not in out
    assert b"[DONE]" not in out
    chunks = chunks_of(out + writer.tail(events[-1], COUNTED, COST))
    for chunk in chunks:
        specification.check_chunk(chunk)
        assert (chunk["id"], chunk["created"], chunk["model"]) == ("chatcmpl-1", 1741569952, "gpt-5.5")
    roles = [choice["delta"].get("role") for chunk in chunks for choice in chunk["choices"]]
    assert roles.count("assistant") == 1
    specification.check_reply(whole(*events))


def test_the_role_comes_first_and_with_the_first_word():
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1)
    assert writer.write([Begin(5, "default")]) == b""
    data = writer.write([TextDelta("a")]) + writer.tail(End(EndReason.STOP), COUNTED, COST)
    assert deltas(data) == [{"role": "assistant", "content": "", "refusal": None}, {"content": "a"}, {}]


def test_an_empty_answer_has_a_role_too():
    assert deltas(stream()) == [{"role": "assistant", "content": "", "refusal": None}, {}]


def test_usage_rides_on_the_finishing_chunk_of_a_client_that_did_not_ask():
    *chunks, last = chunks_of(stream(TextDelta("a"), end=End(EndReason.STOP, service_tier="flex")))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert (last["usage"]["prompt_tokens"], last["usage"]["cost"], last["service_tier"]) == (
        7,
        0.000123,
        "flex",
    )
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_comes_as_a_chunk_of_its_own_to_a_client_that_asked():
    *chunks, last = chunks_of(stream(TextDelta("a"), wants_usage=True))
    assert last["choices"] == []
    assert (last["usage"]["completion_tokens"], last["usage"]["cost"]) == (2, 0.000123)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_call_is_named_once_and_its_message_has_no_content():
    opened, *rest = deltas(
        stream(
            CallBegin(0, "a", "f"),
            CallDelta(0, '{"x":'),
            CallDelta(0, "1}"),
            CallEnd(0),
            CallBegin(1, "b", "g", CallKind.CUSTOM),
            CallDelta(1, "y"),
        )
    )
    assert opened == {"role": "assistant", "content": None, "refusal": None}
    assert [delta["tool_calls"][0] for delta in rest[:-1]] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x":'}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "g", "input": ""}},
        {"index": 1, "custom": {"input": "y"}},
    ]


def test_a_client_of_functions_gets_its_one_call_as_it_knows_it():
    events = (CallBegin(0, "a", "f"), CallDelta(0, "{}"), CallBegin(1, "b", "g"), CallDelta(1, "1"))
    data = stream(*events, end=End(EndReason.CALLS), is_older=True)
    assert deltas(data)[1:] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert chunks_of(data)[-1]["choices"][0]["finish_reason"] == "function_call"
    answer = whole(*events, end=End(EndReason.CALLS), is_older=True)
    specification.check_reply(answer)
    (choice,) = answer["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_refusals_citations_and_logprobs_are_passed_on():
    data = stream(
        TextDelta("a", LOGPROB), RefusalDelta("No."), Annotation(Raw(json.dumps(CITATION).encode()))
    )
    assert deltas(data)[2:4] == [{"refusal": "No."}, {"annotations": [CITATION]}]
    assert chunks_of(data)[1]["choices"][0]["logprobs"] == {
        "content": json.loads(bytes(LOGPROB)),
        "refusal": None,
    }
    answer = whole(
        TextDelta("a", LOGPROB), TextDelta("a", LOGPROB), Annotation(Raw(json.dumps(CITATION).encode()))
    )
    specification.check_reply(answer)
    (choice,) = answer["choices"]
    assert choice["message"]["annotations"] == [CITATION]
    assert choice["logprobs"]["content"] == 2 * json.loads(bytes(LOGPROB))


def test_reasoning_is_shown_only_where_that_was_wanted():
    thought = (ReasoningDelta("hm"), ReasoningEnd(Reasoning("rs", "secret")), TextDelta("a"))
    assert b"hm" not in stream(*thought)
    assert "reasoning_content" not in whole(*thought)["choices"][0]["message"]
    assert deltas(stream(*thought, shows_reasoning=True))[1] == {"reasoning_content": "hm"}
    message = whole(*thought, shows_reasoning=True)["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "a")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        (EndReason.STOP, "stop"),
        (EndReason.STOP_SEQUENCE, "stop"),
        (EndReason.LENGTH, "length"),
        (EndReason.CALLS, "tool_calls"),
        (EndReason.CONTENT_FILTER, "content_filter"),
    ],
)
def test_every_end_has_its_finish_reason(reason, finish):
    assert chunks_of(stream(TextDelta("a"), end=End(reason)))[-1]["choices"][0]["finish_reason"] == finish
    assert whole(TextDelta("a"), end=End(reason))["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("events", "content", "refusal"),
    [
        ([TextDelta("a"), TextDelta("b")], "ab", None),
        ([], "", None),
        ([RefusalDelta("No.")], None, "No."),
        ([CallBegin(0, "a", "f")], None, None),
    ],
)
def test_content_is_null_where_something_else_was_said(events, content, refusal):
    message = whole(*events)["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (content, refusal)


def test_a_failure_and_an_error_look_like_no_end():
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1)
    assert writer.write([Failure(None, "Oh."), End(EndReason.STOP)]) == b""
    event = writer.error(problems.stream_failed())
    specification.check_error(json.loads(event.removeprefix(b"data: ")))
    assert b"[DONE]" not in event


def test_a_second_attempt_goes_on_in_the_same_message():
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1)
    data = writer.heartbeat() + writer.write([Begin(1)]) + writer.write([Begin(2), TextDelta("a")])
    data += writer.tail(End(EndReason.STOP), COUNTED, COST)
    assert [delta.get("role") for delta in deltas(data)] == [None, "assistant", None, None]


@given(usage=st.builds(Usage, *[st.integers(0, 1_000_000)] * 4, st.just(0)))
def test_usage_is_read_back_as_it_was_written(usage):
    assert read_chat_usage(write_chat_usage(usage)) == usage
