"""POST /v1/responses: passed on as it is to who speaks it, and translated whole for who speaks Chat."""

import json

import pytest

from dialects.cases import BOTH, answer
from dialects.town import RESPONSES
from fakes import replies, responses_replies, specification, steps
from fakes.responses_replies import Called, Raw, Thought
from fakes.responses_stream import check_stream

FUNCTION = {
    "type": "function",
    "name": "look",
    "description": "Look.",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
SEARCH = {"type": "web_search", "search_context_size": "low"}
STRANGE = {"type": "compaction_trigger", "id": "ct_1", "weights": [1.0, 1e3], "note": "R\u00e9union \u2028"}


# ---- passed on -------------------------------------------------------------------------------------------


@BOTH
def test_request_goes_on_byte_for_byte_but_for_what_must_change(town, responses_only, stream):
    responses_only.strict = False
    fields = (
        b'"input": [{"role":"user","content":[{"type":"input_text","text":"Hi \\u00e9"}]}, {"type":"compaction_trigger",'
        b' "weights":[1.0,1e3] }], "tools":[{"type":"namespace","name":"x","description":"","tools":[{"type":"function","name":"f"}]},{"type":"custom","name":"apply"}]'
        b', "client_metadata":{"a": 1.50}, "frob": null'
    )
    body = b'{"model":"gpt-5.5","stream":%b,%b}' % (b"true" if stream else b"false", fields)
    heard = town.customer().hear(RESPONSES, body)
    assert heard.is_whole
    [call] = responses_only.calls
    for field in (
        b'"content":[{"type":"input_text","text":"Hi \\u00e9"}]}, {"type":"compaction_trigger", "weights":[1.0,1e3] }]',
        b'"tools":[{"type":"namespace","name":"x","description":"","tools":[{"type":"function","name":"f"}]},{"type":"custom","name":"apply"}]',
        b'"client_metadata":{"a": 1.50}',
        b'"frob":null',
    ):
        assert field in call.body
    assert (call.json["store"], call.json["include"]) == (False, ["reasoning.encrypted_content"])


@BOTH
def test_items_and_fields_that_nobody_knows_come_through(town, responses_only, stream):
    responses_only.then(answer([Raw(STRANGE), *responses_replies.HELLO], stream))
    town.judge = lambda _heard: None  # the specification does not know them either
    try:
        heard = town.customer().hear(RESPONSES, stream=stream)
    finally:
        del town.judge
    response = heard.events[-1]["response"] if stream else heard.json
    assert response["output"][0] == STRANGE
    assert json.dumps(STRANGE["note"], ensure_ascii=False).encode() in heard.body


def test_events_that_nobody_knows_come_through_in_their_place(town, responses_only):
    strange = {"type": "response.steer.delta", "sequence_number": 2, "delta": "x", "weights": [1.0]}

    def write(request):
        events = responses_replies.events_of(responses_replies.stream_reply(), request)
        events.insert(2, strange)
        numbered = [event | {"sequence_number": number} for number, event in enumerate(events)]
        return [
            steps.headers(200, steps.EVENT_STREAM),
            *(steps.body(responses_replies.event(event)) for event in numbered),
        ]

    responses_only.then([steps.answer(write)])
    town.judge = lambda _heard: None
    try:
        heard = town.customer().hear(RESPONSES, stream=True)
    finally:
        del town.judge
    assert heard.events[2] == strange
    assert [event["sequence_number"] for event in heard.events] == list(range(len(heard.events)))


def test_deltas_are_not_touched(town, responses_only):
    heard = town.customer().hear(RESPONSES, stream=True)
    deltas = [block for block in heard.body.split(b"\n\n") if b'"response.output_text.delta"' in block]
    assert len(deltas) == 2
    assert all(b'"obfuscation":"Xq3vB9"' in block for block in deltas)


@BOTH
def test_answer_names_our_model_and_repeats_what_was_asked(town, responses_only, stream):
    heard = town.customer().hear(
        RESPONSES,
        stream=stream,
        max_output_tokens=300,
        prompt_cache_key="thread-1",
        safety_identifier="u-1",
        metadata={"order": "7"},
        instructions="Be brief.",
    )
    told = heard.object
    assert (told["model"], told["store"], told["previous_response_id"]) == ("gpt-5.5", True, None)
    assert (told["max_output_tokens"], told["prompt_cache_key"], told["safety_identifier"]) == (
        300,
        "thread-1",
        "u-1",
    )
    assert (told["metadata"], told["instructions"]) == ({"order": "7"}, "Be brief.")


def test_answer_that_is_not_to_be_kept_says_so(town, responses_only):
    assert town.customer().hear(RESPONSES, store=False).json["store"] is False


def test_prompt_cache_is_shared_with_nobody_else(town, responses_only):
    first, second = town.customer(), town.customer()
    for customer in (first, first, second):
        customer.hear(RESPONSES, prompt_cache_key="thread-1")
    keys = [call.json["prompt_cache_key"] for call in responses_only.calls]
    assert keys[0] == keys[1] != keys[2]


@BOTH
def test_what_the_model_refuses_is_left_out_or_put_right(town, responses_only, stream):
    heard = town.customer().hear(
        RESPONSES, model="gpt-5.3-codex", stream=stream, temperature=0.3, reasoning={"effort": "none"}
    )
    assert heard.is_whole
    assert heard.headers["x-runapi-dropped"] == "temperature"
    [call] = responses_only.calls
    assert call.json["reasoning"] == {"effort": "low"}


@BOTH
def test_encrypted_reasoning_goes_out_and_comes_back_as_it_is(town, responses_only, stream):
    customer = town.customer()
    responses_only.then(answer([Thought(("Hm.",)), Called("look", "{}", "call_1")], stream))
    first = customer.hear(RESPONSES, stream=stream, store=False, tools=[FUNCTION]).object
    result = {"type": "function_call_output", "call_id": "call_1", "output": "A cat."}
    items = [{"role": "user", "content": "Look."}, *first["output"], result]
    assert customer.hear(RESPONSES, stream=stream, store=False, tools=[FUNCTION], input=items).is_whole
    assert responses_only.calls[-1].json["input"] == items


# ---- tools that cost by the call -------------------------------------------------------------------------


@BOTH
def test_search_that_is_not_sold_is_left_out_and_said(town, responses_only, stream):
    heard = town.customer().hear(RESPONSES, stream=stream, tools=[FUNCTION, SEARCH])
    assert heard.is_whole
    assert heard.headers["x-runapi-dropped"] == "tools"
    [call] = responses_only.calls
    assert [tool["type"] for tool in call.json["tools"]] == ["function"]


def test_search_alone_leaves_no_tools(town, responses_only):
    town.customer().hear(RESPONSES, tools=[SEARCH], tool_choice="auto", parallel_tool_calls=True)
    [call] = responses_only.calls
    assert not call.json.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_search_that_is_not_sold_is_left_out_of_a_translation_too(town, chat_only):
    heard = town.customer().hear(RESPONSES, tools=[SEARCH])
    assert heard.headers["x-runapi-dropped"] == "tools"
    assert "tools" not in chat_only.calls[0].json


def test_strict_key_is_told_that_a_search_is_not_sold(town, responses_only):
    customer = town.customer(on_refused_parameter="strict")
    heard = customer.hear(RESPONSES, tools=[SEARCH])
    assert (heard.status, heard.error["param"]) == (400, "tools")
    assert responses_only.calls == []


@BOTH
def test_search_that_the_operator_bears_goes_on(hasty_town, hasty_responses, stream):
    call = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    hasty_responses.then(answer([Raw(call), *responses_replies.HELLO], stream))
    heard = hasty_town.customer().hear(
        RESPONSES, stream=stream, tools=[SEARCH, {"type": "file_search", "vector_store_ids": ["v"]}]
    )
    assert heard.is_whole
    assert heard.headers["x-runapi-dropped"] == "tools"
    [asked] = hasty_responses.calls
    assert asked.json["tools"] == [SEARCH]
    response = heard.events[-1]["response"] if stream else heard.json
    assert response["output"][0] == call


@pytest.mark.parametrize(
    "choice",
    [{"type": "web_search"}, {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}],
)
def test_search_that_is_left_out_is_not_chosen_either(town, responses_only, choice):
    assert town.customer().hear(RESPONSES, tools=[FUNCTION, SEARCH], tool_choice=choice).is_whole
    assert "tool_choice" not in responses_only.calls[0].json


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_search_is_not_bought_from_inside_the_conversation(town, responses_only, kind):
    item = {"type": kind, "role": "developer", "call_id": "ts_1", "tools": [FUNCTION, SEARCH]}
    heard = town.customer().hear(RESPONSES, input=[{"role": "user", "content": "Hi"}, item])
    assert (heard.status, heard.error["param"]) == (400, "input[1].tools")
    assert responses_only.calls == []


# ---- translated ------------------------------------------------------------------------------------------


@BOTH
def test_object_over_chat_has_every_key_of_the_specification(town, chat_only, stream):
    heard = town.customer().hear(RESPONSES, stream=stream, instructions="Be brief.", metadata={"a": "b"})
    response = check_stream(heard.events) if stream else heard.json
    specification.check_response(response)
    schema = json.loads(specification._FILE.read_text())["components"]["schemas"]
    names = {
        name
        for part in ("ModelResponseProperties", "ResponseProperties")
        for name in schema[part]["properties"]
    }
    missing = (
        names
        - response.keys()
        - {"prompt", "conversation", "moderation", "prompt_cache_options", "output_text"}
    )
    assert not missing - {
        "safety_identifier",
        "prompt_cache_retention",
        "prompt_cache_key",
        "context_management",
    }, missing
    assert response["instructions"] == "Be brief."
    [call] = chat_only.calls
    assert call.json["messages"][0]["content"] == "Be brief."


@BOTH
def test_conversation_is_said_in_chat(town, chat_only, stream):
    chat_only.strict = False
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAx"},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "A cat."},
    ]
    form = {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": False}}
    town.customer().hear(RESPONSES, input=items, tools=[FUNCTION], text=form, stream=stream)
    [call] = chat_only.calls
    said = call.json["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool"]
    assert said[1]["tool_calls"][0]["id"] == "call_1"
    assert call.json["response_format"]["json_schema"]["name"] == "a"
    assert call.json["tools"][0]["function"]["name"] == "look"


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("tools", {"tools": [{"type": "tool_search", "execution": "client"}]}),
        ("background", {"background": True}),
        ("input[0]", {"input": [{"type": "computer_call", "id": "c", "call_id": "c", "action": {}}]}),
        ("conversation", {"conversation": "conv_1"}),
        ("prompt", {"prompt": {"id": "pmpt_1"}}),
        ("context_management", {"context_management": [{"type": "compaction", "compact_threshold": 1000}]}),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name_and_nothing_is_held(town, chat_only, param, fields):
    customer = town.customer()
    heard = customer.hear(RESPONSES, **fields)
    assert heard.status == 400, heard
    assert heard.error["param"].startswith(param)
    assert chat_only.calls == []
    assert (customer.row["outcome"], customer.transfers(heard.id)) == ("refused", [])


def test_tokens_that_chat_cut_off_are_an_incomplete_response(town, chat_only):
    chat_only.then(replies.stream_reply(("Once", " upon"), finish_reason="length"))
    response = check_stream(town.customer().hear(RESPONSES, stream=True).events)
    assert (response["status"], response["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
