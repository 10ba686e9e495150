"""What a client of Messages gets for the events of an answer, streamed and whole."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core import limit_problems, problems
from runapi.wire.anthropic.answer_writer import AnthropicWriter, write_answer
from runapi.wire.anthropic.request import Thinking
from runapi.wire.anthropic.signature import read_signature
from runapi.wire.neutral import (
    Annotation,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Failure,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from wire.anthropic.streams import COUNTED, answers
from wire.anthropic.strict_types import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Error,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    ToolUseBlock,
    accumulate,
    read_error,
    read_events,
    read_message,
)

SHOWN = st.sampled_from(list(Thinking))


def stream(events, thinking=Thinking.SHOWN, groups=None):
    writer = AnthropicWriter("gpt-5.5", "req_1", thinking=thinking)
    groups = groups or [events]
    out = b"".join([writer.write(group) for group in groups])
    return out + writer.tail(events[-1], COUNTED, "0.000123")


def whole(events, thinking=Thinking.SHOWN):
    return read_message(
        write_answer(events, COUNTED, "0.000123", model="gpt-5.5", request_id="req_1", thinking=thinking)
    )


def blocks_of(*events, thinking=Thinking.SHOWN):
    """The content of the same answer, streamed and whole."""
    answer = [Begin(1), *events, End(EndReason.STOP)]
    content = accumulate(read_events(stream(answer, thinking))).content
    assert content == whole(answer, thinking).content
    return content


@given(events=answers(), thinking=SHOWN, data=st.data())
def test_events_of_a_stream_are_the_same_however_they_came(events, thinking, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    groups = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert stream(events, thinking, groups) == stream(events, thinking)


@given(events=answers(), thinking=SHOWN)
def test_a_stream_adds_up_to_the_whole_message(events, thinking):
    assert accumulate(read_events(stream(events, thinking))) == whole(events, thinking)


@given(events=answers(), thinking=SHOWN)
def test_nothing_before_the_tail_looks_like_an_end(events, thinking):
    writer = AnthropicWriter("gpt-5.5", "req_1", thinking=thinking)
    before = read_events(writer.write(events))
    assert not [event for event in before if isinstance(event, MessageDelta | MessageStop)]


@given(events=answers(), at=st.integers(0, 30))
def test_a_stream_that_broke_ends_with_an_error_and_no_end_marker(events, at):
    writer = AnthropicWriter("gpt-5.5", "req_1", thinking=Thinking.SHOWN)
    out = writer.write(events[:at]) + writer.error(problems.stream_failed())
    out += writer.write(events[at:]) + writer.tail(events[-1], COUNTED, "0")
    *before, last = read_events(out)
    assert isinstance(last, Error)
    assert (last.error.type, last.request_id) == ("api_error", "req_1")
    assert not [event for event in before if isinstance(event, Error | MessageDelta | MessageStop)]


def test_an_answer_has_its_events_in_anthropics_order():
    calls = [CallBegin(0, "call_a", "look"), CallDelta(0, '{"a":1}'), CallEnd(0)]
    answer = [Begin(1), TextDelta("Hel"), TextDelta("lo."), *calls, End(EndReason.CALLS)]
    assert [line for line in stream(answer).decode().split("\n") if line.startswith("event: ")] == [
        "event: message_start",
        "event: content_block_start",
        "event: content_block_delta",
        "event: content_block_delta",
        "event: content_block_stop",
        "event: content_block_start",
        "event: content_block_delta",
        "event: content_block_stop",
        "event: message_delta",
        "event: message_stop",
    ]


def test_tokens_from_the_cache_stand_beside_the_input_and_the_cost_in_the_usage():
    usage = accumulate(read_events(stream([Begin(1), TextDelta("a"), End(EndReason.STOP)]))).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (7, 2, 1)
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (5, 3)
    assert usage.cost == 0.000123


def test_a_message_begins_with_about_how_many_tokens_went_in():
    writer = AnthropicWriter("gpt-5.5", "req_1", input_tokens=41)
    [begun] = read_events(writer.write([Begin(1, "priority")]))
    assert isinstance(begun, MessageStart)
    assert (begun.message.usage.input_tokens, begun.message.usage.service_tier) == (41, "priority")
    assert (begun.message.id, begun.message.model) == ("msg_1", "gpt-5.5")


def test_a_heartbeat_is_a_ping_at_any_time():
    writer = AnthropicWriter("gpt-5.5", "req_1")
    out = writer.heartbeat() + writer.write([Begin(1), TextDelta("a")]) + writer.heartbeat()
    kinds = [type(event) for event in read_events(out)]
    assert kinds[0] is kinds[-1] is Ping


def test_a_second_attempt_does_not_begin_the_message_again():
    writer = AnthropicWriter("gpt-5.5", "req_1")
    out = writer.write([Begin(1)]) + writer.write([Begin(2), TextDelta("a"), End(EndReason.STOP)])
    message = accumulate(read_events(out + writer.tail(End(EndReason.STOP), COUNTED, "0")))
    assert [block.text for block in message.content] == ["a"]


def test_an_empty_answer_is_a_message_without_content():
    assert accumulate(read_events(stream([End(EndReason.STOP)]))).content == []


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (End(EndReason.STOP), "end_turn"),
        (End(EndReason.LENGTH), "max_tokens"),
        (End(EndReason.CALLS), "tool_use"),
        (End(EndReason.CONTENT_FILTER), "refusal"),
        (End(EndReason.STOP_SEQUENCE, stop_sequence="END"), "stop_sequence"),
    ],
)
def test_the_reason_to_stop_is_said_in_anthropics_words(end, reason):
    answer = [Begin(1), TextDelta("a"), end]
    for message in (accumulate(read_events(stream(answer))), whole(answer)):
        assert message.stop_reason == reason
        assert message.stop_sequence == end.stop_sequence
        assert (message.stop_details is not None) == (reason == "refusal")


def test_a_refusal_is_text_and_the_reason_to_stop():
    answer = [Begin(1), RefusalDelta("I will not."), End(EndReason.STOP)]
    for message in (accumulate(read_events(stream(answer))), whole(answer)):
        assert message.stop_reason == "refusal"
        assert [block.text for block in message.content] == ["I will not."]


def test_each_block_is_shown_as_soon_as_the_one_before_it_has_ended():
    writer = AnthropicWriter("gpt-5.5", "req_1", thinking=Thinking.SHOWN)
    shown = [
        (ReasoningDelta("Hm."), [MessageStart, BlockStart, BlockDelta]),
        (TextDelta("a"), [BlockDelta, BlockStop, BlockStart, BlockDelta]),
        (CallBegin(0, "call_a", "look"), [BlockStop, BlockStart]),
        (CallEnd(0), [BlockStop]),
        (TextDelta("b"), [BlockStart, BlockDelta]),
        (ReasoningDelta("Hm."), [BlockStop, BlockStart, BlockDelta]),
    ]
    for event, kinds in shown:
        assert [type(got) for got in read_events(writer.write([event]))] == kinds


def test_calls_that_overlap_come_one_after_the_other():
    [first, second, said] = blocks_of(
        CallBegin(0, "call_a", "look"),
        CallBegin(1, "call_b", "walk"),
        CallDelta(1, '{"b"'),
        TextDelta("x"),
        CallDelta(0, '{"a":1}'),
        CallEnd(0),
        CallDelta(1, ":2}"),
        CallEnd(1),
    )
    assert (first.id, first.name, first.input) == ("call_a", "look", {"a": 1})
    assert (second.id, second.name, second.input) == ("call_b", "walk", {"b": 2})
    assert said.text == "x"


def test_a_call_without_arguments_has_an_empty_object():
    [call] = blocks_of(CallBegin(0, "call_a", "look"), CallEnd(0))
    assert isinstance(call, ToolUseBlock)
    assert call.input == {}


def test_arguments_that_are_no_object_stand_in_one_where_the_message_is_whole():
    calls = [CallBegin(0, "call_a", "look"), CallDelta(0, '{"a":'), CallEnd(0)]
    [call] = whole([Begin(1), *calls, End(EndReason.LENGTH)]).content
    assert call.input == {"arguments": '{"a":'}


def test_thinking_is_kept_from_who_did_not_ask_for_it():
    thoughts = [ReasoningDelta("Hm."), ReasoningEnd(Reasoning("rs_1", "gAAAA", ("Hm.",)))]
    [said] = blocks_of(*thoughts, TextDelta("a"), *thoughts, TextDelta("b"), thinking=Thinking.HIDDEN)
    assert said.text == "ab"


def test_thinking_carries_the_encrypted_reasoning_and_who_can_read_it():
    item = Reasoning("rs_1", "gAAAA", ("Hm.",), "3/gpt-5.5")
    [thought, _] = blocks_of(ReasoningDelta("H"), ReasoningDelta("m."), ReasoningEnd(item), TextDelta("a"))
    assert thought.thinking == "Hm."
    assert read_signature(thought.signature, thought.thinking) == item


def test_omitted_thinking_is_a_signature_alone():
    item = Reasoning("rs_1", "gAAAA", ("Hm.",))
    [thought] = blocks_of(ReasoningDelta("Hm."), ReasoningEnd(item), thinking=Thinking.OMITTED)
    assert thought.thinking == ""
    assert read_signature(thought.signature, "").encrypted == "gAAAA"


def test_summaries_that_were_not_streamed_are_shown_whole():
    [thought] = blocks_of(ReasoningEnd(Reasoning("rs_1", "gAAAA", ("One.", "Two."))))
    assert thought.thinking == "One.\n\nTwo."


def test_reasoning_that_says_and_carries_nothing_is_no_block():
    assert blocks_of(ReasoningEnd(Reasoning("rs_1", None))) == []


def test_thinking_that_nobody_signed_is_marked_as_ours_all_the_same():
    [thought, _] = blocks_of(ReasoningDelta("Hm."), TextDelta("a"))
    assert thought.signature.startswith("runapi1:")
    assert read_signature(thought.signature, thought.thinking) is None


def test_citations_and_what_the_upstream_says_of_its_failing_add_no_event():
    writer = AnthropicWriter("gpt-5.5", "req_1")
    assert writer.write([Annotation(msgspec.Raw(b"{}")), Failure("x", "y")]) == b""


def test_every_block_begins_empty():
    events = read_events(stream([Begin(1), ReasoningDelta("a"), TextDelta("b"), End(EndReason.STOP)]))
    begun = [event.content_block for event in events if isinstance(event, BlockStart)]
    assert [getattr(block, "text", "") + getattr(block, "thinking", "") for block in begun] == ["", ""]


def test_an_error_in_a_stream_has_the_type_of_its_status():
    writer = AnthropicWriter("gpt-5.5", "req_1")
    event = writer.error(limit_problems.ledger_unavailable())
    assert event.startswith(b"event: error\ndata: ")
    assert read_error(event.split(b"data: ")[1]).error.type == "overloaded_error"
