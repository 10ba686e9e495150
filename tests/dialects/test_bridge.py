"""Chat clients at an upstream that speaks Responses: which requests go there, and what of them and their answers."""

import pytest

from dialects.cases import BOTH, answer
from dialects.town import CHAT, RESPONSES
from fakes.responses_replies import Raw

FUNCTION = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look somewhere.",
        "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"where":"there"}'}}


def asked_of(upstream):
    """The path and the body of the one request."""
    [call] = upstream.calls
    return call.path, call.json


def choice_of(heard):
    return heard.object["choices"][0]


# ---- where a request goes --------------------------------------------------------------------------------


@BOTH
def test_codex_is_asked_on_responses(town, openai, stream):
    heard = town.customer().hear(CHAT, model="gpt-5.3-codex", stream=stream)
    path, body = asked_of(openai)
    assert path == RESPONSES
    assert body["input"] == [{"type": "message", "role": "user", "content": "Say hello."}]
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    assert heard.object["model"] == "gpt-5.3-codex"
    assert heard.object["id"] == f"chatcmpl-{heard.id.removeprefix('req_')}"
    assert choice_of(heard)["finish_reason"] == "stop"


@BOTH
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": "gpt-5.5"}, CHAT),
        ({"model": "gpt-5.5", "tools": []}, CHAT),
        ({"model": "gpt-5.5", "tools": [FUNCTION]}, RESPONSES),
        ({"model": "gpt-5.5", "tools": [FUNCTION], "reasoning_effort": "none"}, CHAT),
        (
            {
                "model": "gpt-5.5",
                "functions": [FUNCTION["function"]],
                "messages": [{"role": "user", "content": "Hi"}],
            },
            RESPONSES,
        ),
        ({"model": "gpt-5.5", "tools": [{"type": "custom", "custom": {"name": "write"}}]}, CHAT),
        ({"model": "gpt-5.4", "tools": [FUNCTION]}, CHAT),
        ({"model": "gpt-5.4", "tools": [FUNCTION], "reasoning_effort": "low"}, RESPONSES),
        ({"model": "gpt-5.4-mini", "tools": [FUNCTION], "reasoning_effort": "minimal"}, RESPONSES),
        ({"model": "gpt-5.2", "tools": [FUNCTION], "reasoning_effort": "high"}, CHAT),
        ({"model": "gpt-5.3-codex", "tools": [FUNCTION], "reasoning_effort": "none"}, RESPONSES),
    ],
)
def test_model_effort_and_tools_decide_where_a_request_goes(town, openai, fields, path, stream):
    customer = town.customer()
    assert customer.hear(CHAT, stream=stream, **fields).is_whole
    asked, body = asked_of(openai)
    assert asked == path
    if fields["model"] == "gpt-5.3-codex":
        assert body["reasoning"] == {"effort": "low"}  # it always thinks
    assert customer.row["upstream_model"] == fields["model"]


# ---- what a request says ---------------------------------------------------------------------------------


@BOTH
def test_turn_with_a_tool_s_result_is_said_again(town, responses_only, stream):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look there."}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
        {"role": "developer", "content": "Now answer."},
    ]
    choice = {"type": "function", "function": {"name": "look"}}
    town.customer().hear(CHAT, messages=messages, tools=[FUNCTION], tool_choice=choice, stream=stream)
    _, body = asked_of(responses_only)
    assert body["input"] == [
        {"type": "message", "role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look there."}]},
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"where":"there"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "A cat."},
        {"type": "message", "role": "developer", "content": "Now answer."},
    ]
    assert body["tools"] == [{"type": "function", **FUNCTION["function"], "strict": False}]
    assert body["tool_choice"] == {"type": "function", "name": "look"}


def test_parameters_are_said_in_responses_words(town, responses_only):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    heard = town.customer().hear(
        CHAT,
        response_format=form,
        verbosity="low",
        reasoning_effort="xhigh",
        metadata={"order": "7"},
        max_completion_tokens=300,
        service_tier="priority",
        safety_identifier="u-1",
        store=True,
        seed=7,
        presence_penalty=0,
        max_cost=1,
    )
    assert heard.is_whole
    _, body = asked_of(responses_only)
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": True},
        "verbosity": "low",
    }
    assert body["reasoning"] == {"effort": "xhigh"}
    assert (body["metadata"], body["max_output_tokens"]) == ({"order": "7"}, 300)
    assert (body["service_tier"], body["store"]) == ("priority", False)
    assert body["safety_identifier"] not in (None, "u-1")  # another one for each account
    assert not body.keys() & {"seed", "presence_penalty", "max_cost", "response_format", "messages"}


def test_small_caps_are_raised_to_what_responses_takes_and_paid_for(town, responses_only):
    customer = town.customer()
    asked = customer.hear(CHAT, max_completion_tokens=1)
    assert asked.is_whole
    _, body = asked_of(responses_only)
    assert body["max_output_tokens"] == 16
    held = dict(customer.transfers(asked.id))["hold"]
    assert held >= 16 * 15_000


def test_logprobs_come_through_where_the_model_has_them(town, responses_only):
    token = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []}
    part = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": [token]}
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    responses_only.then(answer([Raw(item)], stream=False))
    heard = town.customer().hear(CHAT, model="gpt-5.4", logprobs=True, top_logprobs=2)
    _, body = asked_of(responses_only)
    assert "message.output_text.logprobs" in body["include"]
    assert body["top_logprobs"] == 2
    assert choice_of(heard)["logprobs"]["content"] == [token]


def test_logprobs_are_left_out_where_the_model_thinks(town, responses_only):
    heard = town.customer().hear(CHAT, logprobs=True, top_logprobs=2, temperature=0.3)
    assert heard.headers["x-runapi-dropped"] == "temperature, logprobs, top_logprobs"
    _, body = asked_of(responses_only)
    assert not body.keys() & {"temperature", "top_logprobs"}


def test_strict_key_is_refused_what_the_model_refuses(town, responses_only):
    customer = town.customer(on_refused_parameter="strict")
    heard = customer.hear(CHAT, model="gpt-5.3-codex", temperature=0.3)
    assert (heard.status, heard.error["param"]) == (400, "temperature")
    assert responses_only.calls == []
    assert customer.spent_nano == 0


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("n", {"n": 2}),
        ("audio", {"audio": {"voice": "alloy", "format": "mp3"}, "modalities": ["text", "audio"]}),
        (
            "messages[0].content[0]",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
                        ],
                    }
                ]
            },
        ),
        ("frobnicate", {"frobnicate": 1}),
    ],
)
@BOTH
def test_what_responses_cannot_say_is_refused_by_name_and_nothing_is_held(
    town, responses_only, param, fields, stream
):
    customer = town.customer()
    heard = customer.hear(CHAT, model="gpt-5.3-codex", stream=stream, **fields)
    assert heard.status == 400
    assert heard.error["param"].startswith(param)
    assert responses_only.calls == []
    row = customer.row
    assert (row["outcome"], row["cost_nano"], row["status"]) == ("refused", "0", 400)
    assert customer.transfers(row["id"]) == []
