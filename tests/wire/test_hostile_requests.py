"""Requests made to hurt: whatever JSON a client sends, it is read or refused, and in work that its length alone decides."""

import json
import tracemalloc

import pytest

from runapi.core.bridge import Dialect
from runapi.core.problems import Problem
from runapi.wire.anthropic.errors import write_error
from runapi.wire.count_asked import count_asked
from runapi.wire.dialects import UPSTREAM_SIDES, Naming, new_writer, read_request, to_asked
from runapi.wire.openai_responses.input_tokens import is_counted_exactly
from runapi.wire.openai_responses.request import read_responses_request
from runapi.wire.refusals import problem_of

MODEL = "gpt-5.5"
MESSAGES = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
LONGEST_PARAM = 300


def responses(**fields):
    return json.dumps({"model": MODEL, "input": "Hi"} | fields).encode()


# ---- work ------------------------------------------------------------------------------------------------


def test_word_that_looks_like_places_is_refused_in_one_pass():
    role = " - at `$" * 100_000  # looked at from each of its beginnings, it would take an hour
    with pytest.raises(Problem) as caught:
        read_responses_request(responses(input=[{"role": role, "content": "Hi"}]))
    assert (caught.value.param, caught.value.code) == ("input[0].role", "invalid_value")
    assert "'user'" in caught.value.message
    assert len(caught.value.message) < LONGEST_PARAM


def test_fault_that_quotes_a_place_is_told_with_its_own():
    problem = problem_of("Invalid enum value 'x - at `$.y`' - at `$.a[3].b`", "input", ("user",))
    assert problem.param == "input.a[3].b"
    assert problem.message.startswith("Invalid value for 'input.a[3].b': 'x - at `$.y`'.")


def test_place_that_a_client_made_up_is_not_told_in_full():
    problem = problem_of(f"Invalid enum value 'x - at `$.{'y' * 10_000}`")
    assert len(problem.param) < LONGEST_PARAM


def test_many_results_of_tools_are_written_in_one_pass():
    count = 60_000  # each looked for among those before it, they would take minutes
    results = [{"type": "function_call_output", "call_id": "c", "output": "x"}] * count
    turns = [{"role": "user", "content": "Hi"}] * count
    mixed = [item for pair in zip(turns, results, strict=True) for item in pair]
    asked = to_asked(read_responses_request(responses(input=mixed)))
    body = json.loads(UPSTREAM_SIDES[Dialect.ANTHROPIC].write_asked(asked, "claude", 100))
    (message,) = body["messages"]
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["tool_result"] * count + ["text"] * count


# ---- memory ----------------------------------------------------------------------------------------------


def traced(function):
    """What a call keeps in memory of its result, and the most that it had meanwhile, in bytes."""
    tracemalloc.start()
    try:
        kept = function()
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del kept
    return size, peak


def with_many(field, item):
    items = item + (b"," + item) * 300_000
    return json.dumps(MESSAGES | {field: "@"}).encode().replace(b'"@"', b"[" + items + b"]")


@pytest.mark.parametrize(
    ("dialect", "field"),
    [(Dialect.ANTHROPIC, "mcp_servers"), (Dialect.CHAT, "functions"), (Dialect.CHAT, "modalities")],
)
def test_list_of_which_nothing_is_read_costs_no_more_than_its_text(dialect, field):
    body = with_many(field, b"1")
    _, peak = traced(lambda: read_request(dialect, body))
    assert peak < 3 * len(body)


def test_tools_that_say_nothing_are_not_kept_one_by_one():
    body = with_many("tools", b"{}")
    kept, _ = traced(lambda: read_request(Dialect.ANTHROPIC, body))
    assert kept < 3 * len(body)


# ---- depth -----------------------------------------------------------------------------------------------


def nested(depth):
    """An object that says its type and holds lists in lists."""
    return b'{"type":"object","required":' + b"[" * depth + b"]" * depth + b"}"


BODIES = {
    "responses_tools": (
        Dialect.RESPONSES,
        responses(tools=[{"type": "function", "name": "f", "parameters": "@"}]),
    ),
    "responses_text": (
        Dialect.RESPONSES,
        responses(text={"format": {"type": "json_schema", "name": "n", "schema": "@"}}),
    ),
    "responses_reasoning": (Dialect.RESPONSES, responses(reasoning={"effort": "low", "more": "@"})),
    "responses_metadata": (Dialect.RESPONSES, responses(more="@")),
    "messages_tools": (
        Dialect.ANTHROPIC,
        json.dumps(MESSAGES | {"tools": [{"name": "f", "input_schema": "@"}]}).encode(),
    ),
    "messages_call": (
        Dialect.ANTHROPIC,
        json.dumps(
            MESSAGES
            | {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "t", "name": "f", "input": "@"}],
                    }
                ]
            }
        ).encode(),
    ),
    "chat_tools": (
        Dialect.CHAT,
        json.dumps(
            MESSAGES | {"tools": [{"type": "function", "function": {"name": "f", "parameters": "@"}}]}
        ).encode(),
    ),
}


def read_at(name, depth):
    dialect, sample = BODIES[name]
    try:
        return read_request(dialect, sample.replace(b'"@"', nested(depth)))
    except Problem:
        return None


def deepest(name):
    """The request with the deepest nesting that is accepted."""
    low, high = 1, 2_000
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if read_at(name, middle) is not None else (low, middle)
    return read_at(name, low)


def use(request):
    """What becomes of a request after it was read."""
    new_writer(request, Naming(MODEL, "req_1", 1)).heartbeat()
    try:
        asked = to_asked(request)
    except Problem:
        return  # a Chat body that passes untouched may be nested more deeply than one that must be translated
    count_asked(asked)
    for side in UPSTREAM_SIDES.values():
        try:
            side.write_asked(asked, "up", 100)
        except Problem:
            continue


def further_down(frames, function):
    return function() if not frames else further_down(frames - 1, function)


@pytest.mark.parametrize("name", BODIES)
def test_whatever_depth_is_read_can_be_used_from_deeper_in_the_program(name):
    request = deepest(name)
    further_down(60, lambda: use(request))


# ---- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [b"1e999", b"9" * 5_000])
def test_number_that_nobody_can_read_stands_in_the_way_of_no_count(number):
    body = responses(text={"more": "@"}).replace(b'"@"', number)
    assert is_counted_exactly(read_responses_request(body))


@pytest.mark.parametrize(
    "figures", ["9" * 5_000, "1" + ",111" * 3_000, "12,345 of 4096 and 77777777777777777777"]
)
def test_figures_of_any_length_are_told(figures):
    problem = Problem(400, f"Too many: {figures}.", code="context_length_exceeded")
    assert json.loads(write_error(problem, None))["error"]["message"].startswith("prompt is too long")


# ---- ids -------------------------------------------------------------------------------------------------


def test_ids_that_differ_in_what_anthropic_forbids_stay_apart():
    ids = ["a.1", "a:1", "a_1", "", "functions.f:0"]
    calls = [{"type": "function_call", "call_id": one, "name": "f", "arguments": "{}"} for one in ids]
    results = [{"type": "function_call_output", "call_id": one, "output": "x"} for one in ids]
    asked = to_asked(read_responses_request(responses(input=[*calls, *results])))
    body = json.loads(UPSTREAM_SIDES[Dialect.ANTHROPIC].write_asked(asked, "claude", 100))
    told = [block["id"] for message in body["messages"] for block in message["content"] if "id" in block]
    answered = [
        block["tool_use_id"]
        for message in body["messages"]
        for block in message["content"]
        if "tool_use_id" in block
    ]
    assert len(set(told)) == len(ids)
    assert told == answered
    assert "a_1" in told
