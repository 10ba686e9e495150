"""The sandbox takes no more than the model would, and finds that out before it has read all of it."""

import json

import pytest

from fakes import specification
from fakes.sandbox_calls import refusal_of, reply_of
from runapi.upstream.sandbox import context, embeddings
from runapi.upstream.sandbox.routes import plan

LIMITS = {"gpt-5.5": 1_000}
LONG = "word " * 1_200
VERY_LONG = "word " * 20_000
CHAT, RESPONSES, COMPLETIONS = "/chat/completions", "/responses", "/completions"


def body_of(path: str, said: str | list) -> dict:
    match path:
        case "/chat/completions":
            return {"model": "gpt-5.5", "messages": [{"role": "user", "content": said}]}
        case "/responses":
            return {"model": "gpt-5.5", "input": said}
        case _:
            return {"model": "gpt-5.5", "prompt": said}


def asked(path: str, said: str | list, **fields: object):
    body = json.dumps({**body_of(path, said), **fields}).encode()
    return plan(path, body, "req_1", 1, limits=LIMITS)


@pytest.mark.parametrize("said", [LONG, VERY_LONG], ids=["long", "very long"])
@pytest.mark.parametrize(
    ("path", "param", "words"),
    [
        (CHAT, "messages", "This model's maximum context length is 1000 tokens. However, your messages resulted in "),
        (RESPONSES, "input", "Your input exceeds the context window of this model. Please adjust your input and try again."),
        (COMPLETIONS, None, "This model's maximum context length is 1000 tokens, however you requested "),
    ],
)  # fmt: skip
def test_more_than_the_model_takes_is_refused_in_openai_s_words(path, param, words, said):
    error = refusal_of(asked(path, said), 400)
    assert error["message"].startswith(words)
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        param,
        "context_length_exceeded",
    )


@pytest.mark.parametrize("path", [CHAT, RESPONSES, COMPLETIONS])
def test_exactly_as_much_as_the_model_takes_is_answered(path):
    usage = reply_of(asked(path, "word " * 900))["usage"]
    left = 1_000 - usage.get("prompt_tokens", usage.get("input_tokens"))
    full = "word " * (900 + left)
    assert asked(path, full).status == 200
    assert asked(path, full + "word ").status == 400


def test_other_models_take_any_number():
    body = json.dumps({**body_of(CHAT, VERY_LONG), "model": "gpt-5.4"}).encode()
    assert plan(CHAT, body, "req_1", 1, limits=LIMITS).status == 200


def test_each_prompt_of_many_has_the_whole_context():
    prompts = ["word " * 900] * 5
    assert asked(COMPLETIONS, prompts, max_tokens=1).status == 200
    assert asked(COMPLETIONS, [*prompts, VERY_LONG], max_tokens=1).status == 400


def test_bytes_of_an_image_are_no_words():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 20_000}}
    body = json.dumps(body_of(CHAT, [{"type": "text", "text": "What is this?"}, image])).encode()
    assert len(body) > 8 * LIMITS["gpt-5.5"]
    assert context.check_body(body, LIMITS) is None


def test_one_text_after_another_adds_up():
    messages = [{"role": "user", "content": "word " * 500} for _ in range(40)]
    body = json.dumps({"model": "gpt-5.5", "messages": messages}).encode()
    assert context.check_body(body, LIMITS) == 1_000
    assert context.check_body(body, {"gpt-5.5": 100_000}) is None


def test_text_that_is_too_long_to_embed_is_refused():
    body = json.dumps({"model": "text-embedding-3-small", "input": "word " * 100_000}).encode()
    error = refusal_of(embeddings.plan(body, "req_1", 1), 400)
    assert "maximum context length is 8192 tokens, but this has more than 8192 tokens" in error["message"]
    specification.check_error({"error": error})
