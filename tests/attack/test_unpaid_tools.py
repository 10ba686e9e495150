"""Tools that cost by the call do not slip through under a name that is newer, or that means two things."""

import pytest

from dialects.town import CHAT, HELLO, RESPONSES
from fakes import http
from runapi.core.hosted_tools import CHARGED_TOOLS, charged_name

FUNCTION = {"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}}
CONTAINER = {"type": "shell", "environment": {"type": "container_auto", "memory_limit": "64g"}}
LOCAL = {"type": "shell", "environment": {"type": "local"}}


def ask(raided, **fields):
    """Ask with tools that no specification has, and that answers say again."""
    key = raided.customer().key
    heard = http.request(raided.gateway.url, "POST", RESPONSES, key=key, json={**HELLO[RESPONSES], **fields})
    assert heard.status == 200, heard.body
    return heard


def sent_tools(raided, rogue, tools):
    heard = ask(raided, tools=tools)
    return heard.headers.get("x-runapi-dropped"), rogue.calls[-1].json.get("tools")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search_2027_01_31"},
        {"type": "web_search_preview_2027_01_31"},
        {"type": "image_generation_2027_01_31"},
        {"type": "code_interpreter_2027_01_31", "container": {"type": "auto"}},
        {"type": "file_search_2027_01_31", "vector_store_ids": ["vs_1"]},
        CONTAINER,
        {"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_1"}},
        {"type": "shell", "environment": {"type": "something newer"}},
        {"type": "shell", "environment": "container"},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "web_search"}]},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "web_search_2027_01_31"}]},
    ],
)
def test_tool_that_costs_by_the_call_is_left_out_whatever_it_is_called(raided, rogue, tool):
    assert sent_tools(raided, rogue, [FUNCTION, tool]) == ("tools", [FUNCTION])


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "shell"},
        LOCAL,
        {"type": "local_shell"},
        {"type": "custom", "name": "web_search_2027_01_31"},
        {"type": "namespace", "name": "web_search", "description": "d", "tools": [FUNCTION]},
        {"type": "something_newer"},
    ],
)
def test_tool_that_the_client_runs_is_passed_on(raided, rogue, tool):
    assert sent_tools(raided, rogue, [tool]) == (None, [tool])


def test_choice_of_a_tool_that_is_left_out_is_left_out_too(raided, rogue):
    choice = {"type": "web_search_2027_01_31"}
    ask(raided, tools=[FUNCTION, choice], tool_choice=choice)
    assert "tool_choice" not in rogue.calls[-1].json


def test_newer_version_of_a_tool_goes_by_the_longest_name_that_fits():
    assert charged_name("web_search_preview_2030_01_01") == "web_search_preview"
    assert charged_name("web_searching") == "web_searching"
    assert {charged_name(name) for name in CHARGED_TOOLS} == CHARGED_TOOLS


@pytest.mark.parametrize("stop", [None, "END"], ids=["passed on", "translated"])
@pytest.mark.parametrize("options", [{}, {"search_context_size": "high"}], ids=["empty", "high"])
def test_search_that_chat_asks_for_by_a_field_is_left_out(raided, rogue, options, stop):
    customer = raided.customer()
    heard = customer.hear(CHAT, web_search_options=options, **({} if stop is None else {"stop": stop}))
    assert heard.status == 200
    assert "web_search_options" in heard.headers["x-runapi-dropped"].split(", ")
    assert "web_search_options" not in rogue.calls[-1].json


def test_search_that_chat_asks_for_is_refused_to_a_strict_key(raided, rogue):
    customer = raided.customer(on_refused_parameter="strict")
    heard = customer.hear(CHAT, web_search_options={})
    assert (heard.status, heard.error["param"]) == (400, "web_search_options")
    assert rogue.calls == []


def test_search_that_is_null_asks_for_nothing(raided, rogue):
    heard = raided.customer(on_refused_parameter="strict").hear(CHAT, web_search_options=None)
    assert heard.status == 200
    assert "web_search_options" not in rogue.calls[-1].json


def test_search_that_is_left_out_is_not_held_for(raided, rogue):
    """What a search reads may be as long as the model's context: held for, it would be too dear for this account."""
    poor = raided.customer(20_000_000)
    heard = poor.hear(CHAT, web_search_options={}, max_completion_tokens=1_000)
    assert heard.status == 200
    assert "x-runapi-limited" not in heard.headers
    assert len(rogue.calls) == 1
