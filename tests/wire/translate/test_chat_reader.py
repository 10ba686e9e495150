"""What a Chat upstream answers, as events: correct at every byte boundary, and never whole when it was cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.answers import USAGE, answers
from fakes.chunks import USAGE as WRITTEN_USAGE
from fakes.chunks import chunk, sse, whole
from fakes.feeding import events_fed
from runapi.core.usage import Usage
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
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.answer_reader import ChatReader, read_answer
from runapi.wire.openai_chat.answer_writer import ChatWriter, write_answer
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.stream import StreamFault


def read(data, cuts=()):
    reader = ChatReader()
    return reader, events_fed(reader, data, cuts)


def events_of(*deltas, finish="stop"):
    reader, events = read(
        sse(*[chunk(delta) for delta in deltas], chunk({}, finish), chunk(usage=WRITTEN_USAGE))
    )
    assert reader.ended
    return events


def call(index, *, id=None, name=None, arguments="", **more):  # noqa: A002 - the wire's name
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, "function": function} | ({"id": id} if id else {}) | more]}


def test_a_stream_is_its_text_and_an_end_with_the_usage():
    reader, events = read(whole())
    assert reader.ended
    *said, end = events
    assert said == [Begin(1741569952, "default"), TextDelta("Hel"), TextDelta("lo.")]
    assert (end.reason, end.usage, end.service_tier) == (EndReason.STOP, USAGE, "default")
    assert json.loads(bytes(end.raw_usage)) == WRITTEN_USAGE


@given(events=answers(), cuts=st.lists(st.integers(0, 4000), max_size=8), wants_usage=st.booleans())
def test_what_the_writer_writes_is_read_as_it_was_however_it_was_cut(events, cuts, wants_usage):
    *said, end = events
    writer = ChatWriter("gpt-5.5", "chatcmpl-1", 1741569952, wants_usage=wants_usage)
    data = writer.write(events) + writer.tail(end, end.usage, "0.000001")
    reader, got = read(data, cuts)
    assert reader.ended
    assert got[0] == Begin(1741569952)
    assert got[1:-1] == said[1:]
    assert (got[-1].reason, got[-1].usage, got[-1].service_tier) == (end.reason, end.usage, "default")


@given(events=answers())
def test_a_whole_answer_says_what_its_stream_says(events):
    end = events[-1]
    body = write_answer(events, end.usage, "0", model="m", id="chatcmpl-1", created_s=1741569952)
    got = read_answer(body)
    assert "".join(event.text for event in got if isinstance(event, TextDelta)) == "".join(
        event.text for event in events if isinstance(event, TextDelta)
    )
    assert [event for event in got if isinstance(event, CallBegin)] == [
        event for event in events if isinstance(event, CallBegin)
    ]
    for index in range(sum(isinstance(event, CallBegin) for event in events)):
        assert _arguments(got, index) == _arguments(events, index)
    assert (got[-1].reason, got[-1].usage) == (end.reason, end.usage)


def _arguments(events, index):
    return "".join(
        event.arguments for event in events if isinstance(event, CallDelta) and event.index == index
    )


@given(cuts=st.lists(st.integers(0, 2000), max_size=10), line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cutting_gives_the_same_events(cuts, line_end):
    data = sse(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "é\u2028\U0001f642"}),
        chunk(call(0, id="a", name="f", arguments='{"x"')),
        chunk(call(0, arguments=":1}")),
        chunk({}, "tool_calls"),
        chunk(usage=WRITTEN_USAGE),
    ).replace(b"\n", line_end)
    assert read(data, cuts)[1] == read(data)[1]


# ---- calls -----------------------------------------------------------------------------------------------


def test_calls_are_counted_from_zero_and_end_before_the_next_begins():
    events = events_of(
        call(3, id="a", name="f"),
        call(3, arguments="{}"),
        call(7, id="b", name="g", arguments="1"),
        finish="tool_calls",
    )
    assert events[1:-1] == [
        CallBegin(0, "a", "f"),
        CallDelta(0, "{}"),
        CallEnd(0),
        CallBegin(1, "b", "g"),
        CallDelta(1, "1"),
        CallEnd(1),
    ]


def test_a_custom_call_gives_its_input():
    custom = {
        "tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": "x"}}]
    }
    assert events_of(custom)[1:4] == [CallBegin(0, "a", "p", CallKind.CUSTOM), CallDelta(0, "x"), CallEnd(0)]


def test_a_call_without_a_number_or_with_the_first_ones_is_another_by_its_id():
    for index in (None, 0):
        events = events_of(call(index, id="a", name="f"), call(index, id="b", name="f"))
        assert [event.id for event in events if isinstance(event, CallBegin)] == ["a", "b"]


def test_an_id_that_is_repeated_with_each_piece_is_one_call():
    events = events_of(call(0, id="a", name="f"), call(0, id="a", name="f", arguments="{}"))
    assert [event for event in events if isinstance(event, CallBegin | CallDelta)] == [
        CallBegin(0, "a", "f"),
        CallDelta(0, "{}"),
    ]


def test_arguments_in_front_of_the_name_wait_for_it():
    events = events_of(call(0, id="a", arguments="{"), call(0, name="f", arguments="}"))
    assert events[1:4] == [CallBegin(0, "a", "f"), CallDelta(0, "{}"), CallEnd(0)]


def test_a_call_without_an_id_gets_one_that_is_the_answers_own():
    (begin,) = [event for event in events_of(call(0, name="f")) if isinstance(event, CallBegin)]
    assert begin.id == "call_up_0"
    older = events_of({"function_call": {"name": "f", "arguments": "{}"}}, finish="function_call")
    assert older[1:4] == [CallBegin(0, "call_up_0", "f"), CallDelta(0, "{}"), CallEnd(0)]
    assert older[-1].reason is EndReason.CALLS


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, id="a", name="f"), call(1, id="b", name="f"), call(0, arguments="{}")],
        [call(0, id="a", arguments="{}")],
    ],
    ids=["overlapping", "nameless"],
)
def test_calls_that_cannot_be_told_apart_break_the_answer(deltas):
    reader, _ = read(sse(*[chunk(delta) for delta in deltas], chunk({}, "tool_calls")))
    assert reader.fault is StreamFault.UNREADABLE
    assert not reader.ended


def test_a_call_that_ends_with_stop_is_a_call():
    assert events_of(call(0, id="a", name="f"), finish="stop")[-1].reason is EndReason.CALLS


# ---- all else --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_that_is_shown_is_no_text(field):
    assert events_of({field: "hm"})[1] == ReasoningDelta("hm")


def test_refusals_annotations_and_logprobs_are_read():
    citation = {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 1, "url": "https://e.org", "title": "e"},
    }
    assert events_of({"refusal": "No."})[1] == RefusalDelta("No.")
    (annotation,) = [
        event for event in events_of({"annotations": [citation]}) if isinstance(event, Annotation)
    ]
    assert json.loads(bytes(annotation.raw)) == citation
    logprobs = {"content": [{"token": "a"}], "refusal": None}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": logprobs, "finish_reason": None}
    data = sse(chunk(choices=[choice]), chunk({}, "stop"))
    text = read(data)[1][1]
    assert (text.text, json.loads(bytes(text.logprobs))) == ("a", [{"token": "a"}])


def test_content_in_parts_is_its_text():
    assert events_of({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})[
        1
    ] == TextDelta("ab")


def test_half_a_character_does_not_break_the_answer():
    reader, events = read(sse(b'{"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}', chunk({}, "stop")))
    assert reader.ended
    assert events[1] == TextDelta("a\ufffd")


def test_other_choices_than_the_first_are_passed_over():
    data = sse(chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({}, "stop"))
    assert [event.text for event in read(data)[1] if isinstance(event, TextDelta)] == ["a"]


def test_the_last_of_several_usages_that_can_be_believed_holds():
    first = WRITTEN_USAGE | {"completion_tokens": 5}
    data = sse(
        chunk({"content": "a"}, usage=first),
        chunk({}, "stop", usage=WRITTEN_USAGE),
        chunk(usage={"prompt_tokens": -1}),
    )
    assert read(data)[1][-1].usage == USAGE


@pytest.mark.parametrize(
    "usage", [None, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": 1e30}]
)
def test_no_usage_or_nonsense_is_none(usage):
    end = read(sse(chunk({"content": "a"}), chunk({}, "stop"), chunk(usage=usage)))[1][-1]
    assert (end.usage, end.raw_usage) == (None, None)


def test_an_end_without_the_marker_is_whole_once_the_model_has_finished():
    reader, events = read(sse(chunk({"content": "a"}), chunk({}, "length"), done=False))
    assert reader.ended
    assert events[-1].reason is EndReason.LENGTH


def test_an_unknown_finish_reason_is_an_ordinary_end():
    assert events_of({"content": "a"}, finish="eos")[-1].reason is EndReason.STOP


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", StreamFault.TRUNCATED),
        (whole()[:300], StreamFault.TRUNCATED),
        (sse(chunk({"content": "a"})), StreamFault.TRUNCATED),
        (sse(chunk({"content": "a"}), done=False), StreamFault.TRUNCATED),
        (sse(b"{"), StreamFault.UNREADABLE),
        (sse(b"<html>"), StreamFault.UNREADABLE),
        (sse(b"\xff"), StreamFault.UNREADABLE),
        (sse(b'{"choices":7}'), StreamFault.UNREADABLE),
        (sse(b"[" * 5000), StreamFault.UNREADABLE),
        (b"data: " + b"x" * (1024 * 1024 + 1), StreamFault.UNREADABLE),
    ],
)
def test_what_is_no_whole_stream_is_a_fault(data, fault):
    reader, events = read(data)
    assert reader.fault is fault
    assert not reader.ended
    assert not [event for event in events if isinstance(event, End)]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"},
            Failure("rate_limit_exceeded", "Slow down."),
        ),
        ({"message": "Oh.", "type": "server_error", "code": None}, Failure("server_error", "Oh.")),
        ({"message": "Oh.", "code": 500}, Failure("500", "Oh.")),
        ("Oh.", Failure(None, "Oh.")),
        ([], Failure(None, "The upstream failed and did not say why.")),
    ],
)
def test_an_error_event_is_the_upstreams_failure(error, failure):
    data = sse(chunk({"content": "a"}), json.dumps({"error": error}).encode(), chunk({}, "stop"))
    reader, events = read(data)
    assert reader.fault is StreamFault.ERROR
    assert events[-1] == failure
    with pytest.raises(FailedAnswerError) as caught:
        read_answer(json.dumps({"error": error}).encode())
    assert caught.value.failure == failure


# ---- whole answers ---------------------------------------------------------------------------------------


def test_a_whole_answer_is_read():
    message = {
        "role": "assistant",
        "content": "a",
        "refusal": None,
        "annotations": [],
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = {
        "id": "chatcmpl-1",
        "created": 7,
        "service_tier": "flex",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    body["choices"] = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}]
    *said, end = read_answer(json.dumps(body).encode())
    assert said == [
        Begin(7, "flex"),
        TextDelta("a"),
        CallBegin(0, "c", "f"),
        CallDelta(0, "{}"),
        CallEnd(0),
    ]
    assert (end.reason, end.usage, end.service_tier) == (EndReason.CALLS, Usage(input=3, output=2), "flex")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"delta":{}}]}',
        b"<html>",
        b'{"choices":[{"message":"\xff"}]}',
        b"[" * 5000,
    ],
)
def test_what_is_no_whole_answer_is_refused(body):
    with pytest.raises(BadReplyError):
        read_answer(body)
