"""Reasoning kept for clients that cannot carry it: found by its key, upstream and call alone, and never without bounds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.neutral import (
    Call,
    CallBegin,
    CallDelta,
    CallEnd,
    CallResult,
    End,
    EndReason,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    Role,
    Text,
    TextDelta,
    Turn,
)
from runapi.wire.reasoning_memory import ReasoningMemory, Thought, ThoughtCollector, put_back, readable

ONE = "one/gpt-5.5"
RS_1, RS_2 = Reasoning("rs_1", "secret 1"), Reasoning("rs_2", "secret 2")
USER = Turn(Role.USER, (Text("Hi"),), is_plain=True)
SAID = Turn(Role.ASSISTANT, (Text("One moment."),), is_plain=True)


def memory(**more):
    bounds = {"most_entries": 100, "most_bytes": 10**6, "most_per_key": 50, "most_age_s": 60.0}
    return ReasoningMemory(**bounds | more)


def thought(*call_ids, encrypted="secret"):
    return Thought((Reasoning("rs", encrypted),), call_ids)


def collected(*events):
    collector = ThoughtCollector()
    for event in events:
        collector.take(event)
    collector.end()
    return collector.thoughts


# ---- the memory ------------------------------------------------------------------------------------------


def test_a_thought_is_found_by_each_of_its_calls():
    kept = memory()
    kept.keep("key", ONE, thought("call_a", "call_b"), 0.0)
    assert kept.find("key", ONE, "call_a", 1.0) == thought("call_a", "call_b")
    assert kept.find("key", ONE, "call_b", 1.0) == thought("call_a", "call_b")
    assert kept.find("key", ONE, "call_c", 1.0) is None


@given(call_id=st.from_regex(r"[a-z]{1,4}[_-][A-Za-z0-9_-]{1,20}", fullmatch=True))
def test_an_id_that_lost_its_punctuation_is_known(call_id):
    kept = memory()
    kept.keep("key", ONE, thought(call_id), 0.0)
    assert kept.find("key", ONE, re.sub("[^A-Za-z0-9]", "", call_id), 0.0)


@pytest.mark.parametrize(("key", "origin"), [("other", ONE), ("key", "two/gpt-5.5"), ("key", "one/gpt-5.4")])
def test_nothing_is_given_to_another_key_upstream_or_model(key, origin):
    kept = memory()
    kept.keep("key", ONE, thought("call_a"), 0.0)
    assert kept.find(key, origin, "call_a", 0.0) is None


def test_a_thought_unused_for_too_long_is_forgotten_and_a_used_one_is_not():
    kept = memory(most_age_s=60.0)
    kept.keep("key", ONE, thought("call_a"), 0.0)
    kept.keep("key", ONE, thought("call_b"), 0.0)
    assert kept.find("key", ONE, "call_a", 50.0)
    assert kept.find("key", ONE, "call_a", 100.0)
    assert kept.find("key", ONE, "call_b", 100.0) is None
    assert kept.find("key", ONE, "call_a", 161.0) is None
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_the_longest_unused_makes_way_for_the_newest():
    kept = memory(most_entries=2)
    for name in ("a", "b"):
        kept.keep("key", ONE, thought(name), 0.0)
    kept.find("key", ONE, "a", 0.0)
    kept.keep("key", ONE, thought("c"), 0.0)
    assert [bool(kept.find("key", ONE, name, 0.0)) for name in "abc"] == [True, False, True]


def test_one_key_cannot_push_out_anothers():
    kept = memory(most_per_key=2)
    kept.keep("other", ONE, thought("a"), 0.0)
    for name in "abc":
        kept.keep("key", ONE, thought(name), 0.0)
    assert kept.find("other", ONE, "a", 0.0)
    assert [bool(kept.find("key", ONE, name, 0.0)) for name in "abc"] == [False, True, True]


def test_what_is_larger_than_the_memory_is_not_kept():
    kept = memory(most_bytes=1000)
    kept.keep("key", ONE, thought("a", encrypted="x" * 2000), 0.0)
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_the_newer_thought_of_a_call_holds():
    kept = memory()
    kept.keep("key", ONE, thought("a", encrypted="old"), 0.0)
    kept.keep("key", ONE, thought("a", encrypted="new"), 0.0)
    assert kept.find("key", ONE, "a", 0.0) == thought("a", encrypted="new")
    assert len(kept) == 1


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True),
            st.integers(0, 500),
            st.integers(0, 30),
        ),
        max_size=30,
    )
)
def test_no_bound_is_ever_passed_and_no_byte_is_counted_twice(steps):
    kept, now_s = memory(most_entries=7, most_bytes=3000, most_per_key=4, most_age_s=100.0), 0.0
    for key, calls, size, wait_s in steps:
        now_s += wait_s
        kept.keep(key, ONE, thought(*calls, encrypted="x" * size), now_s)
        assert len(kept) <= 7
        assert kept.size_bytes <= 3000
        assert kept.size_bytes == sum(entry.size_bytes for entry in kept._kept.values())
        for owner, names in kept._calls_of.items():
            assert 0 < len(names) <= 4
            assert {(owner, name) for name in names} == {pair for pair in kept._kept if pair[0] == owner}


# ---- what an answer leaves to keep -----------------------------------------------------------------------


def test_reasoning_belongs_to_the_calls_behind_it():
    assert collected(
        ReasoningDelta("hm"),
        ReasoningEnd(RS_1),
        CallBegin(0, "a", "f"),
        CallDelta(0, "{}"),
        CallEnd(0),
        CallBegin(1, "b", "f"),
        ReasoningEnd(RS_2),
        CallBegin(2, "c", "f"),
        End(EndReason.CALLS),
    ) == [Thought((RS_1,), ("a", "b")), Thought((RS_2,), ("c",))]


def test_text_between_the_reasoning_and_its_call_is_noted():
    events = (ReasoningEnd(RS_1), TextDelta("One moment."), CallBegin(0, "a", "f"))
    assert collected(*events) == [Thought((RS_1,), ("a",), is_before_text=True)]
    assert collected(TextDelta("One moment."), *events[::2]) == [Thought((RS_1,), ("a",))]


def test_reasoning_that_led_to_text_belongs_to_no_call_behind_other_reasoning():
    events = (ReasoningEnd(RS_1), TextDelta("a"), ReasoningEnd(RS_2), CallBegin(0, "a", "f"))
    assert collected(*events) == [Thought((RS_2,), ("a",))]


@pytest.mark.parametrize(
    "events",
    [
        (ReasoningEnd(RS_1), TextDelta("a")),
        (CallBegin(0, "a", "f"),),
        (ReasoningEnd(Reasoning("rs", None, ("hm",))), CallBegin(0, "a", "f")),
    ],
    ids=["no call", "no reasoning", "nothing encrypted"],
)
def test_nothing_is_kept_that_could_not_be_put_back(events):
    assert collected(*events) == []


# ---- put back --------------------------------------------------------------------------------------------


def finder(**thoughts):
    return thoughts.get


def test_reasoning_is_put_back_in_front_of_its_calls_once():
    items = (USER, Call("a", "f", "{}"), Call("b", "f", "{}"), CallResult("a", ()), CallResult("b", ()))
    led = Thought((RS_1, RS_2), ("a", "b"))
    assert put_back(items, finder(a=led, b=led)) == (USER, RS_1, RS_2, *items[1:])


def test_each_calls_own_reasoning_stands_in_front_of_it():
    items = (USER, Call("a", "f", "{}"), CallResult("a", ()), Call("b", "f", "{}"))
    find = finder(a=Thought((RS_1,), ("a",)), b=Thought((RS_2,), ("b",)))
    assert put_back(items, find) == (USER, RS_1, *items[1:3], RS_2, items[3])


def test_reasoning_stands_in_front_of_what_was_said_before_the_call():
    items = (USER, SAID, Call("a", "f", "{}"))
    assert put_back(items, finder(a=Thought((RS_1,), ("a",), is_before_text=True))) == (
        USER,
        RS_1,
        *items[1:],
    )
    assert put_back(items, finder(a=Thought((RS_1,), ("a",)))) == (USER, SAID, RS_1, items[2])
    assert put_back(items[::2], finder(a=Thought((RS_1,), ("a",), is_before_text=True))) == (
        USER,
        RS_1,
        items[2],
    )


def test_reasoning_that_the_client_sent_itself_is_not_doubled():
    items = (USER, RS_1, Call("a", "f", "{}"))
    assert put_back(items, finder(a=Thought((RS_1,), ("a",)))) == items


def test_calls_that_nobody_knows_stay_as_they_are():
    items = (USER, Call("a", "f", "{}"), CallResult("a", ()))
    assert put_back(items, finder()) == items


def test_reasoning_of_another_upstream_is_left_out_and_of_unknown_origin_is_not():
    foreign = Reasoning("rs_3", "secret", origin="two/gpt-5.5")
    own = Reasoning("rs_4", "secret", origin=ONE)
    assert readable((USER, RS_1, foreign, own), ONE) == (USER, RS_1, own)
