import json

import jsonschema
import pytest

from fakes import sandbox_calls
from fakes.sandbox_responses import (
    EXEC,
    PATCH,
    TOOLS,
    WEATHER,
    ask,
    calls_of,
    message_of,
    plan,
    refusal,
    result_of,
    text_of,
    user,
)
from runapi.wire.tokens import count_text


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "get_weather"),
        ({"type": "function", "name": "exec"}, "exec"),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "exec"}]}, "exec"),
    ],
)  # fmt: skip
def test_required_call_is_made_with_arguments_that_fit(choice, name):
    reply = ask("Weather?", tools=[WEATHER, EXEC], tool_choice=choice)
    (call,) = reply["output"]
    assert (call["type"], call["name"], call["status"]) == ("function_call", name, "completed")
    schema = WEATHER["parameters"] if name == "get_weather" else {"type": "object"}
    jsonschema.validate(json.loads(call["arguments"]), schema)
    assert reply["usage"]["output_tokens"] == count_text(name) + count_text(call["arguments"])


def test_custom_tool_is_called_with_text():
    (call,) = ask("Patch", tools=[PATCH], tool_choice={"type": "custom", "name": "apply_patch"})["output"]
    assert (call["type"], call["input"]) == ("custom_tool_call", "sample input for apply_patch")
    said = text_of(ask([user("Patch"), call, result_of(call, "patched")], tools=[PATCH]))
    assert said == "The tool answered: patched"


def test_directives_make_parallel_calls_with_ids_of_their_own():
    said = '[[sandbox:tool exec {"a": "]]"}]] [[sandbox:tool exec "{\\"bro"]] [[sandbox:tool get_weather]]'
    calls = calls_of(ask(said, tools=TOOLS))
    assert [call["name"] for call in calls] == ["exec", "exec", "get_weather"]
    assert [call["arguments"] for call in calls[:2]] == ['{"a": "]]"}', '{"bro']
    assert len({call["id"] for call in calls} | {call["call_id"] for call in calls}) == 6


def test_call_ids_are_those_of_chat():
    in_chat = sandbox_calls.ask("[[sandbox:tool exec]]", tools=sandbox_calls.TOOLS)
    (call,) = calls_of(ask("[[sandbox:tool exec]]", tools=TOOLS))
    assert call["call_id"] == in_chat["choices"][0]["message"]["tool_calls"][0]["id"]


def test_without_parallel_calls_they_are_made_one_after_the_other():
    items = [user("[[sandbox:tool exec]] [[sandbox:tool get_weather]]")]
    names = []
    for _ in range(2):
        (call,) = calls_of(ask(items, tools=TOOLS, parallel_tool_calls=False))
        items += [{"role": "assistant", "content": "Let me see."}, call, result_of(call)]
        names.append(call["name"])
    assert names == ["exec", "get_weather"]
    assert text_of(ask(items, tools=TOOLS, parallel_tool_calls=False)) == "The tool answered: tool-ran-42"


def test_results_of_parallel_calls_are_all_quoted():
    items = [user("[[sandbox:tool exec]] [[sandbox:tool apply_patch]]")]
    one, other = calls_of(ask(items, tools=TOOLS))
    items += [
        one,
        other,
        result_of(one, [{"type": "input_text", "text": "first"}]),
        result_of(other, "second"),
    ]
    assert text_of(ask(items, tools=TOOLS)) == "The tools answered: first | second"


def test_new_question_after_an_answer_is_not_about_the_old_tool():
    items = [user("[[sandbox:tool exec]]")]
    (call,) = calls_of(ask(items, tools=TOOLS))
    items += [call, result_of(call)]
    answer = message_of(ask(items, tools=TOOLS))
    assert "Next?" in text_of(ask([*items, answer, user("Next?")], tools=TOOLS))


@pytest.mark.parametrize("kind", ["web_search", "namespace", "tool_search", "local_shell", "mcp"])
def test_tools_that_run_at_openai_are_accepted_and_never_called(kind):
    fields = {"tools": [{"type": kind}, EXEC]}
    assert plan("Search", **fields).status == 200
    found = plan("Search", **fields, tool_choice={"type": kind})
    assert b"function_call" not in b"".join(event.data for event in found.events)
    required = json.loads(next(plan("Search", tools=[{"type": kind}], tool_choice="required").events).data)
    assert required["status"] == "completed"


def test_long_call_is_cut_at_the_limit():
    said = '[[sandbox:tool exec {"command": "one two three four five six seven eight nine ten eleven"}]]'
    reply = ask(said, tools=TOOLS, max_output_tokens=16)
    (call,) = calls_of(reply)
    assert (reply["status"], call["status"]) == ("incomplete", "incomplete")
    assert count_text("exec") + count_text(call["arguments"]) == 16


def test_tool_without_possible_arguments_is_refused():
    tool = {**EXEC, "parameters": {"required": ["a"], "properties": {"a": False}}}
    error = refusal("x", tools=[tool], tool_choice="required")
    assert (error["param"], error["code"]) == ("tools", "invalid_function_parameters")
