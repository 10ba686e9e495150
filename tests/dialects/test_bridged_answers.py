"""Chat clients at an upstream that speaks Responses: what comes of its answers."""

import json

import pytest

from dialects.cases import BOTH, answer
from dialects.town import CHAT
from fakes import replies
from fakes.responses_replies import Called, Refused, Said, Thought, text

FUNCTION = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look somewhere.",
        "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
    },
}


def choice_of(heard):
    return heard.object["choices"][0]


@BOTH
def test_several_items_become_one_choice(town, responses_only, stream):
    items = [
        Thought(("Hm", "m.")),
        Said(("I ", "look.")),
        Called("look", '{"where":"here"}', "call_a"),
        Called("write", "free text", "call_b", is_custom=True),
    ]
    responses_only.then(answer(items, stream))
    tools = [FUNCTION, {"type": "custom", "custom": {"name": "write"}}]
    choice = choice_of(town.customer().hear(CHAT, tools=tools, stream=stream))
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I look."
    assert "reasoning_content" not in choice["message"]
    assert choice["message"]["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "look", "arguments": '{"where":"here"}'}},
        {"id": "call_b", "type": "custom", "custom": {"name": "write", "input": "free text"}},
    ]


@BOTH
def test_refusal_is_one(town, responses_only, stream):
    responses_only.then(answer([Refused()], stream))
    choice = choice_of(town.customer().hear(CHAT, stream=stream))
    assert choice["message"]["refusal"] == "I can't help with that."
    assert not choice["message"].get("content")


@BOTH
def test_citations_come_along(town, responses_only, stream):
    citation = {
        "type": "url_citation",
        "start_index": 0,
        "end_index": 3,
        "url": "https://example.com",
        "title": "Ex",
    }
    responses_only.then(answer([Said(annotations=(citation,))], stream))
    choice = choice_of(town.customer().hear(CHAT, stream=stream))
    wanted = {key: value for key, value in citation.items() if key != "type"}
    assert choice["message"]["annotations"] == [{"type": "url_citation", "url_citation": wanted}]


@BOTH
@pytest.mark.parametrize(
    ("reason", "told"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_answer_that_was_cut_off_says_so_and_is_charged(town, responses_only, stream, reason, told):
    responses_only.then(answer([text("Once upon")], stream, incomplete=reason))
    customer = town.customer()
    heard = customer.hear(CHAT, stream=stream)
    assert choice_of(heard)["finish_reason"] == told
    assert heard.cost_nano == customer.spent_nano > 0


@BOTH
@pytest.mark.parametrize("wants_usage", [False, True])
def test_stream_has_its_usage_once(town, responses_only, wants_usage, stream):
    options = {"stream_options": {"include_usage": wants_usage}} if stream else {}
    heard = town.customer().hear(CHAT, stream=stream, **options)
    if not stream:
        return
    used = [chunk for chunk in heard.events if chunk.get("usage")]
    [last] = used
    assert last is heard.events[-1] or last == heard.events[-1]
    assert (last["choices"] == []) is wants_usage
    assert all(("usage" in chunk) is wants_usage for chunk in heard.events[:-1])


def test_older_functions_are_answered_as_they_were(town, responses_only):
    responses_only.then(answer([Called("look", "{}")], stream=True))
    heard = town.customer().hear(CHAT, functions=[FUNCTION["function"]], stream=True)
    deltas = [chunk["choices"][0]["delta"] for chunk in heard.events if chunk["choices"]]
    called = [delta["function_call"] for delta in deltas if "function_call" in delta]
    assert called[0]["name"] == "look"
    assert "".join(one["arguments"] for one in called) == "{}"
    assert heard.events[-1]["choices"][0]["finish_reason"] == "function_call"


def test_chat_upstream_s_bytes_are_not_touched_where_no_bridge_is_needed(town, openai):
    openai.then(replies.plain_reply("H\u00e9llo"))
    heard = town.customer().hear(CHAT)
    assert heard.object["id"] == replies.REPLY_ID
    assert json.dumps("H\u00e9llo", ensure_ascii=False).encode() in heard.body
