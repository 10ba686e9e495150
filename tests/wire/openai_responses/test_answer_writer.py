"""The events and the object that a Responses client gets of an answer in the neutral form."""

import functools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from fakes import specification
from fakes.feeding import folded
from runapi.core import problems
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
from runapi.wire.openai_responses.answer_reader import ResponsesReader, read_answer
from runapi.wire.openai_responses.answer_writer import ResponsesWriter, write_answer
from wire.openai_responses import answers
from wire.openai_responses.asking import CODEX, CUSTOM_TOOL, request

CREATED_S = 1_795_000_000
USAGE = Usage(input=100, cached=20, cache_write=3, output=50, reasoning=30)
COST = "0.000123"
BEGIN = Begin(CREATED_S, "default")
STOP = End(EndReason.STOP)
CITATION = msgspec.Raw(
    b'{"type":"url_citation","url_citation":{"start_index":2,"end_index":4,"url":"https://example.com/","title":"T"}}'
)
LOGPROBS = msgspec.Raw(
    b'[{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]}]}]'
)
TEXT = [TextDelta("Hello"), TextDelta(" wörld 🌍")]
THOUGHT = [ReasoningDelta("**Look**"), ReasoningDelta(" at it")]
CALL = [CallBegin(0, "call_1", "look_up"), CallDelta(0, '{"city":'), CallDelta(0, '"Oslo"}'), CallEnd(0)]
CUSTOM = [CallBegin(1, "call_2", "apply_patch", CallKind.CUSTOM), CallDelta(1, "*** Begin"), CallEnd(1)]
SEALED = ReasoningEnd(Reasoning("rs_theirs", "gAAAAA", ("one", "two")))
FULL = [
    BEGIN,
    *THOUGHT,
    ReasoningEnd(Reasoning(None, "gAAAAA-sealed", ("**Look** at it",))),
    *TEXT,
    Annotation(CITATION),
    RefusalDelta("No"),
    RefusalDelta("."),
    *CALL,
    SEALED,
    *CUSTOM,
]


def writer(**fields):
    return ResponsesWriter("gpt-5.5", "resp_0123", CREATED_S, request(**fields))


def write(told, end=STOP, **fields):
    one = writer(**fields)
    return one.write(told) + one.tail(end, USAGE, COST, CREATED_S + 2)


def heard(data):
    """The events of a stream, each of them right by the specification and to the SDK, and all of them in order."""
    events = answers.read(data)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        specification.check_response_event(event)
    return events


def as_the_sdk_reads(events):
    """The final answer as the SDK's own helper joins it from the events."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    adapter = TypeAdapter(ResponseStreamEvent)
    told = [made for event in events for made in state.handle_event(adapter.validate_python(event))]
    return told[-1]


def test_full_answer_is_told_in_the_order_of_the_api():
    events = heard(write(FULL))
    kinds = [event["type"].removeprefix("response.") for event in events]
    part = ["content_part.added", "output_text.delta", "output_text.delta", "output_text.annotation.added"]
    refusal = ["content_part.added", "refusal.delta", "refusal.delta", "refusal.done", "content_part.done"]
    summary = ["summary_part.added", "summary_text.delta", "summary_text.done", "summary_part.done"]
    summary = [f"reasoning_{kind}" for kind in summary]
    arguments = [f"function_call_arguments.{kind}" for kind in ("delta", "delta", "done")]
    item = ["output_item.added"], ["output_item.done"]
    assert kinds == [
        *("created", "in_progress"),
        *item[0],
        *(summary[0], summary[1], summary[1], *summary[2:]),
        *item[1],
        *item[0],
        *(*part, "output_text.done", "content_part.done", *refusal),
        *item[1],
        *(*item[0], *arguments, *item[1]),
        *(*item[0], *summary, *summary, *item[1]),
        *(*item[0], "custom_tool_call_input.delta", "custom_tool_call_input.done", *item[1]),
        "completed",
    ]


def test_sdk_puts_the_answer_together():
    final = as_the_sdk_reads(heard(write(FULL)))
    assert final.type == "response.completed"
    thought, said, called, sealed, patched = final.response.output
    assert thought.summary[0].text == "**Look** at it"
    assert thought.encrypted_content == "gAAAAA-sealed"
    assert [part.type for part in said.content] == ["output_text", "refusal"]
    assert final.response.output_text == "Hello wörld 🌍"
    assert said.content[1].refusal == "No."
    assert (called.call_id, called.name, called.arguments) == ("call_1", "look_up", '{"city":"Oslo"}')
    assert [part.text for part in sealed.summary] == ["one", "two"]
    assert (sealed.id, sealed.encrypted_content) == ("rs_theirs", "gAAAAA")
    assert (patched.type, patched.input) == ("custom_tool_call", "*** Begin")


def test_usage_is_counted_as_openai_counts_and_says_its_cost():
    end = heard(write([BEGIN, *TEXT]))[-1]["response"]
    assert end["usage"] == {
        "input_tokens": 123,
        "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 3},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 173,
        "cost": 0.000123,
    }


def test_whole_answer_is_what_its_stream_ends_with():
    end = heard(write(FULL))[-1]["response"]
    whole = write_answer(
        [*FULL, STOP],
        USAGE,
        COST,
        model="gpt-5.5",
        id="resp_0123",
        created_s=CREATED_S,
        request=request(),
        completed_s=CREATED_S + 2,
    )
    assert json.loads(whole) == end
    specification.check_response(end)
    Response.model_validate(end, strict=True)


def test_answer_without_an_end_is_not_written():
    with pytest.raises(ValueError, match="end"):
        write_answer([BEGIN], USAGE, COST, model="m", id="resp_1", created_s=1, request=request())


def test_object_says_again_what_was_asked_and_has_every_key_of_the_api():
    asked = {
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_before",
        "prompt_cache_key": "k",
        "reasoning": {"effort": "high"},
        "safety_identifier": "s",
        "service_tier": "flex",
        "store": False,
        "temperature": 0.5,
        "text": {"verbosity": "low", "format": {"type": "json_object"}},
        "tool_choice": {"type": "function", "name": "look_up"},
        "tools": [{"type": "function", "name": "look_up"}, CUSTOM_TOOL],
        "top_logprobs": 2,
        "top_p": 0.25,
        "user": "u",
    }
    first = heard(write([Begin(CREATED_S), *TEXT], **asked))[0]["response"]
    said = {name: first[name] for name in asked}
    absent = {"description": None, "parameters": None, "strict": False}
    assert said == asked | {
        "reasoning": {"effort": "high", "summary": None},
        "tools": [{"type": "function", "name": "look_up"} | absent, CUSTOM_TOOL],
    }
    assert (first["id"], first["model"], first["created_at"]) == ("resp_0123", "gpt-5.5", CREATED_S)
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    every_key = set(answers.response()) | {"presence_penalty", "frequency_penalty"}
    assert set(first) == every_key


def test_object_has_the_values_of_the_api_where_nothing_was_said():
    last = heard(write([Begin(CREATED_S), *TEXT]))[-1]["response"]
    expected = {
        "background": False,
        "completed_at": CREATED_S + 2,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "status": "completed",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
    assert {name: last[name] for name in expected} == expected


def test_tools_that_run_elsewhere_are_echoed_as_they_came():
    events = answers.read(write([BEGIN, *TEXT], **CODEX))
    assert events[0]["response"]["tools"] == CODEX["tools"]


def test_service_tier_is_the_one_that_served():
    end = End(EndReason.STOP, service_tier="priority")
    assert heard(write([BEGIN], end))[-1]["response"]["service_tier"] == "priority"
    assert heard(write([Begin(1, "flex")]))[-1]["response"]["service_tier"] == "flex"


@pytest.mark.parametrize(
    ("reason", "said"),
    [(EndReason.LENGTH, "max_output_tokens"), (EndReason.CONTENT_FILTER, "content_filter")],
)
def test_cut_answer_is_incomplete_and_so_is_its_last_item(reason, said):
    events = heard(write([BEGIN, *CALL, *TEXT], End(reason)))
    end = events[-1]
    assert end["type"] == "response.incomplete"
    assert end["response"]["incomplete_details"] == {"reason": said}
    assert end["response"]["completed_at"] is None
    assert [item["status"] for item in end["response"]["output"]] == ["completed", "incomplete"]


@pytest.mark.parametrize("is_said_to_end", [True, False])
@pytest.mark.parametrize(
    ("begin", "arguments", "status"),
    [
        (CallBegin(0, "call_1", "f"), '{"cit', "incomplete"),
        (CallBegin(0, "call_1", "f"), '{"city":1}', "completed"),
        (CallBegin(0, "call_1", "f", CallKind.CUSTOM), "*** Beg", "incomplete"),
    ],
)
def test_call_that_may_have_been_cut_is_never_called_complete(begin, arguments, status, is_said_to_end):
    told = [BEGIN, begin, CallDelta(0, arguments), *([CallEnd(0)] if is_said_to_end else [])]
    done = heard(write(told, End(EndReason.LENGTH)))[-2]
    assert (done["type"], done["item"]["status"]) == ("response.output_item.done", status)


def test_call_before_the_last_one_was_not_cut():
    told = [BEGIN, *CUSTOM, CallBegin(2, "call_3", "f"), CallDelta(2, "{")]
    items = heard(write(told, End(EndReason.LENGTH)))[-1]["response"]["output"]
    assert [item["status"] for item in items] == ["completed", "incomplete"]


def test_calls_whose_deltas_are_mixed_stay_apart():
    told = [
        BEGIN,
        CallBegin(0, "call_a", "f"),
        CallBegin(1, "call_b", "g"),
        CallDelta(0, "[1"),
        CallDelta(1, "[2"),
        CallDelta(0, "]"),
        CallDelta(1, "]"),
        CallEnd(0),
        CallEnd(1),
    ]
    items = heard(write(told, End(EndReason.CALLS)))[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in items] == [("call_a", "[1]"), ("call_b", "[2]")]


def test_call_without_an_id_gets_one():
    items = heard(write([BEGIN, CallBegin(0, "", "f"), CallEnd(0)]))[-1]["response"]["output"]
    assert items[0]["call_id"].startswith("call_")


def test_log_probabilities_are_told_with_the_delta_and_again_with_the_text():
    events = heard(write([BEGIN, TextDelta("a", LOGPROBS), TextDelta("", LOGPROBS), TextDelta("b")]))
    plain = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -0.5}]}
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [(delta["delta"], delta["logprobs"]) for delta in deltas] == [("a", [plain]), ("b", [])]
    part = events[-1]["response"]["output"][0]["content"][0]
    whole = {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": [97]}],
    }
    assert part["logprobs"] == [whole, whole]


def test_citation_is_counted_from_its_own_part():
    told = [BEGIN, TextDelta("ab"), *CALL, TextDelta("cdef"), Annotation(CITATION)]
    annotations = heard(write(told))[-1]["response"]["output"][-1]["content"][0]["annotations"]
    assert [(one["start_index"], one["end_index"]) for one in annotations] == [(0, 2)]


def test_annotation_of_another_kind_is_passed_over():
    assert write([BEGIN, *TEXT, Annotation(msgspec.Raw(b'{"type":"new"}'))]) == write([BEGIN, *TEXT])


def test_empty_answer_and_empty_pieces_say_nothing():
    pieces = [TextDelta(""), RefusalDelta(""), ReasoningDelta(""), ReasoningEnd(Reasoning("rs_1", None))]
    events = heard(write([BEGIN, *pieces]))
    assert [event["type"] for event in events[2:]] == ["response.completed"]
    assert events[-1]["response"]["output"] == []


@given(st.lists(st.integers(0, len(FULL)), max_size=8))
def test_it_does_not_matter_in_which_lots_the_events_come(cuts):
    one, out, start = writer(), b"", 0
    for cut in [*sorted(cuts), len(FULL)]:
        out += one.write(FULL[start:cut])
        start = max(start, cut)
    assert out + one.tail(STOP, USAGE, COST, CREATED_S + 2) == write(FULL)


SILENT = {"response.created", "response.in_progress"}


@functools.cache
def undisturbed():
    """The kinds of the full answer's events, and what the SDK makes of them."""
    events = heard(write(FULL))
    kinds = [event["type"] for event in events if event["type"] not in SILENT]
    return kinds, as_the_sdk_reads(events).response


@pytest.mark.parametrize("beats", [1, 3])
@pytest.mark.parametrize("at", range(len(FULL) + 1))
def test_heartbeats_open_the_answer_once_and_disturb_nothing(at, beats):
    one = writer()
    out = one.write(FULL[:at]) + b"".join(one.heartbeat() for _ in range(beats)) + one.write(FULL[at:])
    events = heard(out + one.tail(STOP, USAGE, COST, CREATED_S + 2))
    assert [event["type"] for event in events].count("response.created") == 1
    kinds, response = undisturbed()
    assert as_the_sdk_reads(events).response == response
    assert [event["type"] for event in events if event["type"] not in SILENT] == kinds


@pytest.mark.parametrize("at", range(len(FULL) + 1))
def test_nothing_before_the_tail_looks_like_an_end(at):
    one = writer()
    written = one.write([*FULL[:at], STOP, Failure("x", "y")])
    ends = {"response.completed", "response.incomplete", "response.failed", "error"}
    assert ends.isdisjoint(event["type"] for event in (answers.read(written)))
    assert one.response is None


@pytest.mark.parametrize("at", range(len(FULL) + 1))
def test_broken_answer_ends_with_an_error_and_a_failed_response(at):
    one = writer()
    *_, error, failed = heard(one.write(FULL[:at]) + one.error(problems.stream_failed("upstream_truncated")))
    assert (error["type"], error["code"]) == ("error", "upstream_truncated")
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["usage"] is None


def test_error_before_anything_else_opens_the_answer_first():
    events = heard(writer().error(problems.upstream_busy(3)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["response"]["error"]["code"] == "rate_limit_exceeded"
    assert "try again in 3s" in events[-1]["response"]["error"]["message"]


# ---- round trips -----------------------------------------------------------------------------------------


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def said(draw):
    """An answer of any items, as a reader gives it."""
    told, calls, kinds = [Begin(CREATED_S, "default")], 0, draw(st.lists(st.integers(0, 4), max_size=6))
    for kind, before in zip(kinds, [None, *kinds], strict=False):
        texts = draw(st.lists(WORDS, min_size=1, max_size=4))
        match kind:
            case 0 if before != 0:
                told += [TextDelta(text) for text in texts]
            case 1 if before != 1:
                told += [RefusalDelta(text) for text in texts]
            case 2:
                told += [ReasoningDelta(text) for text in texts]
                told.append(ReasoningEnd(Reasoning(None, "sealed", ("".join(texts),))))
            case 3 | 4:
                call_kind = CallKind.FUNCTION if kind == 3 else CallKind.CUSTOM
                told.append(CallBegin(calls, f"call_{calls}", "f", call_kind))
                told += [CallDelta(calls, text) for text in texts]
                told.append(CallEnd(calls))
                calls += 1
    return told, EndReason.CALLS if calls else EndReason.STOP


def unsealed(told):
    """Without the ids of reasoning, which are the writer's, and the blank lines between summaries of two items."""
    return [
        ReasoningEnd(msgspec.structs.replace(event.item, id=None))
        if isinstance(event, ReasoningEnd)
        else ReasoningDelta(event.text.lstrip("\n"))
        if isinstance(event, ReasoningDelta)
        else event
        for event in folded(told)
    ]


@given(said())
def test_what_is_written_is_read_again(answer):
    told, reason = answer
    reader = ResponsesReader()
    data = write(told, End(reason, service_tier="default"))
    *middle, end = reader.feed(data)
    assert reader.ended
    begin, *middle = unsealed(middle)
    assert middle == unsealed(told)[1:]
    assert isinstance(begin, Begin)
    assert (end.reason, end.usage, end.service_tier) == (reason, USAGE, "default")
    whole = read_answer(json.dumps(answers.read(data)[-1]["response"]).encode())
    assert unsealed(whole)[1:-1] == middle
    assert whole[-1].usage == end.usage
