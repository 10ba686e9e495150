"""An answer ends before its first stop sequence, however the text is cut."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallEnd,
    End,
    EndReason,
    Failure,
    ReasoningDelta,
    TextDelta,
)
from runapi.wire.stops import StopFilter, StopScanner

STOPS = st.lists(st.text("ab\n", max_size=4), max_size=4)


def scan(stops, pieces):
    scanner = StopScanner(stops)
    out = [scanner.feed(piece) for piece in pieces]
    return "".join([*out, scanner.flush()]), scanner.found


def judged(stops, text):
    """By the definition: character by character, the first sequence to be complete, of several the longest."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


def cut(text, cuts):
    places = sorted({min(place, len(text)) for place in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(stops=STOPS, text=st.text("ab\nc", max_size=30), cuts=st.lists(st.integers(0, 30), max_size=8))
@example(stops=["abcd", "bc"], text="abcd", cuts=[])
@example(stops=["aab"], text="aaab", cuts=[2])
def test_every_cutting_of_the_text_is_judged_alike(stops, text, cuts):
    assert scan(stops, cut(text, cuts)) == judged(stops, text)


@given(stops=STOPS, text=st.text("ab\nc", max_size=30))
def test_only_what_may_begin_a_sequence_is_held_back(stops, text):
    scanner, given_out = StopScanner(stops), ""
    for at, character in enumerate(text):
        given_out += scanner.feed(character)
        if scanner.found is not None:
            return
        held = text[: at + 1][len(given_out) :]
        assert not held or any(stop.startswith(held) and stop != held for stop in stops)


def test_after_a_sequence_nothing_more_comes():
    scanner = StopScanner(["END"])
    assert [scanner.feed(text) for text in ("aE", "ND", "b", "END")] == ["a", "", "", ""]
    assert (scanner.found, scanner.flush()) == ("END", "")


# ---- of events -------------------------------------------------------------------------------------------


def filtered(events, stops=("END",)):
    stop_filter = StopFilter(stops)
    return stop_filter, [event for group in events for event in stop_filter.take([group])]


def test_the_end_of_an_answer_names_the_sequence_and_keeps_the_usage():
    end = End(EndReason.CALLS, raw_usage=Raw(b"{}"))
    call = [CallBegin(0, "c", "f"), CallEnd(0)]
    stop_filter, out = filtered([Begin(1), TextDelta("aEN"), TextDelta("Db"), TextDelta("c"), *call, end])
    assert out == [
        Begin(1),
        TextDelta("a"),
        End(EndReason.STOP_SEQUENCE, raw_usage=Raw(b"{}"), stop_sequence="END"),
    ]
    assert stop_filter.found == "END"


def test_what_was_held_back_comes_before_what_follows_it():
    _, out = filtered([TextDelta("aE"), CallBegin(0, "c", "f"), TextDelta("ND"), End(EndReason.CALLS)])
    assert out == [
        TextDelta("a"),
        TextDelta("E"),
        CallBegin(0, "c", "f"),
        TextDelta("ND"),
        End(EndReason.CALLS),
    ]


def test_thoughts_are_not_searched():
    events = [ReasoningDelta("END"), TextDelta("a"), End(EndReason.STOP)]
    assert filtered(events)[1] == events


def test_without_sequences_all_passes_as_it_is():
    events = [TextDelta(""), TextDelta("END", Raw(b"[]")), End(EndReason.STOP)]
    assert filtered(events, ())[1] == events


def test_an_upstream_that_fails_before_the_end_says_so_and_one_behind_it_does_not():
    assert filtered([TextDelta("aE"), Failure("x", "y")])[1] == [
        TextDelta("a"),
        TextDelta("E"),
        Failure("x", "y"),
    ]
    assert filtered([TextDelta("aEND"), Failure("x", "y")])[1] == [TextDelta("a")]


@pytest.mark.parametrize("last", ["x", "N"])
def test_the_likelihoods_of_tokens_that_were_held_back_come_with_them(last):
    events = [
        TextDelta("a", Raw(b"[1]")),
        TextDelta("E", Raw(b"[2]")),
        TextDelta(last, Raw(b"[3,4]")),
        End(EndReason.STOP),
    ]
    _, out = filtered(events)
    deltas = [event for event in out if isinstance(event, TextDelta)]
    assert "".join(event.text for event in deltas) == "aE" + last
    assert [one for event in deltas for one in json.loads(bytes(event.logprobs))] == [1, 2, 3, 4]
