"""A Chat request in neutral form and back: what is carried is carried whole, and what is not is refused by name."""

import json

import msgspec
import pytest
from hypothesis import given

from fakes import specification
from fakes.chat_asks import USER, read, refusal_of, say, written
from fakes.chat_requests import chat_requests
from runapi.core.problems import Problem
from runapi.wire.neutral import (
    Role,
    Text,
    Tool,
    Turn,
)
from runapi.wire.openai_chat.ask import read_stops, to_asked, write_asked
from runapi.wire.openai_chat.request import read_chat_request


@given(request=chat_requests())
def test_a_request_comes_back_as_it_was_written(request):
    body = json.dumps(request).encode()
    asked = to_asked(read_chat_request(body))
    back = write_asked(asked, "gpt-5.5", None)
    assert json.loads(back) == request
    specification.check_request(json.loads(back))
    assert to_asked(read_chat_request(back)) == asked


# ---- tools and choices -----------------------------------------------------------------------------------


def test_strictness_is_said_outright_for_its_absence_means_different_things():
    tools = [
        {"type": "function", "function": {"name": "f"} | more}
        for more in ({}, {"strict": None}, {"strict": True})
    ]
    assert [tool.strict for tool in read(tools=tools).tools] == [False, False, True]
    assert [tool["function"].get("strict") for tool in written(read(tools=tools))["tools"]] == [
        None,
        None,
        True,
    ]


def test_no_tools_are_no_choice():
    asked = read(tools=[], tool_choice="auto", parallel_tool_calls=True)
    assert (asked.tools, asked.choice, asked.parallel_calls) == ((), None, None)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(written(asked))


def test_a_grammar_takes_the_neutral_form():
    grammar = {"type": "grammar", "grammar": {"definition": "start: A", "syntax": "lark"}}
    (tool,) = read(tools=[{"type": "custom", "custom": {"name": "p", "format": grammar}}]).tools
    assert json.loads(bytes(tool.grammar)) == {"type": "grammar", "syntax": "lark", "definition": "start: A"}


def test_a_tool_of_the_upstreams_own_is_refused():
    with pytest.raises(Problem) as caught:
        say(Turn(Role.USER, (Text("a"),)), tools=(Tool(hosted=msgspec.Raw(b'{"type":"web_search"}')),))
    assert (caught.value.status, caught.value.param) == (400, "tools")


FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        (
            {"tools": [{"type": "custom", "custom": {"name": "g", "format": {"type": "grammar"}}}]},
            "tools[0].custom.format.grammar",
        ),
        ({"tools": [FUNCTION], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": []}},
            },
            "tool_choice.allowed_tools.mode",
        ),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]},
                },
            },
            "tool_choice.allowed_tools.tools[0].function",
        ),
        ({"functions": [{"name": "f"}], "function_call": "always"}, "function_call"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
    ],
)
def test_a_tool_or_format_that_cannot_be_read_is_refused_by_its_place(fields, param):
    assert refusal_of(**fields) == param


# ---- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"audio": {"voice": "a", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {"type": "content", "content": "a"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"moderation": {"model": "omni"}}, "moderation"),
        ({"reasoning": {"effort": "low"}}, "reasoning"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": [1]}, "stop[0]"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_by_its_name(fields, param):
    assert refusal_of(**fields) == param


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"n": None, "audio": None, "unknown": None},
        {"modalities": ["text"]},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}},
        {"seed": 7, "store": True, "max_cost": 0.5, "prompt_cache_options": {"mode": "auto"}},
    ],
)
def test_what_asks_for_nothing_changes_nothing(fields):
    body = json.dumps({"model": "gpt-5.5", "messages": [USER]} | fields, separators=(",", ":")).encode()
    assert to_asked(read_chat_request(body)) == read()


def test_a_stop_may_be_a_string_and_an_empty_one_asks_for_nothing():
    assert read(stop="END").stop == ("END",)
    assert read(stop=["", "a"]).stop == ("a",)
    assert read_stops({}) == ()


@pytest.mark.parametrize(
    ("fields", "output_cap", "cap"),
    [
        ({}, None, None),
        ({"max_tokens": 5}, None, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, None, 7),
        ({"max_completion_tokens": 7}, 3, 3),
        ({"max_completion_tokens": 7}, 9, 7),
        ({}, 9, 9),
    ],
)
def test_the_lower_cap_goes_upstream(fields, output_cap, cap):
    assert written(read(**fields), output_cap=output_cap).get("max_completion_tokens") == cap


def test_a_stream_is_to_report_its_usage_whatever_the_client_asked():
    asked = read(stream=True)
    assert (asked.stream, asked.wants_usage) == (True, False)
    assert written(asked)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(read())


def test_the_upstreams_name_for_the_model_is_written():
    assert written(read(), model="gpt-5.5-2026-04-23")["model"] == "gpt-5.5-2026-04-23"
