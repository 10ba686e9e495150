"""What an upstream that speaks Messages says, as neutral events."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.feeding import events_fed, folded
from runapi.core.usage import Usage
from runapi.wire.anthropic.answer_reader import AnthropicReader, read_answer
from runapi.wire.anthropic.answer_writer import AnthropicWriter, write_answer
from runapi.wire.anthropic.request import Thinking
from runapi.wire.anthropic.signature import open_seal
from runapi.wire.anthropic.usage import read_anthropic_usage, write_anthropic_usage
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Failure,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
)
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.stream import StreamFault
from wire.anthropic.streams import (
    COUNTED,
    PING,
    START_USAGE,
    USAGE,
    WHOLE,
    answers,
    block,
    call,
    end,
    event,
    sse,
    start,
    text,
)

MESSAGE = {
    "id": "msg_up",
    "type": "message",
    "role": "assistant",
    "model": "claude-up",
    "content": [
        {"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"},
        {"type": "text", "text": "Hello.", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": START_USAGE | {"output_tokens": 31},
}


def read(data, cuts=()):
    reader = AnthropicReader(5)
    return reader, events_fed(reader, data, cuts)


def read_whole(**changes):
    return read_answer(msgspec.json.encode(MESSAGE | changes), 5)


def test_every_kind_of_block_is_read():
    reader, events = read(WHOLE)
    begin, *middle, last = events
    assert begin == Begin(5, "default")
    seal = middle.pop(2)
    assert middle == [
        ReasoningDelta("Hm"),
        ReasoningDelta("m."),
        TextDelta("Hel"),
        TextDelta("lo."),
        CallBegin(0, "toolu_1", "look"),
        CallDelta(0, '{"a"'),
        CallDelta(0, ":1}"),
        CallEnd(0),
    ]
    assert isinstance(seal, ReasoningEnd)
    assert open_seal(seal.item) == {"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"}
    assert (last.reason, last.usage, last.service_tier) == (EndReason.CALLS, USAGE, "default")
    assert json.loads(bytes(last.raw_usage)) == START_USAGE | {"output_tokens": 31}
    assert reader.ended
    assert reader.fault is None


@given(data=st.data())
def test_any_cutting_of_the_upstreams_bytes_gives_the_same_events(data):
    upstream = data.draw(st.sampled_from([WHOLE, WHOLE.replace(b"\n", b"\r\n"), WHOLE[:-30], WHOLE[:500]]))
    cuts = data.draw(st.lists(st.integers(0, len(upstream)), max_size=8))
    whole, expected = read(upstream)
    cut, events = read(upstream, cuts)
    assert (events, cut.ended, cut.fault) == (expected, whole.ended, whole.fault)


def test_a_whole_answer_is_the_events_of_its_stream():
    assert folded(read(WHOLE)[1]) == read_whole()


@pytest.mark.parametrize(
    ("upstream", "fault"),
    [
        (sse(start(), *text(0, "a")), StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a")[:2]), StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a"), {"type": "message_stop"}), StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a")) + b"data: [DONE]\n\n", StreamFault.TRUNCATED),
        (b"", StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a")) + b'event: message_delta\ndata: {"ty', StreamFault.TRUNCATED),
        (sse(start(), PING) + b"data: {\n\n", StreamFault.UNREADABLE),
        (sse(start()) + b"data: <html>\n\n", StreamFault.UNREADABLE),
        (sse(start()) + b'data: {"type":"ping","x":"\xff"}\n\n', StreamFault.UNREADABLE),
        (sse(start()) + b"data: []\n\n", StreamFault.UNREADABLE),
        (sse(start()) + b"data: " + b"[" * 100_000 + b"\n\n", StreamFault.UNREADABLE),
        (b"data: " + b"x" * 1_100_000, StreamFault.UNREADABLE),
        (sse(*text(0, "a"), *end()), StreamFault.UNREADABLE),
        (sse(*end()), StreamFault.UNREADABLE),
        (sse(start(), text(0, "a")[1]), StreamFault.UNREADABLE),
        (sse(start(), text(0, "a")[2]), StreamFault.UNREADABLE),
        (sse(start(), text(0, "a")[0], text(0, "b")[0]), StreamFault.UNREADABLE),
        (sse(start(), *call(0, "{}", name="")), StreamFault.UNREADABLE),
    ],
)
def test_a_broken_stream_is_never_taken_for_a_whole_one(upstream, fault):
    reader, events = read(upstream)
    assert not reader.ended
    assert reader.fault is fault
    assert not [event_ for event_ in events if isinstance(event_, End)]


def test_an_error_of_the_upstreams_says_what_it_says():
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reader, events = read(sse(start(), *text(0, "a")[:2], overloaded, *end()))
    assert reader.fault is StreamFault.ERROR
    assert events[-1] == Failure("overloaded_error", "Overloaded")
    assert not reader.ended


def test_an_end_without_its_marker_is_whole_once_there_is_a_reason():
    for upstream in (
        sse(start(), *text(0, "a"), end()[0]),
        sse(start(), *text(0, "a"), end()[0]) + b"data: [DONE]\n\n",
    ):
        reader, events = read(upstream)
        assert reader.ended
        assert isinstance(events[-1], End)


def test_what_is_not_known_is_passed_over():
    search = block(
        0, {"type": "input_json_delta", "partial_json": "{}"}, type="server_tool_use", id="s", name="w"
    )
    result = block(1, type="web_search_tool_result", tool_use_id="s", content=[{"type": "web_search_result"}])
    cited = block(2, {"type": "citations_delta", "citation": {"type": "x"}}, type="text", text="")
    reader, events = read(sse(start(), {"type": "new_event", "index": 9}, *search, *result, *cited, *end()))
    assert reader.ended
    assert [type(event_) for event_ in events] == [Begin, End]


def test_names_of_events_are_not_needed():
    assert (
        read(b"".join(line + b"\n" for line in WHOLE.split(b"\n") if not line.startswith(b"event:")))[1]
        == read(WHOLE)[1]
    )


def test_arguments_that_came_with_the_beginning_of_a_call_count():
    given_ = block(0, type="tool_use", id="toolu_1", name="look", input={"a": 1})
    assert CallDelta(0, '{"a":1}') in read(sse(start(), *given_, *end("tool_use")))[1]


def test_half_an_emoji_does_not_break_a_stream():
    broken = event(text(0, "~")[1]).replace(b"~", b"\\ud83d")
    upstream = sse(start(), text(0, "~")[0]) + broken + sse(text(0, "~")[2], *end())
    assert TextDelta("\ufffd") in read(upstream)[1]


def test_redacted_thinking_comes_back_as_it_was():
    _, events = read(sse(start(), *block(0, type="redacted_thinking", data="abc="), *end()))
    assert open_seal(events[1].item) == {"type": "redacted_thinking", "data": "abc="}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", EndReason.STOP),
        ("max_tokens", EndReason.LENGTH),
        ("model_context_window_exceeded", EndReason.LENGTH),
        ("stop_sequence", EndReason.STOP_SEQUENCE),
        ("tool_use", EndReason.CALLS),
        ("refusal", EndReason.CONTENT_FILTER),
        ("pause_turn", EndReason.STOP),
        ("something_new", EndReason.STOP),
    ],
)
def test_reasons_to_stop_are_understood(word, reason):
    _, events = read(sse(start(), *text(0, "a"), *end(word, stop_sequence="X")))
    assert (events[-1].reason, events[-1].stop_sequence) == (reason, "X")
    assert read_whole(stop_reason=word)[-1].reason is reason


def test_the_last_report_of_usage_holds_and_none_are_summed():
    later = {"input_tokens": 21, "cache_read_input_tokens": None, "output_tokens": 40}
    _, events = read(sse(start(), *text(0, "a"), end(usage={"output_tokens": 9})[0], *end(usage=later)))
    assert events[-1].usage == Usage(input=21, cached=100, cache_write=7, output=40)


@pytest.mark.parametrize(
    "lie",
    [
        {"input_tokens": -1},
        {"output_tokens": "7"},
        {"cache_read_input_tokens": 1e18},
        {"output_tokens": True},
        {"input_tokens": 1.5},
        {"cache_creation_input_tokens": 10**9},
    ],
)
def test_usage_that_cannot_be_true_is_not_believed(lie):
    last = read_whole(usage=START_USAGE | lie)[-1]
    assert (last.usage, last.raw_usage) == (None, None)


@pytest.mark.parametrize("usage", [None, 7, [], "x", {}])
def test_usage_that_is_missing_or_none_is_not_made_up(usage):
    reader, events = read(sse(start(usage=usage), *text(0, "a"), *end(usage=usage)))
    assert reader.ended
    assert events[-1].usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"<html>",
        b'{"type":"message","content":null}',
        b'{"content":[7]}',
        b'{"content":[],"x":"\xff"}',
        b'{"content":[{"type":"tool_use","input":{}}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(BadReplyError):
        read_answer(body)


def test_an_error_that_came_as_a_success_says_what_it_says():
    with pytest.raises(FailedAnswerError) as raised:
        read_answer(b'{"type":"error","error":{"type":"api_error","message":"Internal"}}')
    assert raised.value.failure == Failure("api_error", "Internal")


def test_usage_is_disjoint_and_a_part_is_no_larger_than_its_whole():
    raw = {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 2}
    raw |= {"output_tokens_details": {"thinking_tokens": 9}, "server_tool_use": {"web_search_requests": 1}}
    assert read_anthropic_usage(msgspec.json.encode(raw)) == Usage(input=3, cached=5, output=2, reasoning=2)


@given(st.builds(Usage, *[st.integers(0, 10**6)] * 4))
def test_usage_that_was_written_is_read_again(usage):
    assert read_anthropic_usage(write_anthropic_usage(usage)) == usage


@given(events=answers(overlapping=False))
def test_what_the_writer_writes_the_reader_reads(events):
    """Streamed and whole: nothing but our own thinking, which no Claude model can read, is not said again."""
    said = [event_ for event_ in events if not isinstance(event_, ReasoningDelta | ReasoningEnd)]
    expected = folded([Begin(5, "default"), *said[1:]])
    writer = AnthropicWriter("m", "req_1", thinking=Thinking.HIDDEN)
    data = writer.write(events) + writer.tail(events[-1], COUNTED, "0")
    body = write_answer(events, COUNTED, "0", model="m", request_id="req_1", thinking=Thinking.HIDDEN)
    for got in (read(data)[1], read_answer(body, 5)):
        got[-1] = msgspec.structs.replace(got[-1], raw_usage=None, service_tier=None)
        assert folded(got) == expected
