"""The real anthropic SDK for Python, unmodified: GPT models on Messages, over an upstream of Responses alone."""

import anthropic
import pytest

from compat.shown import SIX, Client, Feature, Protocol, shows
from compat.steered import assert_reasoned, prompt_for_call, prompt_for_text
from compat.turns import BERN, CITY, HELLO, NUMBERS, City

TOOL = {"name": "multiply", "description": "Multiply two numbers.", "input_schema": NUMBERS}
each_model = pytest.mark.parametrize("model", SIX)


@pytest.fixture
def client(responses_only):
    made = anthropic.Anthropic(
        base_url=responses_only.url, api_key=responses_only.key, max_retries=0, timeout=30
    )
    with made:
        yield made


@pytest.fixture
def sandbox(sandboxed):
    with anthropic.Anthropic(base_url=sandboxed.url, api_key=sandboxed.key, max_retries=0) as made:
        yield made


def shown(*features):
    return shows(Client.ANTHROPIC_PYTHON, Protocol.MESSAGES, SIX, *features)


def user(words):
    return [{"role": "user", "content": words}]


def run(block):
    assert block.name == "multiply"
    return {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": block.id,
                "content": str(block.input["a"] * block.input["b"]),
            }
        ],
    }


@shown(Feature.PLAIN)
@each_model
def test_a_message(client, model):
    reply = client.messages.create(model=model, max_tokens=1000, messages=user(prompt_for_text(HELLO)))
    assert [block.text for block in reply.content if block.type == "text"] == [HELLO]
    assert (reply.model, reply.stop_reason) == (model, "end_turn")
    assert reply.usage.input_tokens + reply.usage.cache_read_input_tokens == 1200
    assert reply.usage.cache_read_input_tokens == 128
    assert reply.usage.model_extra["cost"] > 0


@shown(Feature.STREAM)
@each_model
def test_the_stream_helper(client, model):
    asked = {"model": model, "max_tokens": 1000, "messages": user(prompt_for_text(HELLO))}
    with client.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1
    assert "".join(pieces) == HELLO
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@shown(Feature.TOOL, Feature.REASONING)
@each_model
def test_a_turn_that_runs_a_tool(client, responses_only, model):
    asked = {"model": model, "max_tokens": 20_000, "tools": [TOOL]}
    asked |= {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    messages = user(prompt_for_call("multiply", {"a": 6, "b": 7}))
    called = client.messages.create(messages=messages, **asked)
    assert called.stop_reason == "tool_use"
    [block] = [block for block in called.content if block.type == "tool_use"]
    messages += [{"role": "assistant", "content": called.content}, run(block)]
    with client.messages.stream(messages=messages, **asked) as stream:
        answered = stream.get_final_message()
    assert "42" in answered.content[-1].text
    assert_reasoned(responses_only, model, "high")


@shown(Feature.STRUCTURED)
@each_model
def test_the_parse_helper(client, model):
    asked = {"model": model, "max_tokens": 1000, "messages": user(prompt_for_text(CITY))}
    reply = client.messages.parse(**asked, output_format=City)
    assert reply.parsed_output == BERN


@each_model
def test_the_tool_runner(sandbox, model):
    """The SDK runs the tool by itself, and goes on until the model is done."""

    @anthropic.beta_tool
    def multiply(a: int, b: int) -> str:
        """Multiply two numbers."""
        return str(a * b)

    asked = {"model": model, "max_tokens": 1000, "tools": [multiply]}
    both = prompt_for_call("multiply", {"a": 6, "b": 7}, {"a": 8, "b": 9})
    runner = sandbox.beta.messages.tool_runner(**asked, messages=user(both))
    assert "72" in runner.until_done().content[-1].text


async def test_the_async_client(sandboxed):
    async with anthropic.AsyncAnthropic(base_url=sandboxed.url, auth_token=sandboxed.key) as client:
        asked = {"model": "gpt-5.5", "max_tokens": 1000, "messages": user(prompt_for_text(HELLO))}
        async with client.messages.stream(**asked) as stream:
            assert await stream.get_final_text() == HELLO


@each_model
def test_a_count_of_tokens_is_what_the_turn_costs(sandbox, model):
    asked = {"model": model, "messages": user(prompt_for_text(HELLO))}
    counted = sandbox.messages.count_tokens(**asked)
    assert counted.input_tokens == sandbox.messages.create(**asked, max_tokens=1000).usage.input_tokens


def test_the_models(sandbox):
    assert set(SIX) <= {model.id for model in sandbox.models.list()}
    assert sandbox.models.retrieve("gpt-5.4-mini").id == "gpt-5.4-mini"


def test_a_base_url_with_v1(sandboxed):
    """The SDK adds /v1 itself; who gives it too is understood."""
    with anthropic.Anthropic(base_url=sandboxed.base_url, api_key=sandboxed.key) as client:
        reply = client.messages.create(model="gpt-5.5", max_tokens=100, messages=user(prompt_for_text(HELLO)))
    assert reply.content[-1].text == HELLO


# ---- refusals --------------------------------------------------------------------------------------------


def test_a_key_that_is_none(sandboxed):
    with (
        anthropic.Anthropic(base_url=sandboxed.url, api_key="sk-made-up", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as refused,
    ):
        client.messages.create(model="gpt-5.5", max_tokens=100, messages=user("Hi"))
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert refused.value.request_id


def test_a_model_that_is_none(sandbox):
    with pytest.raises(anthropic.NotFoundError) as refused:
        sandbox.messages.create(model="gpt-nonesuch", max_tokens=100, messages=user("Hi"))
    assert refused.value.body["error"]["type"] == "not_found_error"


def test_no_messages(sandbox):
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        sandbox.messages.create(model="gpt-5.5", max_tokens=100, messages=[])


def test_a_rate_limit(sandbox):
    with pytest.raises(anthropic.RateLimitError) as refused:
        sandbox.messages.create(
            model="gpt-5.5", max_tokens=100, messages=user("[[sandbox:status 429 retry_after=5]]")
        )
    assert refused.value.response.headers["retry-after"] == "5"


def test_a_cut_stream_is_not_taken_for_a_whole_answer(sandbox):
    asked = {"model": "gpt-5.5", "max_tokens": 1000, "messages": user("[[sandbox:cut_after 5]]")}
    with pytest.raises(anthropic.APIError), sandbox.messages.stream(**asked) as stream:
        stream.get_final_message()


def test_a_thread_is_refused_so_that_the_sdk_goes_on_without_one(sandbox):
    """What is kept nowhere must not be continued: the tool runner then sends the whole conversation itself."""
    with pytest.raises(anthropic.BadRequestError) as refused:
        sandbox.beta.messages.create(
            model="gpt-5.5", max_tokens=100, messages=user("Hi"), thread={"type": "create"}
        )
    assert refused.value.body["error"]["details"]["error_code"] == "thread_unsupported_request"
