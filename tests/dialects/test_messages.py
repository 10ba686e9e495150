"""POST /v1/messages: translated onto GPT models, passed on to Anthropic."""

import json
import re

import pytest
from anthropic import Anthropic

from dialects.cases import BOTH, answer
from dialects.town import CHAT, CLAUDE, HELLO, MESSAGES, RESPONSES
from fakes import anthropic_replies
from fakes.responses_replies import Called, Refused, Said, Thought

TOOL = {
    "name": "look",
    "description": "Look.",
    "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}},
    "cache_control": {"type": "ephemeral"},
}
CLAUDE_CODE = {
    # what Claude Code sends, in small (clients.md 3)
    "max_tokens": 32_000,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330"},
        {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look.", "cache_control": {"type": "ephemeral"}}],
        },
        {"role": "system", "content": "Be brief."},
    ],
    "metadata": {"user_id": json.dumps({"device_id": "d-1", "account_uuid": "", "session_id": "s-1"})},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "max"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "tools": [
        TOOL,
        {"name": "DeferredToolPlaceholder", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
}


# ---- on GPT models ---------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/v1/messages", "/v1/v1/messages?beta=true"])
def test_claude_code_works_on_gpt(town, responses_only, stream, path):
    headers = {"anthropic-beta": "claude-code-20250219,oauth-2025-04-20", "anthropic-version": "2023-06-01"}
    customer = town.customer()
    heard = customer.hear(path, headers=headers, stream=stream, **CLAUDE_CODE)
    assert heard.is_whole
    assert heard.object["stop_reason"] == "end_turn"
    assert customer.row["endpoint"] == MESSAGES
    [call] = responses_only.calls
    assert [item["role"] for item in call.json["input"]] == ["developer", "user", "developer"]
    assert "billing" not in json.dumps(call.json)
    assert "anthropic" not in json.dumps(call.headers)
    assert call.json["reasoning"]["effort"] == "xhigh"
    assert call.json["max_output_tokens"] == 32_000
    assert call.json["safety_identifier"] not in (None, "d-1")  # another one for each account
    assert [tool["name"] for tool in call.json["tools"]] == ["look"]
    assert heard.headers["x-runapi-dropped"] == "context_management"


def test_anthropic_s_own_client_works(town, responses_only):
    customer = town.customer()
    client = Anthropic(base_url=town.gateway.url, api_key=customer.key, max_retries=0)
    said = client.messages.create(**HELLO[MESSAGES])
    assert said.content[0].text == "Hello."
    with client.messages.stream(**HELLO[MESSAGES]) as stream:
        assert stream.get_final_text() == "Hello."
        assert stream.get_final_message().usage.output_tokens == 10
    assert said._request_id == customer.rows[0]["id"]


@BOTH
def test_events_come_in_anthropic_s_order(town, responses_only, stream):
    responses_only.then(answer([Thought(("Hm.",)), Said(), Called("look", '{"where":"x"}')], stream))
    heard = town.customer().hear(MESSAGES, stream=stream, tools=[TOOL], thinking={"type": "adaptive"})
    assert [block["type"] for block in heard.object["content"]] == ["thinking", "text", "tool_use"]
    assert heard.object["content"][2]["input"] == {"where": "x"}
    if not stream:
        return
    assert heard.kinds[0] == "message_start"
    assert heard.kinds[-2:] == ["message_delta", "message_stop"]
    assert heard.kinds.count("content_block_start") == heard.kinds.count("content_block_stop") == 3


@BOTH
@pytest.mark.parametrize(
    ("thinking", "shown"),
    [
        (None, []),
        ({"type": "disabled"}, []),
        ({"type": "adaptive", "display": "omitted"}, [""]),
        ({"type": "adaptive"}, ["Hm, well."]),
        ({"type": "enabled", "budget_tokens": 2_000}, ["Hm, well."]),
    ],
)
def test_thinking_is_shown_to_who_asks_for_it(town, responses_only, stream, thinking, shown):
    responses_only.then(answer([Thought(("Hm, ", "well.")), Said()], stream))
    fields = {} if thinking is None else {"thinking": thinking}
    heard = town.customer().hear(MESSAGES, stream=stream, max_tokens=4_000, **fields)
    blocks = [block for block in heard.object["content"] if block["type"] == "thinking"]
    assert [block["thinking"] for block in blocks] == shown
    assert all(block["signature"] for block in blocks)
    [call] = responses_only.calls
    assert call.json.get("reasoning", {}).get("summary") == ("auto" if shown == ["Hm, well."] else None)


@BOTH
def test_thinking_that_comes_back_goes_to_the_model_that_thought_it(town, responses_only, stream):
    customer = town.customer()
    thinking = {"thinking": {"type": "adaptive"}, "tools": [TOOL], "stream": stream}
    responses_only.then(answer([Thought(("Hm.",)), Called("look", "{}", "call_1")], stream))
    first = customer.hear(MESSAGES, **thinking).object["content"]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "A cat."}]}
    messages = [
        *HELLO[MESSAGES]["messages"],
        {"role": "assistant", "content": first},
        {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
    ]
    assert customer.hear(MESSAGES, messages=messages, **thinking).is_whole
    kinds = [item["type"] for item in responses_only.calls[-1].json["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output", "message"]
    heard = customer.hear(MESSAGES, messages=messages, model="gpt-5.4", **thinking)  # which cannot read it
    assert heard.is_whole
    assert "reasoning" not in [item["type"] for item in responses_only.calls[-1].json["input"]]


@BOTH
def test_refusal_stops_as_one(town, responses_only, stream):
    responses_only.then(answer([Refused()], stream))
    heard = town.customer().hear(MESSAGES, stream=stream)
    assert heard.object["stop_reason"] == "refusal"
    assert heard.text == "I can't help with that."


@BOTH
def test_answer_that_was_cut_off_says_so(town, responses_only, stream):
    responses_only.then(answer([Said()], stream, incomplete="max_output_tokens"))
    assert town.customer().hear(MESSAGES, stream=stream).object["stop_reason"] == "max_tokens"


@BOTH
def test_images_documents_and_failed_tools_are_said(town, responses_only, stream):
    png = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    content = [
        {"type": "image", "source": png},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        },
        {"type": "text", "text": "What is this?"},
    ]
    messages = [
        {"role": "user", "content": content},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"where": "x"}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": []}],
        },
    ]
    assert town.customer().hear(MESSAGES, stream=stream, messages=messages, tools=[TOOL]).is_whole
    first, call, result = responses_only.calls[0].json["input"]
    assert [part["type"] for part in first["content"]] == ["input_image", "input_file", "input_text"]
    assert first["content"][0]["image_url"] == "data:image/png;base64,iVBORw0KGgo="
    assert json.loads(call["arguments"]) == {"where": "x"}
    assert result["output"]


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("mcp_servers", {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]}),
        ("tools", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("max_tokens", {"max_tokens": 0}),
    ],
)
def test_what_gpt_cannot_do_is_refused_by_name_and_nothing_is_held(town, responses_only, word, fields):
    customer = town.customer()
    heard = customer.hear(MESSAGES, **fields)
    assert (heard.status, heard.error["type"]) == (400, "invalid_request_error")
    assert word in heard.error["message"]
    assert (customer.row["outcome"], customer.transfers(heard.id)) == ("refused", [])


def test_schema_of_the_answer_is_passed_on(town, responses_only):
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert town.customer().hear(MESSAGES, output_config=form).is_whole
    assert responses_only.calls[0].json["text"]["format"]["schema"] == schema


def test_onto_chat_it_is_said_in_chat(town, chat_only):
    fields = {name: value for name, value in CLAUDE_CODE.items() if name != "tools"}
    assert town.customer().hear(MESSAGES, stream=True, **fields).is_whole
    body = chat_only.calls[0].json
    assert [message["role"] for message in body["messages"]] == ["system", "user", "developer"]
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("xhigh", 32_000)
    assert body["stream_options"] == {"include_usage": True}


# ---- passed on to Anthropic ------------------------------------------------------------------------------


@BOTH
def test_request_for_claude_goes_on_as_it_is_but_for_its_user(town, messages_only, stream):
    headers = {"anthropic-beta": "context-management-2025-06-27", "anthropic-version": "2024-01-01"}
    fields = {**CLAUDE_CODE, "output_config": {"effort": "high"}, "messages": CLAUDE_CODE["messages"][:1]}
    heard = town.customer().hear(MESSAGES, headers=headers, model=CLAUDE, stream=stream, **fields)
    assert heard.is_whole
    [call] = messages_only.calls
    assert (call.path, call.headers["x-api-key"]) == ("/v1/messages", messages_only.api_key)
    assert "authorization" not in call.headers
    assert {name: call.headers[name] for name in headers} == headers
    sent = call.json
    assert list(sent["metadata"]) == ["user_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", sent["metadata"]["user_id"])
    assert sent == {"model": CLAUDE, "stream": stream, **fields, "metadata": sent["metadata"]}
    assert "x-runapi-dropped" not in heard.headers


def test_request_that_names_no_version_is_given_one(town, messages_only):
    town.customer().hear(MESSAGES, model=CLAUDE)
    [call] = messages_only.calls
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in call.headers


@BOTH
def test_claude_s_thinking_and_unknown_blocks_come_through(town, messages_only, stream):
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    thought = anthropic_replies.Thought()
    messages_only.then(make([thought, anthropic_replies.Said()]))
    heard = town.customer().hear(MESSAGES, model=CLAUDE, stream=stream)
    assert heard.object["content"][0] == {
        "type": "thinking",
        "thinking": "Let me see.",
        "signature": thought.signature,
    }


def test_what_makes_claude_dearer_is_left_out_and_said(town, messages_only):
    heard = town.customer().hear(MESSAGES, model=CLAUDE, speed="fast", inference_geo="us")
    assert heard.headers["x-runapi-dropped"] == "inference_geo, speed"
    assert not messages_only.calls[0].json.keys() & {"speed", "inference_geo"}


def test_search_of_anthropic_s_is_not_sold(town, messages_only):
    customer = town.customer()
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    heard = customer.hear(MESSAGES, model=CLAUDE, tools=[search])
    assert heard.status == 400
    assert "web_search_20250305" in heard.error["message"]
    assert messages_only.calls == []
    assert customer.transfers(heard.id) == []


def test_search_of_anthropic_s_that_the_operator_bears_goes_on(hasty_town, hasty_messages):
    hasty_messages.strict = False
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    assert hasty_town.customer().hear(MESSAGES, model=CLAUDE, tools=[search]).is_whole
    assert hasty_messages.calls[0].json["tools"] == [search]


@BOTH
def test_stop_sequence_that_claude_found_is_told(town, messages_only, stream):
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    messages_only.then(make(stop_reason="stop_sequence", stop_sequence="END"))
    heard = town.customer().hear(MESSAGES, model=CLAUDE, stream=stream, stop_sequences=["END"])
    assert (heard.object["stop_reason"], heard.object["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("path", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_other_clients_reach_claude_with_his_limits(town, messages_only, path):
    cap = {CHAT: "max_completion_tokens", RESPONSES: "max_output_tokens"}[path]
    customer = town.customer()
    assert customer.hear(path, model=CLAUDE, **{cap: 300}).is_whole
    assert customer.hear(path, model=CLAUDE).is_whole
    assert [call.json["max_tokens"] for call in messages_only.calls] == [300, 64_000]


def test_what_claude_cannot_do_is_refused_by_name(town, messages_only):
    customer = town.customer()
    heard = customer.hear(CHAT, model=CLAUDE, response_format={"type": "json_object"})
    assert (heard.status, heard.error["param"]) == (400, "response_format")
    assert (customer.row["outcome"], customer.transfers(heard.id)) == ("refused", [])
