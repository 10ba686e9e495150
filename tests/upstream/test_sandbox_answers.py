import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.sandbox_calls import (
    EXEC,
    PATCH,
    TOOLS,
    WEATHER,
    ask,
    is_cut,
    joined,
    kinds,
    pauses,
    plan,
    refusal_of,
    stream,
)
from runapi.upstream.sandbox.answers import REASONING_BY_EFFORT
from runapi.upstream.sandbox.plans import Cut, Pause, Send
from runapi.wire.tokens import count_chat_input, count_text

CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "callx1", "type": "function", "function": {"name": "exec", "arguments": "{}"}}],
}
RAN = {"role": "tool", "tool_call_id": "callx1", "content": "tool-ran-42"}


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def content_of(reply: dict) -> str | None:
    return reply["choices"][0]["message"]["content"]


def calls_of(reply: dict) -> list[dict]:
    return reply["choices"][0]["message"]["tool_calls"]


# ---- plain answers ---------------------------------------------------------------------------------------


def test_plain_answer_quotes_the_question_and_counts_its_tokens():
    reply = ask("Say hi")
    assert "Say hi" in content_of(reply)
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["prompt_tokens"] == count_chat_input([user("Say hi")])
    assert reply["usage"]["completion_tokens"] == count_text(content_of(reply))
    assert reply["usage"]["total_tokens"] == sum(
        reply["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    )


def test_same_request_gets_the_same_bytes():
    assert list(plan("Say hi", n=2).events) == list(plan("Say hi", n=2).events)
    assert list(plan("Say hi", stream=True).events) == list(plan("Say hi", stream=True).events)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("Say hi", {}),
        ("Grüße, 世界! 👩‍👩‍👧 ok", {}),
        ("[[sandbox:reply 👩‍👩‍👧世界, and more]]", {}),
        ("[[sandbox:chunks 20]]", {}),
        ("[[sandbox:refuse]]", {}),
        ('[[sandbox:tool exec {"command": "ls -l"}]][[sandbox:tool apply_patch]]', {"tools": TOOLS}),
        ("Say hi", {"n": 3}),
        ("Say hi", {"max_completion_tokens": 7}),
        ("Say hi in json", {"response_format": {"type": "json_object"}}),
        ("Say hi", {"logprobs": True, "top_logprobs": 3}),
    ],
)  # fmt: skip
def test_stream_put_together_is_the_whole_answer(said, fields):
    reply, chunks = ask(said, **fields), stream(said, **fields, stream_options={"include_usage": True})
    for choice in reply["choices"]:
        message, streamed = choice["message"], joined(chunks, choice["index"])
        assert streamed["content"] == message["content"]
        assert streamed["refusal"] == message["refusal"]
        assert streamed["calls"] == message.get("tool_calls", [])
        assert streamed["finish"] == choice["finish_reason"]
        logprobs = [
            token
            for chunk in chunks
            for part in chunk["choices"]
            if part["index"] == choice["index"] and part["logprobs"]
            for token in part["logprobs"]["content"]
        ]
        assert logprobs == ((choice["logprobs"] or {}).get("content") or [])
    assert chunks[-1]["usage"] == reply["usage"]


def test_stream_begins_with_the_role_and_ends_with_finish_and_usage():
    chunks = stream("Say hi", stream_options={"include_usage": True})
    first, *middle, finish, usage = chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert len(middle) > 3
    assert all(chunk["choices"][0]["delta"].keys() == {"content"} for chunk in middle)
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1


def test_stream_without_the_option_says_nothing_of_usage():
    assert not any("usage" in chunk for chunk in stream("Say hi"))


def test_several_answers_differ_and_are_all_counted():
    reply = ask("Say hi", n=3)
    texts = [choice["message"]["content"] for choice in reply["choices"]]
    assert len(set(texts)) == 3
    assert reply["usage"]["completion_tokens"] == sum(map(count_text, texts))


def test_log_probabilities_cover_the_text():
    logprobs = ask("Say hi", logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in logprobs).decode() == content_of(ask("Say hi"))
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] < 0 for token in logprobs)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (None, "default"),
        ("auto", "default"),
        ("flex", "flex"),
        ("fast", "priority"),
        ("priority", "priority"),
    ],
)
def test_service_tier_is_the_one_that_served(asked, served):
    assert ask("Say hi", service_tier=asked)["service_tier"] == served


# ---- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
def test_answer_is_cut_at_exactly_the_limit(name):
    reply = ask("Say hi", **{name: 9})
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 9
    assert count_text(content_of(reply)) == 9


def test_answer_that_just_fits_is_not_cut():
    whole = ask("Say hi")
    assert (
        ask("Say hi", max_completion_tokens=whole["usage"]["completion_tokens"])["choices"]
        == whole["choices"]
    )


@settings(deadline=None)
@given(st.text(alphabet="ab 1\n世é👩‍👧", min_size=1, max_size=40), st.integers(1, 12))
def test_cut_answer_is_a_beginning_of_the_whole_within_the_limit(text, limit):
    said = f"[[sandbox:reply {json.dumps(text)}]]"
    reply = ask(said, max_completion_tokens=limit)
    assert text.startswith(content_of(reply))
    assert count_text(content_of(reply)) <= limit
    is_cut = count_text(text) > limit
    assert reply["choices"][0]["finish_reason"] == ("length" if is_cut else "stop")
    assert reply["usage"]["completion_tokens"] == min(limit, count_text(text))


@pytest.mark.parametrize("effort", sorted(REASONING_BY_EFFORT.keys() - {"max"}))
def test_effort_is_counted_as_reasoning(effort):
    reply = ask("Say hi", reasoning_effort=effort)
    reasoning = reply["usage"]["completion_tokens_details"]["reasoning_tokens"]
    assert reasoning == REASONING_BY_EFFORT[effort] > 0
    assert reply["usage"]["completion_tokens"] == reasoning + count_text(content_of(reply))


def test_no_effort_is_no_reasoning():
    usage = ask("Say hi", reasoning_effort="none")["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


def test_reasoning_uses_up_the_limit_first():
    reply = ask("[[sandbox:reasoning 300]]", max_completion_tokens=304)
    assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] == 300
    assert count_text(content_of(reply)) == 4
    nothing_left = ask("[[sandbox:reasoning 300]]", max_completion_tokens=100)
    assert content_of(nothing_left) == ""
    assert nothing_left["choices"][0]["finish_reason"] == "length"
    assert nothing_left["usage"]["completion_tokens"] == 100


def test_stop_sequence_ends_the_answer_before_it():
    reply = ask("[[sandbox:reply one, two; three]]", stop=[";", ", two; th", "four"])
    assert content_of(reply) == "one"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert joined(stream("[[sandbox:reply one two]]", stop=" two"))["content"] == "one"


def test_cached_tokens_are_at_most_the_prompt():
    assert ask("[[sandbox:cached 5]]")["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
    usage = ask("[[sandbox:cached 5000]]")["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"]


# ---- JSON ------------------------------------------------------------------------------------------------

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3},
        "born": {"type": "string", "format": "date"},
        "role": {"enum": ["admin", "user"]},
        "friends": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["name", "born", "role", "friends"],
    "additionalProperties": False,
}


def as_schema(schema: object) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}


def test_json_schema_gets_a_value_that_fits_it():
    value = json.loads(content_of(ask("Who?", response_format=as_schema(PERSON))))
    jsonschema.validate(value, PERSON)


def test_json_object_gets_an_object():
    value = json.loads(content_of(ask("Answer in JSON", response_format={"type": "json_object"})))
    assert "Answer in JSON" in value["answer"]


def test_schema_that_nothing_fits_is_refused():
    error = refusal_of(plan("Who?", response_format=as_schema({"enum": []})), 400)
    assert (error["param"], error["code"]) == ("response_format", "invalid_json_schema")
    assert "'person'" in error["message"]


# ---- tools -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "get_weather"),
        ({"type": "function", "function": {"name": "exec"}}, "exec"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [EXEC, WEATHER]}}, "exec"),
    ],
)
def test_required_call_is_made_with_arguments_that_fit(choice, name):
    reply = ask("Weather?", tools=[WEATHER, EXEC], tool_choice=choice)
    (call,) = calls_of(reply)
    assert reply["choices"][0]["finish_reason"] == "tool_calls"
    assert content_of(reply) is None
    assert call["function"]["name"] == name
    schema = WEATHER["function"]["parameters"] if name == "get_weather" else {"type": "object"}
    jsonschema.validate(json.loads(call["function"]["arguments"]), schema)
    used = count_text(name) + count_text(call["function"]["arguments"])
    assert reply["usage"]["completion_tokens"] == used


def test_custom_tool_is_called_with_text():
    (call,) = calls_of(
        ask("Patch", tools=[PATCH], tool_choice={"type": "custom", "custom": {"name": "apply_patch"}})
    )
    assert call["type"] == "custom"
    assert call["custom"] == {"name": "apply_patch", "input": "sample input for apply_patch"}


def test_tools_alone_do_not_make_a_call():
    assert "Weather?" in content_of(ask("Weather?", tools=TOOLS, tool_choice="auto"))


def test_directive_makes_the_call_with_its_arguments_as_written():
    said = '[Sun 17:06 UTC] [[sandbox:tool exec {"command": "echo ]] [[1]]"}]]\n\nRuntime: agent=main'
    (call,) = calls_of(ask([user(said), user("<<<context>>>")], tools=TOOLS))
    assert call["function"] == {"name": "exec", "arguments": '{"command": "echo ]] [[1]]"}'}


def test_arguments_can_be_broken_on_purpose():
    (call,) = calls_of(ask('[[sandbox:tool exec "{\\"comm"]]', tools=TOOLS))
    assert call["function"]["arguments"] == '{"comm'


def test_directives_make_parallel_calls_with_ids_of_their_own():
    said = "[[sandbox:tool exec]] [[sandbox:tool exec]] [[sandbox:tool get_weather]]"
    calls = calls_of(ask(said, tools=TOOLS))
    assert [call["function"]["name"] for call in calls] == ["exec", "exec", "get_weather"]
    two = ask(said, tools=TOOLS, n=2)["choices"]
    assert len({call["id"] for choice in two for call in choice["message"]["tool_calls"]}) == 6


def test_without_parallel_calls_they_are_made_one_after_the_other():
    said = user("[[sandbox:tool exec]] [[sandbox:tool get_weather]]")
    (first,) = calls_of(ask([said], tools=TOOLS, parallel_tool_calls=False))
    (second,) = calls_of(ask([said, CALLED, RAN], tools=TOOLS, parallel_tool_calls=False))
    assert [call["function"]["name"] for call in (first, second)] == ["exec", "get_weather"]
    done = ask([said, CALLED, RAN, CALLED, RAN], tools=TOOLS, parallel_tool_calls=False)
    assert content_of(done) == "The tool answered: tool-ran-42"


@pytest.mark.parametrize(
    "after", [[], [user("<<<context>>>")], [{"role": "user", "content": [{"type": "text", "text": "x"}]}]]
)
def test_tool_result_is_quoted_and_the_call_not_repeated(after):
    messages = [user("[[sandbox:tool exec {}]]"), CALLED, RAN, *after]
    assert content_of(ask(messages, tools=TOOLS)) == "The tool answered: tool-ran-42"


def test_reply_directive_is_the_answer_to_the_tool_result():
    asked = user("[[sandbox:tool exec]] [[sandbox:reply all done]]")
    assert calls_of(ask([asked], tools=TOOLS))
    assert content_of(ask([asked, CALLED, RAN], tools=TOOLS)) == "all done"


def test_new_question_after_an_answer_is_not_about_the_old_tool():
    messages = [
        user("[[sandbox:tool exec]]"),
        CALLED,
        RAN,
        {"role": "assistant", "content": "done"},
        user("Next?"),
    ]
    assert "Next?" in content_of(ask(messages, tools=TOOLS))


def test_newer_directive_after_a_tool_result_is_followed():
    messages = [user("[[sandbox:tool exec]]"), CALLED, RAN, user("[[sandbox:tool get_weather]]")]
    assert calls_of(ask(messages, tools=TOOLS))[0]["function"]["name"] == "get_weather"


def test_call_of_a_tool_that_is_not_offered_is_answered_in_words():
    assert "call exec, but" in content_of(ask("[[sandbox:tool exec]]"))
    said = content_of(ask("[[sandbox:tool exec]]", tools=[WEATHER]))
    assert said.endswith("are: get_weather.")
    assert "none" in content_of(ask("[[sandbox:tool exec]]", tools=TOOLS, tool_choice="none"))


def test_long_call_is_cut_at_the_limit():
    said = '[[sandbox:tool exec {"command": "one two three four five six"}]]'
    reply = ask(said, tools=TOOLS, max_completion_tokens=6)
    (call,) = calls_of(reply)
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 6
    assert count_text("exec") + count_text(call["function"]["arguments"]) == 6
    nothing = ask(said, tools=TOOLS, max_completion_tokens=1)["choices"][0]
    assert "tool_calls" not in nothing["message"]
    assert nothing["finish_reason"] == "length"


def test_tool_without_possible_arguments_is_refused():
    tool = {
        "type": "function",
        "function": {"name": "odd", "parameters": {"required": ["a"], "properties": {"a": False}}},
    }
    error = refusal_of(plan("x", tools=[tool], tool_choice="required"), 400)
    assert (error["param"], error["code"]) == ("tools", "invalid_function_parameters")


# ---- the other directives --------------------------------------------------------------------------------


def test_reply_is_exactly_the_text():
    assert content_of(ask("[[sandbox:reply Bonjour,  le monde ]]")) == "Bonjour,  le monde "
    assert content_of(ask([user([{"type": "text", "text": "[[sandbox:reply part]]"}])])) == "part"


def test_refusal_stands_in_its_own_field():
    message = ask("[[sandbox:refuse]]")["choices"][0]["message"]
    assert message["content"] is None
    assert message["refusal"]
    assert joined(stream("[[sandbox:refuse]] [[sandbox:reply No.]]"))["refusal"] == "No."


def test_directives_in_an_older_turn_are_over():
    messages = [user("[[sandbox:refuse]]"), {"role": "assistant", "refusal": "No."}, user("And now?")]
    assert "And now?" in content_of(ask(messages))


@pytest.mark.parametrize(
    ("directive", "status", "type_", "code"),
    [
        ("status 400", 400, "invalid_request_error", None),
        ("status 401", 401, "invalid_request_error", "invalid_api_key"),
        ("status 404", 404, "invalid_request_error", "model_not_found"),
        ("status 418", 418, "invalid_request_error", None),
        ("status 429", 429, "requests", "rate_limit_exceeded"),
        ("status 429 code=insufficient_quota", 429, "insufficient_quota", "insufficient_quota"),
        ("status 500", 500, "server_error", None),
        ("status 503", 503, "service_unavailable_error", "server_is_overloaded"),
        ("status 599 code=odd", 599, "server_error", "odd"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_status_is_an_error_in_openais_shape(directive, status, type_, code, is_stream):
    error = refusal_of(plan(f"[[sandbox:{directive}]]", stream=is_stream), status)
    assert (error["type"], error["code"]) == (type_, code)


def test_retry_after_is_sent_where_it_was_asked_for_and_with_rate_limits():
    assert plan("[[sandbox:status 503 retry_after=7]]").headers["retry-after"] == "7"
    assert plan("[[sandbox:status 429]]").headers["retry-after"] == "1"
    assert "retry-after" not in plan("[[sandbox:status 500]]").headers
    assert "retry-after" not in plan("[[sandbox:status 429 code=insufficient_quota]]").headers


def test_every_status_from_400_to_599_is_possible():
    for status in range(400, 600):
        assert refusal_of(plan(f"[[sandbox:status {status}]]"), status)["message"]


@pytest.mark.parametrize("count", [0, 1, 10])
def test_stream_is_cut_after_that_many_chunks(count):
    events = list(plan(f"[[sandbox:cut_after {count}]]", stream=True).events)
    assert kinds(events) == [Send] * count + [Cut]


def test_short_stream_is_cut_before_its_end_marker():
    events = list(plan("[[sandbox:cut_after 1000]]", stream=True).events)
    assert kinds(events)[-1] is Cut
    assert b"[DONE]" not in b"".join(event.data for event in events[:-1])


def test_whole_answer_is_cut_in_its_middle():
    (sent, cut) = plan("[[sandbox:cut_after 10]]").events
    assert isinstance(cut, Cut)
    assert sent.data.startswith(b'{"id"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent.data)


def test_delay_comes_before_the_first_byte():
    for fields in ({}, {"stream": True}):
        events = list(plan("[[sandbox:delay 2.5]]", **fields).events)
        assert events[0] == Pause(2.5)
        assert Pause not in kinds(events[1:])
    assert next(iter(plan("[[sandbox:delay 1]][[sandbox:status 500]]").events)) == Pause(1)


def test_chunks_come_in_the_wanted_number_and_pace():
    said = "[[sandbox:chunks 200 interval_ms=10]]"
    contents = [c["choices"][0]["delta"] for c in stream(said) if "content" in c["choices"][0]["delta"]]
    assert len(contents) == 1 + 200
    assert pauses(plan(said, stream=True)) == [0.01] * 199
    assert pauses(plan(said)) == [2.0]


def test_chunks_divide_a_given_reply():
    chunks = stream("[[sandbox:chunks 3]][[sandbox:reply abcdef]]")
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[1:-1]] == ["ab", "cd", "ef"]


def test_directives_can_be_combined():
    found = plan(
        "[[sandbox:delay 1]] [[sandbox:chunks 50 interval_ms=20]] [[sandbox:cut_after 5]]", stream=True
    )
    events = list(found.events)
    assert kinds(events)[:3] == [Pause, Send, Send]
    assert kinds(events).count(Send) == 5
    assert is_cut(plan("[[sandbox:cut_after 5]] [[sandbox:tool exec]]", tools=TOOLS))
