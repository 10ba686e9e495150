"""A translated stream that stops at a sequence, and the reasoning that goes by in it."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fakes.answers import LOGPROB, USAGE, chunks_of
from fakes.chunks import whole
from fakes.translated import (
    Scripted,
    relay,
    scripted,
    stream_for,
    texts_of,
)
from runapi.core.bridge import Dialect
from runapi.wire.dialects import UPSTREAM_SIDES
from runapi.wire.neutral import (
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Failure,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
)
from runapi.wire.openai_chat.answer_reader import ChatReader
from runapi.wire.openai_chat.answer_writer import ChatWriter
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.reasoning_memory import Thought
from runapi.wire.translate import TranslatedStream

# ---- stop sequences --------------------------------------------------------------------------------------


@given(
    texts=st.lists(st.text("abEN", max_size=4), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 3000), max_size=5),
)
def test_the_answer_ends_at_a_stop_sequence_with_the_whole_usage(texts, cuts):
    data = whole(texts=texts)
    stream = stream_for(Dialect.CHAT, stops=("EN", "bb"))
    out = relay(stream, data, cuts)
    assert out == relay(stream_for(Dialect.CHAT, stops=("EN", "bb")), data)
    text = "".join(texts)
    ends = [at for at in (text.find("EN"), text.find("bb")) if at >= 0]
    assert texts_of(out) == text[: min(ends, default=len(text))]
    assert stream.is_stopped is bool(ends)
    assert stream.usage == USAGE


def test_calls_behind_a_stop_sequence_are_never_seen():
    stream = scripted(
        [TextDelta("a END b"), CallBegin(0, "a", "f"), CallDelta(0, "{}"), End(EndReason.CALLS, USAGE)],
        stops=("END",),
    )
    out = relay(stream, b"1")
    assert texts_of(out) == "a "
    last = chunks_of(out)[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert b"tool_calls" not in out


def test_an_answer_that_was_stopped_is_whole_though_its_upstream_broke():
    stream = scripted([TextDelta("a END b")], [], fault=StreamFault.TRUNCATED, stops=("END",))
    out = relay(stream, b"12", [1])
    assert (stream.ended, stream.fault, stream.usage) == (True, None, None)
    assert texts_of(out) == "a "


def test_an_answer_that_is_stopped_at_once_was_delivered():
    stream = scripted([TextDelta("END"), End(EndReason.STOP, USAGE)], stops=("END",))
    out = relay(stream, b"1")
    assert stream.delivers
    assert texts_of(out) == ""
    assert chunks_of(out)[-1]["choices"][0]["finish_reason"] == "stop"


def test_logprobs_stay_with_their_text():
    events = [TextDelta("E", LOGPROB), TextDelta("a", LOGPROB), End(EndReason.STOP)]
    *chunks, _ = chunks_of(relay(scripted(events, stops=("END",)), b"1"))
    assert chunks[1]["choices"][0]["logprobs"]["content"] == 2 * json.loads(bytes(LOGPROB))


# ---- reasoning -------------------------------------------------------------------------------------------


def test_reasoning_that_led_to_calls_is_there_to_be_kept_with_its_origin():
    item = Reasoning("rs", "secret", ("hm",))
    stream = scripted(
        [
            ReasoningDelta("hm"),
            ReasoningEnd(item),
            CallBegin(0, "call_a", "f"),
            CallEnd(0),
            End(EndReason.CALLS),
        ]
    )
    stream.origin = "one/gpt-5.5"
    out = relay(stream, b"1")
    assert b"secret" not in out
    kept = msgspec.structs.replace(item, origin="one/gpt-5.5")
    assert stream.thoughts == [Thought((kept,), ("call_a",))]


def test_a_second_attempt_forgets_what_the_first_one_thought():
    first, second = Reasoning("rs_1", "secret 1"), Reasoning("rs_2", "secret 2")
    readers = iter(
        [
            Scripted([ReasoningEnd(first)], [], fault=StreamFault.TRUNCATED),
            Scripted([ReasoningEnd(second), CallBegin(0, "call_a", "f"), End(EndReason.CALLS)]),
        ]
    )
    stream = TranslatedStream(lambda: next(readers), ChatWriter("gpt-5.5", "chatcmpl-1", 1))
    stream.feed(b"1")
    stream.feed(b"2")
    assert stream.fault is StreamFault.TRUNCATED
    stream.restart()
    stream.feed(b"3")
    assert stream.thoughts == [Thought((second,), ("call_a",))]


def test_readers_of_several_attempts_may_read_different_dialects():
    readers = iter([UPSTREAM_SIDES[Dialect.ANTHROPIC].new_reader(), ChatReader()])
    stream = TranslatedStream(lambda: next(readers), ChatWriter("gpt-5.5", "chatcmpl-1", 1))
    stream.feed(
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Busy."}}\n\n'
    )
    assert stream.failure == Failure("overloaded_error", "Busy.")
    stream.restart()
    assert texts_of(relay(stream, whole())) == "Hello."
