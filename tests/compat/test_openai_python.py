"""The real openai SDK for Python, unmodified, before the real server."""

import json

import openai
import pytest

from compat.steered import PLAIN_MODEL, TOOL_MODEL, prompt_for_call, prompt_for_text
from compat.turns import HELLO, MULTIPLY, City
from fakes.specification import check_chunk, check_error, check_model, check_reply

SAY_HELLO = [{"role": "user", "content": prompt_for_text(HELLO)}]
PLEASE_MULTIPLY = {"role": "user", "content": prompt_for_call("multiply", {"a": 6, "b": 7})}
TOOL = {"type": "function", "function": MULTIPLY}


@pytest.fixture
def client(backend):
    with openai.OpenAI(base_url=backend.base_url, api_key=backend.key, max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture
def sandbox(gateway):
    with openai.OpenAI(
        base_url=gateway.base_url, api_key=gateway.test_key, max_retries=0, timeout=30
    ) as made:
        yield made


def steered(directive):
    return [{"role": "user", "content": f"[[sandbox:{directive}]]"}]


def run(call):
    """Run the tool that the model asked for and return the message with its result."""
    assert call.function.name == "multiply"
    numbers = json.loads(call.function.arguments)
    return {"role": "tool", "tool_call_id": call.id, "content": str(numbers["a"] * numbers["b"])}


def assert_charged(usage):
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.model_extra["cost"] > 0


def test_a_plain_turn(client):
    reply = client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO)
    assert reply.choices[0].message.content == HELLO
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == PLAIN_MODEL
    assert reply._request_id
    assert_charged(reply.usage)
    check_reply(reply.to_dict())


def test_the_products_seed_request(client):
    """Sampling and max_tokens, which OpenAI refuses at this model's default effort."""
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-5.5", messages=SAY_HELLO, temperature=0.3, max_tokens=1024
    )
    assert answer.parse().choices[0].message.content == HELLO
    assert "temperature" in answer.headers["x-runapi-dropped"]


def test_a_streamed_turn(client):
    chunks = list(client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HELLO
    assert {chunk.model for chunk in chunks} == {PLAIN_MODEL}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert_charged(chunks[-1].usage)
    for chunk in chunks:
        check_chunk(chunk.to_dict())


def test_a_streamed_turn_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model=PLAIN_MODEL, messages=SAY_HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert_charged(chunks[-1].usage)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for chunk in chunks:
        check_chunk(chunk.to_dict())


def test_the_stream_helper(client):
    with client.chat.completions.stream(model=PLAIN_MODEL, messages=SAY_HELLO) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(texts) == HELLO
    assert final.choices[0].message.content == HELLO
    assert_charged(final.usage)


def test_the_parse_helper(client):
    words = prompt_for_text('{"name": "Bern", "inhabitants": 140000}')
    reply = client.chat.completions.parse(
        model=PLAIN_MODEL, messages=[{"role": "user", "content": words}], response_format=City
    )
    assert isinstance(reply.choices[0].message.parsed, City)


def test_a_turn_that_runs_a_tool(client):
    messages = [PLEASE_MULTIPLY]
    asked = client.chat.completions.create(model=TOOL_MODEL, messages=messages, tools=[TOOL])
    assert asked.choices[0].finish_reason == "tool_calls"
    check_reply(asked.to_dict())
    [call] = asked.choices[0].message.tool_calls
    messages += [asked.choices[0].message, run(call)]
    answered = client.chat.completions.create(model=TOOL_MODEL, messages=messages, tools=[TOOL])
    assert "42" in answered.choices[0].message.content
    assert answered.choices[0].finish_reason == "stop"


def test_a_streamed_turn_that_runs_a_tool(client):
    messages = [PLEASE_MULTIPLY]
    with client.chat.completions.stream(model=TOOL_MODEL, messages=messages, tools=[TOOL]) as stream:
        asked = stream.get_final_completion()
    [call] = asked.choices[0].message.tool_calls
    messages += [asked.choices[0].message, run(call)]
    with client.chat.completions.stream(model=TOOL_MODEL, messages=messages, tools=[TOOL]) as stream:
        answered = stream.get_final_completion()
    assert "42" in answered.choices[0].message.content


async def test_the_async_client(backend):
    async with openai.AsyncOpenAI(base_url=backend.base_url, api_key=backend.key, timeout=30) as client:
        reply = await client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO)
        assert reply.choices[0].message.content == HELLO
        stream = await client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == HELLO


def test_the_models(sandbox):
    listed = {model.id: model for model in sandbox.models.list()}
    assert {"gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.3-codex", "gpt-5.2"} <= set(listed)
    assert sandbox.models.retrieve("gpt-5.4-mini") == listed["gpt-5.4-mini"]
    for model in listed.values():
        check_model(model.to_dict())


def test_a_key_that_is_none(gateway):
    client = openai.OpenAI(base_url=gateway.base_url, api_key="sk-made-up", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO)
    assert refused.value.code == "invalid_api_key"
    check_error({"error": refused.value.body})
    assert refused.value.request_id


def test_a_model_that_is_none(sandbox):
    with pytest.raises(openai.NotFoundError) as refused:
        sandbox.chat.completions.create(model="gpt-nonesuch", messages=SAY_HELLO)
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        sandbox.models.retrieve("gpt-nonesuch")


@pytest.fixture
def client_without_v1(gateway):
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.test_key, max_retries=0) as made:
        yield made


def test_a_base_url_without_v1(client_without_v1):
    with pytest.raises(openai.NotFoundError, match="/v1"):
        client_without_v1.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO)


def test_no_messages(sandbox):
    with pytest.raises(openai.BadRequestError) as refused:
        sandbox.chat.completions.create(model=PLAIN_MODEL, messages=[])
    assert refused.value.param == "messages"


def test_a_rate_limit(sandbox):
    with pytest.raises(openai.RateLimitError) as refused:
        sandbox.chat.completions.create(model=PLAIN_MODEL, messages=steered("status 429 retry_after=5"))
    assert refused.value.response.headers["retry-after"] == "5"
    check_error({"error": refused.value.body})


@pytest.mark.parametrize("status", [500, 503])
def test_an_upstream_in_trouble(sandbox, status):
    with pytest.raises(openai.InternalServerError) as refused:
        sandbox.chat.completions.create(model=PLAIN_MODEL, messages=steered(f"status {status}"))
    assert refused.value.status_code == status


def test_a_cut_stream_is_not_taken_for_a_whole_answer(sandbox):
    stream = sandbox.chat.completions.create(model=PLAIN_MODEL, messages=steered("cut_after 2"), stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_an_effort_that_is_none(sandbox):
    with pytest.raises(openai.BadRequestError) as refused:
        sandbox.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO, reasoning_effort="enormous")
    assert refused.value.param == "reasoning_effort"


def test_the_upstreams_own_refusal_reaches_the_client(gateway, upstream):
    """A field that the gateway does not know goes on to the upstream, and its answer comes back."""
    upstream.strict = True
    client = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.live_key(), max_retries=0)
    with client, pytest.raises(openai.BadRequestError, match="nonsense"):
        client.chat.completions.create(model=PLAIN_MODEL, messages=SAY_HELLO, extra_body={"nonsense": 1})
