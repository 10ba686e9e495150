"""What a model thought before it called a tool goes back to it with the call, though Chat clients cannot carry it."""

import json

import pytest

from dialects.cases import BOTH, answer
from dialects.town import CHAT, MESSAGES, RESPONSES
from fakes import responses_replies
from fakes.responses_replies import Called, Said, Thought

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
LOOKED = (Thought(("Hm.",)), Called("look", "{}", "call_A-1|b"))
ASKED = {"role": "user", "content": "Look."}


def call_of(heard):
    return heard.object["choices"][0]["message"]["tool_calls"][0]


def second_turn(call, *, call_id=None, content=None):
    """The conversation with the call and its result in it."""
    call_id = call_id or call["id"]
    said = {"role": "assistant", "content": content, "tool_calls": [{**call, "id": call_id}]}
    return [ASKED, said, {"role": "tool", "tool_call_id": call_id, "content": "A cat."}]


def first_turn(customer, upstream, items=LOOKED, *, stream=False):
    upstream.then(answer(items, stream))
    return call_of(customer.hear(CHAT, messages=[ASKED], tools=TOOLS, stream=stream))


def kinds(upstream):
    """The kinds of items in the newest request."""
    return [item["type"] for item in upstream.calls[-1].json["input"]]


@BOTH
def test_reasoning_goes_back_in_front_of_its_call(town, responses_only, stream):
    customer = town.customer()
    call = first_turn(customer, responses_only, stream=stream)
    assert customer.hear(CHAT, messages=second_turn(call), tools=TOOLS, stream=stream).is_whole
    assert kinds(responses_only) == ["message", "reasoning", "function_call", "function_call_output"]
    thought = responses_only.calls[-1].json["input"][1]
    assert thought["encrypted_content"].startswith("gAAAAA")
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]


def test_reasoning_goes_back_where_the_id_lost_its_punctuation(town, responses_only):
    customer = town.customer()
    call = first_turn(customer, responses_only)
    stripped = "".join(filter(str.isalnum, call["id"]))
    assert stripped != call["id"]
    assert customer.hear(CHAT, messages=second_turn(call, call_id=stripped), tools=TOOLS).is_whole
    assert "reasoning" in kinds(responses_only)


def test_reasoning_stands_before_what_was_said_between_it_and_the_call(town, responses_only):
    customer = town.customer()
    items = (Thought(), Said(("I look.",)), Called("look", "{}", "call_1"))
    call = first_turn(customer, responses_only, items)
    customer.hear(CHAT, messages=second_turn(call, content="I look."), tools=TOOLS)
    assert kinds(responses_only) == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]


def test_reasoning_is_never_given_to_another_key(town, responses_only):
    customer = town.customer()
    call = first_turn(customer, responses_only)
    colleague = type(customer)(town, customer.account, customer.colleague().key, "live")
    for other in (colleague, town.customer()):
        assert other.hear(CHAT, messages=second_turn(call), tools=TOOLS).is_whole
        assert "reasoning" not in kinds(responses_only)


def test_reasoning_is_not_given_to_another_upstream(town, responses_only):
    customer = town.customer()
    call = first_turn(customer, responses_only)
    town.command("upstreams.remove", name="responses-only")
    town.serve_as(responses_only, "responses-only", [RESPONSES])  # another account there
    assert customer.hear(CHAT, messages=second_turn(call), tools=TOOLS).is_whole
    assert "reasoning" not in kinds(responses_only)


def test_reasoning_is_not_given_to_another_model(town, responses_only):
    customer = town.customer()
    call = first_turn(customer, responses_only)
    heard = customer.hear(CHAT, model="gpt-5.3-codex", messages=second_turn(call), tools=TOOLS)
    assert heard.is_whole
    assert "reasoning" not in kinds(responses_only)


def test_answer_that_broke_off_leaves_no_reasoning(town, responses_only):
    customer = town.customer()
    responses_only.then(responses_replies.stream_failed_reply([Thought(), Called("look", "{}", "call_9")]))
    assert not customer.hear(CHAT, messages=[ASKED], tools=TOOLS, stream=True).is_whole
    call = {"id": "call_9", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    assert customer.hear(CHAT, messages=second_turn(call), tools=TOOLS).is_whole
    assert "reasoning" not in kinds(responses_only)


def test_client_of_messages_that_sees_no_thinking_has_it_put_back_too(town, responses_only):
    customer = town.customer()
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    responses_only.then(answer([Thought(), Called("look", "{}", "call_1")], stream=True))
    first = customer.hear(MESSAGES, tools=tools, stream=True).object
    assert [block["type"] for block in first["content"]] == ["tool_use"]
    used = first["content"][0]["id"]
    messages = [
        ASKED,
        {"role": "assistant", "content": [{"type": "tool_use", "id": used, "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used, "content": "A cat."}]},
    ]
    assert customer.hear(MESSAGES, messages=messages, tools=tools).is_whole
    assert kinds(responses_only) == ["message", "reasoning", "function_call", "function_call_output"]


# ---- names of sessions -----------------------------------------------------------------------------------


def cache_key(upstream):
    return upstream.calls[-1].json.get("prompt_cache_key")


SESSIONS = pytest.mark.parametrize(
    ("path", "headers", "fields"),
    [
        (CHAT, {}, {"prompt_cache_key": "s-1"}),
        (CHAT, {"x-session-affinity": "s-1"}, {}),
        (CHAT, {"session-id": "s-1"}, {}),
        (MESSAGES, {"x-claude-code-session-id": "s-1"}, {}),
        (MESSAGES, {}, {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s-1"})}}),
    ],
)


@SESSIONS
def test_session_is_named_to_the_upstream_s_cache_apart_for_each_account(
    town, responses_only, path, headers, fields
):
    customer = town.customer()
    customer.hear(path, headers=headers, **fields)
    first = cache_key(responses_only)
    assert first
    assert "s-1" not in first
    customer.hear(path, headers=headers, **fields)
    assert cache_key(responses_only) == first
    town.customer().hear(path, headers=headers, **fields)
    assert cache_key(responses_only) not in (first, None)


def test_request_without_a_session_names_none(town, responses_only):
    town.customer().hear(CHAT)
    assert cache_key(responses_only) is None
