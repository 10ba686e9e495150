"""A stream between any two dialects: the same bytes however it was cut, and an end only when it is whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import specification
from fakes.answers import USAGE, answers, chunks_of
from fakes.chunks import USAGE as WRITTEN_USAGE
from fakes.chunks import chunk, sse, whole
from fakes.translated import (
    COUNTED,
    NAMING,
    client,
    relay,
    scripted,
    stream_for,
    texts_of,
)
from runapi.core import problems
from runapi.core.bridge import Dialect
from runapi.core.usage import Usage
from runapi.wire.delivery import MOST_TEXT_KEPT
from runapi.wire.dialects import UPSTREAM_SIDES, Naming, new_writer
from runapi.wire.neutral import (
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
from runapi.wire.openai_chat.stream import ChatStream, StreamFault

# ---- every pair of dialects ------------------------------------------------------------------------------


calls = st.lists(
    st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.sampled_from(["{}", '{"a": "\u00e9"}'])),
    max_size=2,
)


@pytest.mark.parametrize("upstream", Dialect)
@pytest.mark.parametrize("dialect", Dialect)
@given(
    texts=st.lists(st.text(min_size=1, max_size=8), max_size=4),
    calls=calls,
    cuts=st.lists(st.integers(0, 5000), max_size=6),
)
def test_an_answer_goes_through_any_two_dialects_as_it_is_however_it_was_cut(
    dialect, upstream, texts, calls, cuts
):
    said = [Begin(1741569952), *[TextDelta(text) for text in texts]]
    for index, (name, arguments) in enumerate(calls):
        said += [CallBegin(index, f"call_{index}", name), CallDelta(index, arguments), CallEnd(index)]
    end = End(EndReason.CALLS if calls else EndReason.STOP, Usage(input=20, cached=4, output=10))
    theirs = new_writer(client(upstream), Naming("up", "req_feedfeedfeedfeed", 1741569952))
    data = theirs.write(said) + theirs.tail(end, end.usage, "0")
    out = relay(stream_for(dialect, upstream), data, cuts)
    assert out == relay(stream_for(dialect, upstream), data)
    assert end.usage == stream_usage(upstream, dialect, data)
    reader = UPSTREAM_SIDES[dialect].new_reader()
    got = reader.feed(out)
    assert reader.ended
    assert "".join(event.text for event in got if isinstance(event, TextDelta)) == "".join(texts)
    assert [(event.id, event.name) for event in got if isinstance(event, CallBegin)] == [
        (f"call_{index}", name) for index, (name, _) in enumerate(calls)
    ]
    for index, (_, arguments) in enumerate(calls):
        pieces = [event.arguments for event in got if isinstance(event, CallDelta) and event.index == index]
        assert json.loads("".join(pieces)) == json.loads(arguments)
    assert (got[-1].reason, got[-1].usage) == (end.reason, end.usage)


def stream_usage(upstream, dialect, data):
    stream = stream_for(dialect, upstream)
    relay(stream, data)
    return stream.usage


@given(events=answers(has_reasoning=True), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_chat_over_responses_is_valid_chat_however_it_was_cut(events, cuts):
    theirs = new_writer(client(Dialect.RESPONSES), Naming("up", "req_feedfeedfeedfeed", 1741569952))
    data = theirs.write(events) + theirs.tail(events[-1], events[-1].usage, "0")
    out = relay(stream_for(Dialect.CHAT, Dialect.RESPONSES), data, cuts)
    assert out == relay(stream_for(Dialect.CHAT, Dialect.RESPONSES), data)
    *chunks, last = chunks_of(out)
    for got in (*chunks, last):
        specification.check_chunk(got)
    assert all(choice["finish_reason"] is None for got in chunks for choice in got["choices"])
    assert last["choices"][0]["finish_reason"]
    indexes = [
        call["index"]
        for got in chunks
        for call in got["choices"][0]["delta"].get("tool_calls", ())
        if "id" in call
    ]
    assert indexes == list(range(len(indexes)))


@given(cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_it_means_what_the_untouched_stream_means(cuts):
    untouched, stream = ChatStream(model="gpt-5.5", wants_usage=False), stream_for(Dialect.CHAT)
    theirs, ours = relay(untouched, whole()), relay(stream, whole(), cuts)
    assert texts_of(theirs) == texts_of(ours)
    assert chunks_of(theirs)[-1]["usage"] == chunks_of(ours)[-1]["usage"]
    for name in ("ended", "fault", "delivers", "usage", "raw_usage", "service_tier", "text", "text_length"):
        assert getattr(stream, name) == getattr(untouched, name), name


# ---- what the relay is told ------------------------------------------------------------------------------


def test_before_anything_was_delivered_another_upstream_may_answer():
    stream = stream_for(Dialect.CHAT)
    out = stream.feed(sse(chunk({"role": "assistant", "content": ""}), done=False))
    out += stream.feed(sse(b'{"error":{"message":"Oh."}}'))
    assert (out, stream.fault, stream.delivers) == (b"", StreamFault.ERROR, False)
    assert stream.failure == Failure(None, "Oh.")
    stream.restart()
    assert (stream.fault, stream.failure) == (None, None)
    out += relay(stream, whole())
    assert texts_of(out) == "Hello."
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks_of(out)].count("assistant") == 1


def test_what_fails_at_once_sends_nothing_so_that_its_status_can_still_be_told():
    stream = stream_for(Dialect.RESPONSES)
    assert (
        stream.feed(sse(chunk({"role": "assistant", "content": ""}), b'{"error":{"message":"Oh."}}')) == b""
    )
    stream.restart()
    assert relay(stream, whole()).count(b"event: response.created\n") == 1


def test_text_that_an_attempt_held_back_is_forgotten_with_it():
    stream = stream_for(Dialect.CHAT, stops=("END",))
    assert stream.feed(sse(chunk({"content": "E"}), done=False)) == b""
    assert not stream.delivers
    stream.restart()
    assert texts_of(relay(stream, whole(texts=("ND", " of it")))) == "ND of it"


def test_a_client_of_functions_is_answered_with_function_calls():
    request = client(Dialect.CHAT, functions=[{"name": "f"}])
    stream = scripted([CallBegin(0, "a", "f"), CallDelta(0, "{}")], [End(EndReason.CALLS)])
    stream._writer = new_writer(request, NAMING)
    out = relay(stream, b"12", [1])
    assert b'"function_call":{"name":"f"' in out
    assert b"tool_calls" not in out


def test_a_heartbeat_lends_its_name_to_the_rest():
    stream = stream_for(Dialect.CHAT)
    out = stream.heartbeat("chatcmpl-other", 5) + relay(stream, whole())
    assert {chunk["id"] for chunk in chunks_of(out)} == {"chatcmpl-0123456789abcdef"}


@pytest.mark.parametrize("dialect", Dialect)
def test_what_breaks_off_after_it_began_ends_with_an_error(dialect):
    stream = stream_for(dialect)
    out = stream.feed(sse(chunk({"content": "a"}), done=False)) + stream.feed_end()
    assert (stream.fault, stream.delivers, stream.ended) == (StreamFault.TRUNCATED, True, False)
    out += stream.error(problems.stream_failed(stream.fault))
    reader = UPSTREAM_SIDES[dialect].new_reader()
    events = reader.feed(out) + ([] if reader.fault else reader.feed_end())
    assert reader.fault is StreamFault.ERROR
    assert isinstance(events[-1], Failure)


def test_usage_that_nobody_reported_is_our_own_count():
    stream = stream_for(Dialect.CHAT)
    out = relay(stream, sse(chunk({"content": "a"}), chunk({}, "stop")))
    assert (stream.usage, stream.raw_usage) == (None, None)
    assert chunks_of(out)[-1]["usage"]["prompt_tokens"] == COUNTED.input


def test_the_report_is_kept_as_the_upstream_wrote_it():
    stream = stream_for(Dialect.RESPONSES)
    relay(stream, whole())
    assert stream.usage == USAGE
    assert json.loads(stream.raw_usage) == WRITTEN_USAGE


def test_the_tier_is_known_before_the_end():
    stream = stream_for(Dialect.CHAT)
    stream.feed(sse(chunk({"content": "a"}, service_tier="flex"), done=False))
    assert stream.service_tier == "flex"


def test_what_was_delivered_is_counted_and_its_beginning_kept():
    many = "x" * MOST_TEXT_KEPT
    stream = scripted(
        [Begin(1), TextDelta(many)],
        [TextDelta("y"), RefusalDelta("z")],
        [CallBegin(0, "a", "f"), CallDelta(0, "{}")],
        [End(EndReason.CALLS)],
    )
    relay(stream, b"1234", [1, 2, 3])
    assert stream.text == many
    assert stream.text_length == len(many) + 5


@pytest.mark.parametrize(
    ("event", "delivers"),
    [
        (Begin(1), False),
        (TextDelta(""), False),
        (TextDelta("a"), True),
        (RefusalDelta("a"), True),
        (CallBegin(0, "a", "f"), True),
        (ReasoningDelta("a"), False),
        (ReasoningEnd(Reasoning("rs", "secret")), False),
    ],
)
def test_an_answer_has_begun_once_there_is_something_to_read(event, delivers):
    stream = scripted([event], [])
    stream.feed(b"1")
    assert stream.delivers is delivers


@pytest.mark.parametrize("event", [ReasoningDelta("a"), ReasoningEnd(Reasoning("rs", "secret"))])
def test_reasoning_that_is_shown_is_something_to_read(event):
    stream = scripted([event], [], shows_reasoning=True)
    stream.feed(b"1")
    assert stream.delivers


def test_an_end_that_the_reader_only_claims_is_a_cut():
    stream = scripted([TextDelta("a")])
    stream.feed(b"1")
    assert (stream.ended, stream.fault) == (False, StreamFault.TRUNCATED)
