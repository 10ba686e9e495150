import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import sandbox_calls, specification
from fakes.sandbox_calls import is_cut, kinds, pauses, refusal_of
from fakes.sandbox_responses import (
    TOOLS,
    ask,
    message_of,
    plan,
    refusal,
    result_of,
    stream,
    text_of,
    user,
)
from runapi.upstream.sandbox.answers import REASONING_BY_EFFORT
from runapi.upstream.sandbox.plans import Cut, Pause, Send
from runapi.wire.tokens import count_chat_input, count_text

SEAL = ["reasoning.encrypted_content"]
LOGPROBS = ["message.output_text.logprobs"]


# ---- plain answers ---------------------------------------------------------------------------------------


def test_plain_answer_quotes_the_question_and_counts_its_tokens():
    reply = ask("Say hi")
    assert "Say hi" in text_of(reply)
    assert (reply["object"], reply["status"], reply["error"]) == ("response", "completed", None)
    assert reply["created_at"] == reply["completed_at"] == 1_700_000_000
    assert reply["usage"] == {
        "input_tokens": count_chat_input([user("Say hi")]),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": count_text(text_of(reply)),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": count_chat_input([user("Say hi")]) + count_text(text_of(reply)),
    }


def test_answer_is_the_one_that_chat_gives():
    in_chat = sandbox_calls.ask("Say hi", reasoning_effort="low")
    reply = ask("Say hi", reasoning={"effort": "low"})
    assert text_of(reply) == in_chat["choices"][0]["message"]["content"]
    assert reply["usage"]["input_tokens"] == in_chat["usage"]["prompt_tokens"]
    assert reply["usage"]["output_tokens"] == in_chat["usage"]["completion_tokens"]


def test_same_request_gets_the_same_bytes():
    for fields in ({}, {"stream": True}, {"reasoning": {"effort": "low"}, "include": SEAL}):
        assert list(plan("Say hi", **fields).events) == list(plan("Say hi", **fields).events)


def test_answer_says_every_parameter_of_its_request_again():
    fields = {
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "max_tool_calls": 3,
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "store": False,
        "temperature": 0.3,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "exec"},
        "tools": TOOLS,
        "top_logprobs": 2,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
        "metadata": {"a": "b"},
    }
    reply = ask("Say hi", **fields, reasoning={"effort": "low", "summary": "auto"}, service_tier="fast")
    assert {name: reply[name] for name in fields} == fields
    assert reply["reasoning"] == {"effort": "low", "summary": "auto"}
    assert reply["service_tier"] == "priority"


def test_answer_fills_in_what_its_request_left_out():
    (sent,) = plan("Say hi", tools=[{"type": "function", "name": "exec"}]).events
    reply = json.loads(sent.data)
    specification.check_response(reply)
    assert reply["tools"] == [{"type": "function", "name": "exec", "parameters": None, "strict": True}]
    assert reply["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    absent = ("instructions", "max_output_tokens", "previous_response_id", "user", "incomplete_details")
    assert all(reply[name] is None for name in absent)
    assert (reply["store"], reply["tool_choice"], reply["truncation"]) == (True, "auto", "disabled")


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("Say hi", {}),
        ("Grüße, 世界! 👩‍👩‍👧 ok", {}),
        ("[[sandbox:chunks 20]]", {}),
        ("[[sandbox:reply]]", {}),
        ("[[sandbox:refuse]]", {}),
        ('[[sandbox:tool exec {"command": "ls"}]][[sandbox:tool apply_patch]][[sandbox:tool exec ""]]', {"tools": TOOLS}),
        ("Say hi", {"max_output_tokens": 17}),
        ("[[sandbox:reasoning 30]]", {"max_output_tokens": 20}),
        ('[[sandbox:tool exec {"command": "one two three four five six seven eight nine ten"}]]', {"tools": TOOLS, "max_output_tokens": 16}),
        ("Say hi in json", {"text": {"format": {"type": "json_object"}}}),
        ("Say hi", {"include": LOGPROBS, "top_logprobs": 3}),
        ("Say hi", {"reasoning": {"effort": "low", "summary": "auto"}, "include": SEAL}),
        ("[[sandbox:tool exec]]", {"reasoning": {"effort": "high"}, "include": SEAL, "tools": TOOLS}),
    ],
)  # fmt: skip
def test_stream_ends_with_the_whole_answer(said, fields):
    *_, end = stream(said, **fields)
    assert end["response"] == ask(said, **fields)


def test_stream_tells_a_message_in_openais_order():
    names = [event["type"].removeprefix("response.") for event in stream("[[sandbox:chunks 2]]")]
    assert names == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_stream_tells_a_thought_and_calls_in_openais_order():
    said = "[[sandbox:tool exec {}]] [[sandbox:tool apply_patch]] [[sandbox:chunks 1]]"
    fields = {"tools": TOOLS, "reasoning": {"effort": "low", "summary": "auto"}}
    names = [event["type"].removeprefix("response.") for event in stream(said, **fields)]
    assert [name for name in names if "delta" not in name] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]


def test_log_probabilities_cover_the_text_where_they_are_asked_for():
    (part,) = message_of(ask("Say hi", include=LOGPROBS, top_logprobs=2))["content"]
    assert b"".join(bytes(token["bytes"]) for token in part["logprobs"]).decode() == part["text"]
    assert all(len(token["top_logprobs"]) == 2 for token in part["logprobs"])
    assert message_of(ask("Say hi", top_logprobs=2))["content"][0]["logprobs"] == []
    deltas = [event for event in stream("Say hi", include=LOGPROBS) if event["type"].endswith("text.delta")]
    assert all(event["logprobs"] for event in deltas)


# ---- limits ----------------------------------------------------------------------------------------------


def test_answer_is_cut_at_exactly_the_limit():
    reply = ask("Say hi", max_output_tokens=16)
    assert (reply["status"], reply["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert reply["completed_at"] is None
    assert reply["usage"]["output_tokens"] == count_text(text_of(reply)) == 16
    assert message_of(reply)["status"] == "incomplete"


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="ab 1\n世é👩‍👧", min_size=1, max_size=60), st.integers(16, 24))
def test_cut_answer_is_a_beginning_of_the_whole_within_the_limit(text, limit):
    reply = ask(f"[[sandbox:reply {json.dumps(text)}]]", max_output_tokens=limit)
    assert text.startswith(text_of(reply))
    assert reply["status"] == ("incomplete" if count_text(text) > limit else "completed")
    assert reply["usage"]["output_tokens"] == min(limit, count_text(text))


def test_limit_below_sixteen_is_refused():
    error = refusal("Say hi", max_output_tokens=15)
    assert (error["param"], error["code"]) == ("max_output_tokens", "integer_below_min_value")
    assert ">= 16, but got 15" in error["message"]


def test_thinking_uses_up_the_limit_first():
    reply = ask("[[sandbox:reasoning 300]]", max_output_tokens=100)
    assert [item["type"] for item in reply["output"]] == ["reasoning"]
    assert reply["status"] == "incomplete"
    assert reply["usage"]["output_tokens_details"] == {"reasoning_tokens": 100}


def test_cached_tokens_are_at_most_the_input():
    usage = ask("[[sandbox:cached 5000]]")["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] == usage["input_tokens"]


# ---- reasoning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", sorted(REASONING_BY_EFFORT))
def test_effort_gives_a_thought_before_the_answer(effort):
    reply = ask("Say hi", reasoning={"effort": effort})
    assert [item["type"] for item in reply["output"]] == ["reasoning", "message"]
    assert reply["output"][0]["summary"] == []
    assert "encrypted_content" not in reply["output"][0]
    reasoning = reply["usage"]["output_tokens_details"]["reasoning_tokens"]
    assert reasoning == REASONING_BY_EFFORT[effort]
    assert reply["usage"]["output_tokens"] == reasoning + count_text(text_of(reply))


def test_no_effort_is_no_thought():
    assert [item["type"] for item in ask("Say hi", reasoning={"effort": "none"})["output"]] == ["message"]


def test_thought_is_told_in_short_where_that_is_asked_for():
    reply = ask("Say hi", reasoning={"effort": "low", "summary": "auto"})
    assert "thought for 32 tokens" in reply["output"][0]["summary"][0]["text"]


def test_thought_that_comes_back_is_recognised_and_counted():
    fields = {"tools": TOOLS, "reasoning": {"effort": "high"}, "include": SEAL, "store": False}
    asked = [user("[[sandbox:tool exec {}]]")]
    thought, call = ask(asked, **fields)["output"]
    assert thought["encrypted_content"]
    without = ask([*asked, call, result_of(call)], **fields)
    with_thought = ask([*asked, thought, call, result_of(call)], **fields)
    assert text_of(with_thought) == text_of(without) == "The tool answered: tool-ran-42"
    more = with_thought["usage"]["input_tokens"] - without["usage"]["input_tokens"]
    assert more == REASONING_BY_EFFORT["high"]


@pytest.mark.parametrize(
    "change",
    [
        lambda seal: seal[:8] + "AAAA" + seal[12:],
        lambda seal: seal[:-4] + "AAAA",
        lambda _: "gAAAAA",
        lambda _: "hello",
    ],
)
def test_thought_of_somebody_else_is_refused(change):
    thought, message = ask("Say hi", reasoning={"effort": "low"}, include=SEAL)["output"]
    thought["encrypted_content"] = change(thought["encrypted_content"])
    error = refusal([user("hi"), thought, message, user("and?")])
    assert error["code"] == "invalid_encrypted_content"
    assert thought["id"] in error["message"]


@pytest.mark.parametrize("fields", [{"encrypted_content": None}, {}, {"content": None}])
def test_thought_without_its_seal_is_passed_over(fields):
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], **fields}
    assert plan([user("hi"), thought, {"role": "assistant", "content": "yes"}, user("and?")]).status == 200


# ---- JSON ------------------------------------------------------------------------------------------------

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 3}, "friends": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name", "friends"],
    "additionalProperties": False,
}  # fmt: skip


def as_schema(schema: object) -> dict:
    return {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": schema}}


def test_json_schema_gets_a_value_that_fits_it():
    reply = ask("Who?", text=as_schema(PERSON))
    jsonschema.validate(json.loads(text_of(reply)), PERSON)
    assert reply["text"]["format"] == as_schema(PERSON)["format"]


def test_json_object_gets_an_object():
    assert "JSON" in json.loads(text_of(ask("In JSON", text={"format": {"type": "json_object"}})))["answer"]
    assert ask("Go", instructions="Write JSON.", text={"format": {"type": "json_object"}})


def test_schema_that_nothing_fits_is_refused():
    error = refusal("Who?", text=as_schema({"enum": []}))
    assert (error["param"], error["code"]) == ("text.format.schema", "invalid_json_schema")


# ---- the other directives --------------------------------------------------------------------------------


def test_refusal_stands_in_its_own_part():
    (part,) = message_of(ask("[[sandbox:refuse]] [[sandbox:reply No.]]"))["content"]
    assert part == {"type": "refusal", "refusal": "No."}


def test_directive_in_a_part_is_followed():
    assert text_of(ask([user([{"type": "input_text", "text": "[[sandbox:reply part]]"}])])) == "part"


@pytest.mark.parametrize("is_stream", [False, True])
def test_status_is_an_error_in_openais_shape(is_stream):
    found = plan("[[sandbox:status 429 retry_after=5]]", stream=is_stream)
    assert refusal_of(found, 429)["code"] == "rate_limit_exceeded"
    assert found.headers["retry-after"] == "5"


@pytest.mark.parametrize("count", [0, 1, 7])
def test_stream_is_cut_after_that_many_events(count):
    events = list(plan(f"[[sandbox:cut_after {count}]]", stream=True).events)
    assert kinds(events) == [Send] * count + [Cut]


def test_short_stream_is_cut_before_its_end():
    events = list(plan("[[sandbox:cut_after 1000]]", stream=True).events)
    sent = b"".join(event.data for event in events if isinstance(event, Send))
    assert kinds(events)[-1] is Cut
    assert b"response.output_item.done" in sent
    assert b"response.completed" not in sent


def test_whole_answer_is_cut_in_its_middle():
    (sent, cut) = plan("[[sandbox:cut_after 10]]").events
    assert isinstance(cut, Cut)
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent.data)


def test_chunks_come_in_the_wanted_number_and_pace():
    said = "[[sandbox:delay 2]] [[sandbox:chunks 200 interval_ms=10]]"
    deltas = [event for event in stream(said) if event["type"] == "response.output_text.delta"]
    assert len(deltas) == 200
    assert pauses(plan(said, stream=True)) == [2.0] + [0.01] * 199
    assert pauses(plan(said)) == [4.0]
    assert next(plan(said, stream=True).events) == Pause(2.0)
    assert is_cut(plan(said + "[[sandbox:cut_after 5]]", stream=True))
