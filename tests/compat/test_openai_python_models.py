"""The real openai SDK for Python with every model, on Chat Completions and on Responses, over an upstream of Responses alone."""

import json

import openai
import pytest

from compat.shown import SIX, Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import BERN, CITY, HELLO, MULTIPLY, City
from fakes.specification import check_chunk, check_reply, check_response, check_response_event

SEALED = ["reasoning.encrypted_content"]
each_model = pytest.mark.parametrize("model", SIX)


@pytest.fixture
def client(responses_only):
    made = openai.OpenAI(
        base_url=responses_only.base_url, api_key=responses_only.key, max_retries=0, timeout=30
    )
    with made:
        yield made


def user(words):
    return [{"role": "user", "content": words}]


def run(arguments):
    numbers = json.loads(arguments)
    return str(numbers["a"] * numbers["b"])


def shown(protocol, *features):
    return shows(Client.OPENAI_PYTHON, protocol, SIX, *features)


# ---- Chat Completions ------------------------------------------------------------------------------------


@shown(Protocol.CHAT, Feature.PLAIN)
@each_model
def test_a_completion(client, model):
    reply = client.chat.completions.create(model=model, messages=user(prompt_for_text(HELLO)))
    assert reply.choices[0].message.content == HELLO
    assert reply.model == model
    assert reply.usage.model_extra["cost"] > 0
    check_reply(reply.to_dict())


@shown(Protocol.CHAT, Feature.STREAM)
@each_model
def test_the_chat_stream_helper(client, model):
    asked = {"model": model, "messages": user(prompt_for_text(HELLO))}
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    pieces = [event.delta for event in events if event.type == "content.delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == final.choices[0].message.content == HELLO
    assert final.usage.model_extra["cost"] > 0
    for event in events:
        if event.type == "chunk":
            check_chunk(event.chunk.to_dict())


@shown(Protocol.CHAT, Feature.TOOL, Feature.REASONING)
@each_model
def test_a_chat_turn_that_runs_a_tool(client, responses_only, model):
    """With reasoning: what OpenAI refuses on Chat for most of these models."""
    messages = user(prompt_for_call("multiply", {"a": 6, "b": 7}))
    asked = {
        "model": model,
        "tools": [{"type": "function", "function": MULTIPLY}],
        "reasoning_effort": "high",
    }
    called = client.chat.completions.create(messages=messages, **asked).choices[0]
    assert called.finish_reason == "tool_calls"
    [call] = called.message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": run(call.function.arguments)}
    with client.chat.completions.stream(messages=[*messages, called.message, result], **asked) as stream:
        answered = stream.get_final_completion()
    assert "42" in answered.choices[0].message.content
    assert_reasoned(responses_only, model, "high")


@shown(Protocol.CHAT, Feature.STRUCTURED)
@each_model
def test_the_chat_parse_helper(client, model):
    reply = client.chat.completions.parse(
        model=model, messages=user(prompt_for_text(CITY)), response_format=City
    )
    assert reply.choices[0].message.parsed == BERN


# ---- Responses -------------------------------------------------------------------------------------------


@shown(Protocol.RESPONSES, Feature.PLAIN)
@each_model
def test_a_response(client, model):
    reply = client.responses.create(model=model, input=prompt_for_text(HELLO))
    assert reply.output_text == HELLO
    assert reply.model == model
    assert reply.usage.model_extra["cost"] > 0
    check_response(reply.to_dict())


@shown(Protocol.RESPONSES, Feature.STREAM)
@each_model
def test_the_responses_stream_helper(client, model):
    with client.responses.stream(model=model, input=prompt_for_text(HELLO)) as stream:
        events = list(stream)
        final = stream.get_final_response()
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == final.output_text == HELLO
    assert final.usage.model_extra["cost"] > 0


@each_model
def test_the_events_of_a_streamed_response(client, model):
    events = list(client.responses.create(model=model, input=prompt_for_text(HELLO), stream=True))
    for event in events:
        check_response_event(event.to_dict())
    assert [event.sequence_number for event in events] == list(range(len(events)))


@shown(Protocol.RESPONSES, Feature.TOOL, Feature.REASONING)
@each_model
def test_a_response_that_runs_a_tool(client, responses_only, model):
    """The history is sent again by the client, sealed thoughts included."""
    told = user(prompt_for_call("multiply", {"a": 6, "b": 7}))
    asked = {"model": model, "tools": [{"type": "function", "strict": True, **MULTIPLY}], "store": False}
    asked |= {"reasoning": {"effort": "high"}, "include": SEALED}
    first = client.responses.create(input=told, **asked)
    [call] = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": run(call.arguments)}
    answered = client.responses.create(input=[*told, *first.output, result], **asked)
    assert "42" in answered.output_text
    assert_reasoned(responses_only, model, "high")


@each_model
def test_a_response_that_follows_from_the_one_before(client, responses_only, model):
    """What the upstream does not keep, the gateway does: the client sends the tool's result alone."""
    asked = {"model": model, "tools": [{"type": "function", "strict": True, **MULTIPLY}]}
    asked |= {"reasoning": {"effort": "high"}}
    first = client.responses.create(input=prompt_for_call("multiply", {"a": 6, "b": 7}), **asked)
    [call] = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": run(call.arguments)}
    answered = client.responses.create(input=[result], previous_response_id=first.id, **asked)
    assert "42" in answered.output_text
    assert_reasoned(responses_only, model, "high")
    assert client.responses.retrieve(answered.id).output_text == answered.output_text
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


@shown(Protocol.RESPONSES, Feature.STRUCTURED)
@each_model
def test_the_responses_parse_helper(client, model):
    reply = client.responses.parse(model=model, input=prompt_for_text(CITY), text_format=City)
    assert reply.output_parsed == BERN
