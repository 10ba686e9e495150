"""What an upstream that speaks Responses answers, in the neutral form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.feeding import events_fed, folded
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
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.openai_responses import event_blocks
from runapi.wire.openai_responses.answer_reader import ResponsesReader, read_answer
from wire.openai_responses import answers
from wire.openai_responses.answers import call, custom_call, message, reasoning, refusal_part, text_part

COUNTED = Usage(input=1024, cached=1024, output=87, reasoning=64)
FULL = (
    reasoning("**Look**", "it up"),
    message(
        text_part("Hel. Lo 🌍!", [answers.CITATION], [answers.LOGPROB]), text_part("More", [answers.CITATION])
    ),
    call(),
    reasoning(encrypted="gAAAAA-more", item_id="rs_up1"),
    custom_call(),
)


def read(data, cuts=()):
    reader = ResponsesReader()
    return reader, events_fed(reader, data, cuts)


def test_everything_that_an_answer_can_hold_is_folded_into_one():
    reader, told = read(answers.stream(*FULL))
    assert reader.ended
    begin, *middle, end = folded(told)
    assert begin == Begin(answers.CREATED_S, "auto")
    thought, whole, first, rest, cited, more, cited_again, *calls = middle
    assert thought == ReasoningDelta("**Look**\n\nit up")
    assert whole == ReasoningEnd(Reasoning("rs_up0", "gAAAAA-sealed", ("**Look**", "it up")))
    assert first.text + rest.text == "Hel. Lo 🌍!"
    tops = [{"token": "Hel", "logprob": -0.25, "bytes": None}]
    assert json.loads(bytes(first.logprobs)) == [tops[0] | {"top_logprobs": tops}]
    assert more == TextDelta("More")
    assert isinstance(cited, Annotation)
    inner = {key: value for key, value in answers.CITATION.items() if key != "type"}
    assert json.loads(bytes(cited.raw)) == {"type": "url_citation", "url_citation": inner}
    shifted = json.loads(bytes(cited_again.raw))["url_citation"]
    assert (shifted["start_index"], shifted["end_index"]) == (10, 13)
    assert calls == [
        CallBegin(0, "call_up0", "look_up"),
        CallDelta(0, '{"city":"Oslo"}'),
        CallEnd(0),
        ReasoningEnd(Reasoning("rs_up1", "gAAAAA-more")),
        CallBegin(1, "call_up1", "apply_patch", CallKind.CUSTOM),
        CallDelta(1, "*** Begin Patch"),
        CallEnd(1),
    ]
    assert (end.reason, end.usage, end.service_tier) == (EndReason.CALLS, COUNTED, "default")
    assert json.loads(bytes(end.raw_usage)) == answers.USAGE


@given(st.lists(st.integers(0, len(answers.stream(*FULL))), max_size=12))
def test_any_split_of_the_bytes_says_the_same(cuts):
    data = answers.stream(*FULL)
    assert read(data, cuts)[1] == read(data)[1]


def test_each_byte_alone_says_the_same():
    data = answers.stream(*FULL)
    assert read(data, range(len(data)))[1] == read(data)[1]


@pytest.mark.parametrize("ends", [b"\r\n", b"\r"])
def test_other_line_ends_a_byte_order_mark_and_comments_are_read(ends):
    data = answers.stream(*FULL)
    odd = b"\xef\xbb\xbf: hello\n\n" + data.replace(b"\n\nevent", b"\n\nid: 7\nretry: 5\n\n: ping\n\nevent")
    assert read(odd.replace(b"\n", ends))[1] == read(data)[1]
    assert read(odd.replace(b"\n", ends), range(len(odd)))[1] == read(data)[1]


def test_whole_answer_says_what_its_stream_would():
    body = answers.written(answers.response(*FULL)).encode()
    whole, (_, streamed) = read_answer(body), read(answers.stream(*FULL, pieces=1))
    said = next(event for event in whole if isinstance(event, TextDelta))
    assert json.loads(bytes(said.logprobs)) == [
        answers.LOGPROB
    ]  # the bytes of tokens stand in whole texts only

    def without_logprobs(events):
        return [TextDelta(event.text) if isinstance(event, TextDelta) else event for event in events]

    assert folded(without_logprobs(whole))[1:] == folded(without_logprobs(streamed))[1:]
    assert whole[0] == Begin(answers.CREATED_S, "default")


def without(told, *endings):
    return [event for event in told if not event["type"].endswith(endings)]


@pytest.mark.parametrize(
    "left_out",
    [
        (".delta",),
        (".delta", "_text.done", "arguments.done", "input.done", "refusal.done"),
        ("part.added", "part.done", "_text.done", "arguments.done", "input.done"),
        (".delta", ".added", "part.done", "_text.done", "arguments.done", "input.done", "refusal.done"),
        ("item.added",),
        ("response.created",),
        ("response.created", "in_progress"),
    ],
)
def test_what_a_server_leaves_out_is_taken_from_what_it_repeats(left_out):
    told = answers.events(answers.response(*FULL))
    _, expected = read(answers.sse(told))
    reader, got = read(answers.sse(without(told, *left_out)))
    assert reader.ended

    def texts(events):
        return {
            kind: "".join(event.text for event in events if isinstance(event, kind))
            for kind in (TextDelta, RefusalDelta, ReasoningDelta)
        }

    def calls(events):
        return [event for event in folded(events) if isinstance(event, CallBegin | CallDelta | CallEnd)]

    assert texts(got) == texts(expected)
    assert calls(got) == calls(expected)
    assert got[-1] == expected[-1]
    assert isinstance(got[0], Begin)


def test_server_that_streams_nothing_but_the_end_is_understood():
    told = answers.events(answers.response(*FULL))
    reader, got = read(answers.sse(told[-1:]))
    assert reader.ended
    assert folded(got) == folded(read_answer(answers.written(answers.response(*FULL)).encode()))


def test_refusal_is_no_text():
    _, told = read(answers.stream(message(refusal_part("I can't help with that."))))
    assert folded(told)[1:-1] == [RefusalDelta("I can't help with that.")]
    assert told[-1].reason is EndReason.STOP


def test_cut_text_is_no_text_of_another_part():
    part, more = refusal_part("No."), text_part("Yes.")
    _, told = read(answers.stream(message(more, part)))
    assert folded(told)[1:-1] == [TextDelta("Yes."), RefusalDelta("No.")]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", EndReason.LENGTH),
        ("content_filter", EndReason.CONTENT_FILTER),
        ("steered", EndReason.LENGTH),
        (None, EndReason.LENGTH),
    ],
)
def test_incomplete_answer_says_why_even_if_it_has_calls(reason, expected):
    details = None if reason is None else {"reason": reason}
    _, told = read(answers.stream(call(), status="incomplete", incomplete_details=details))
    assert told[-1].reason is expected
    body = answers.response(call(), status="incomplete", incomplete_details=details)
    assert read_answer(answers.written(body).encode())[-1].reason is expected


def test_call_that_was_cut_off_ends_with_the_answer():
    told = without(
        answers.events(answers.response(call(), status="incomplete")), "arguments.done", "item.done"
    )
    _, got = read(answers.sse(told))
    assert got[-2] == CallEnd(0)


def failing(error, **more):
    told = answers.events(answers.response(message("Hi")))
    return answers.sse([*told[:2], {"type": "response.failed", "response": {"error": error, **more}}])


@pytest.mark.parametrize(
    ("data", "code", "message_said"),
    [
        (
            failing({"code": "rate_limit_exceeded", "message": "Slow down."}),
            "rate_limit_exceeded",
            "Slow down.",
        ),
        (failing({"code": 500, "message": "Oh."}), "500", "Oh."),
        (failing("Oh."), None, "Oh."),
        (failing(None), None, "The upstream failed and did not say why."),
        (
            b'event: error\ndata: {"type":"error","code":"server_error","message":"Oh.","param":null}\n\n',
            "server_error",
            "Oh.",
        ),
        (b'data: {"type":"error","error":{"code":null,"message":"Oh."}}\n\n', None, "Oh."),
        (b'data: {"error":{"message":"Oh.","type":"server_error","code":"x"}}\n\n', "x", "Oh."),
        (b'data: {"error":"Oh."}\n\n', None, "Oh."),
    ],
)
def test_upstream_that_says_that_it_failed_is_quoted(data, code, message_said):
    reader, told = read(data + answers.stream(message("later")))
    assert told[-1] == Failure(code, message_said)
    assert (reader.fault, reader.ended) == (StreamFault.ERROR, False)


@pytest.mark.parametrize("events_left", range(1, len(answers.events(answers.response(message("Hi"))))))
@pytest.mark.parametrize("done", [True, False])
def test_stream_without_its_end_is_truncated(events_left, done):
    told = answers.events(answers.response(message("Hi")))[:events_left]
    reader, got = read(answers.sse(told, done=done))
    assert (reader.fault, reader.ended) == (StreamFault.TRUNCATED, False)
    assert not any(isinstance(event, End) for event in got)


def test_half_an_event_at_the_end_is_a_cut():
    data = answers.stream(message("Hi"))
    reader, told = read(data[: len(data) - 40])
    assert reader.fault is StreamFault.TRUNCATED
    assert not any(isinstance(event, End) for event in told)


@pytest.mark.parametrize(
    "bad", ["nonsense", "[]", '{"type":"response.output_text.delta","delta":7}', "\udce9"]
)
def test_what_is_no_event_is_unreadable(bad):
    data = b"data: " + bad.encode(errors="surrogateescape") + b"\n\n" + answers.stream(message("Hi"))
    reader, told = read(data)
    assert (reader.fault, told) == (StreamFault.UNREADABLE, [])


def test_events_and_items_of_unknown_types_are_passed_over():
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": "x"}}
    told = answers.events(answers.response(search, message("Hi")))
    steered = {"type": "response.steer.done", "delta": {"of": ["another", "type"]}, "item": 7}
    strange = {"type": "response.output_item.done", "output_index": 5, "item": {"type": "new", "content": 7}}
    _, got = read(answers.sse([told[0], steered, strange, *told[1:]]))
    assert folded(got)[1:-1] == [TextDelta("Hi")]


@pytest.mark.parametrize("odd", [{"type": "file_citation", "index": 0}, {"type": "url_citation"}, "odd"])
def test_annotation_that_chat_has_no_word_for_is_passed_over(odd):
    known = answers.CITATION
    _, told = read(answers.stream(message(text_part("Hi", [odd, known])), pieces=1))
    assert [type(event) for event in told[1:-1]] == [TextDelta, Annotation]


def test_log_probabilities_that_nobody_can_read_are_none():
    data = answers.stream(message("Hi"), pieces=1).replace(b'"logprobs":[]', b'"logprobs":[{"token":7}]', 2)
    assert read(data)[1][1] == TextDelta("Hi")


def test_event_that_does_not_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr(event_blocks, "MOST_EVENT_BYTES", 1000)
    reader = ResponsesReader()
    assert reader.feed(b"x" * 1001) == []
    assert reader.fault is StreamFault.UNREADABLE


def test_half_a_character_does_not_break_the_stream():
    half = answers.stream(message("AXB"), pieces=1).replace(b'"AXB"', rb'"A\ud83dB"')
    _, told = read(half)
    assert folded(told)[1:-1] == [TextDelta("A�B")]


@pytest.mark.parametrize(
    "usage", [None, {"input_tokens": -1, "output_tokens": 1}, {"total_tokens": 5}, "many"]
)
def test_usage_that_cannot_be_believed_is_none(usage):
    _, told = read(answers.stream(message("Hi"), usage=usage))
    assert told[-1].usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"output":7}',
        b'{"object":"response","status":"in_progress","output":[]}',
        b'{"object":"response","status":"queued","output":[]}',
        b'{"output":[{"type":"message","content":[{"type":"output_text","text":7}]}]}',
        b'{"output":[],"model":"\xff"}',
    ],
)
def test_what_is_no_answer_is_refused(body):
    with pytest.raises(BadReplyError) as caught:
        read_answer(body)
    assert not isinstance(caught.value, FailedAnswerError)


@pytest.mark.parametrize(
    "body",
    [
        answers.response(status="failed", error={"code": "server_error", "message": "Oh."}),
        {"error": {"code": "server_error", "message": "Oh.", "type": "x"}},
    ],
)
def test_answer_that_failed_is_refused_with_its_words(body):
    with pytest.raises(FailedAnswerError) as caught:
        read_answer(answers.written(body).encode())
    assert caught.value.failure == Failure("server_error", "Oh.")


def test_answer_that_was_cancelled_is_refused():
    with pytest.raises(FailedAnswerError):
        read_answer(answers.written(answers.response(status="cancelled")).encode())
