"""Answers that were free, or cost less than they should, because of how they were asked for."""

import pytest

from dialects.town import CLAUDE, MESSAGES
from fakes import anthropic_replies, steps

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
LABELS = [f"label {number}" for number in range(64)]
EMBEDDED = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
}
COMPLETED = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"text": "a", "index": 0, "logprobs": None, "finish_reason": "stop"}],
}


@BOTH
def test_stop_sequence_that_answers_a_question_is_charged(raided, rogue, stream):
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    usage = anthropic_replies.usage(1_000, 3)
    rogue.then(make([], usage=usage, stop_reason="stop_sequence", stop_sequence=LABELS[7]))
    customer = raided.customer()
    heard = customer.hear(MESSAGES, model=CLAUDE, stop_sequences=LABELS, stream=stream)
    assert heard.is_whole
    assert heard.object["stop_sequence"] == LABELS[7]
    assert customer.spent_nano == heard.cost_nano == 1_000 * 2_400 + 3 * 12_000


@BOTH
def test_message_that_says_nothing_at_all_is_free_as_before(raided, rogue, stream):
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    rogue.then(make([], usage=anthropic_replies.usage(1_000, 3)))
    customer = raided.customer()
    assert customer.hear(MESSAGES, model=CLAUDE, stream=stream).is_whole
    assert customer.spent_nano == 0


def test_many_texts_in_one_request_are_charged_like_many_requests(raided, rogue):
    texts = ["word " * 7_000] * 20  # the model takes 8,192 tokens of each
    rogue.then(steps.json({**EMBEDDED, "usage": {"prompt_tokens": 140_000, "total_tokens": 140_000}}))
    customer = raided.customer()
    asked = {"model": "text-embedding-3-small", "input": texts}
    assert customer.hear("/v1/embeddings", asked).status == 200
    assert customer.spent_nano == 140_000 * 20


def test_many_lists_of_tokens_are_charged_like_many_requests(raided, rogue):
    rogue.then(steps.json({**EMBEDDED, "usage": {"prompt_tokens": 40_000, "total_tokens": 40_000}}))
    customer = raided.customer()
    asked = {"model": "text-embedding-3-small", "input": [[1] * 8_000] * 5}
    assert customer.hear("/v1/embeddings", asked).status == 200
    assert customer.spent_nano == 40_000 * 20


def test_many_prompts_in_one_request_are_charged_like_many_requests(raided, rogue):
    usage = {"prompt_tokens": 30_000, "completion_tokens": 20, "total_tokens": 30_020}
    rogue.then(steps.json({**COMPLETED, "usage": usage}))
    customer = raided.customer()
    asked = {"model": "gpt-3.5-turbo-instruct", "prompt": ["word " * 3_000] * 10, "max_tokens": 2}
    assert customer.hear("/v1/completions", asked).status == 200
    assert customer.spent_nano == 30_000 * 750 + 20 * 1_000


def test_one_text_is_held_for_no_more_than_the_model_takes(raided, rogue):
    poor = raided.customer(8_192 * 20)
    asked = {"model": "text-embedding-3-small", "input": "word " * 7_000}
    rogue.then(steps.json({**EMBEDDED, "usage": {"prompt_tokens": 7_000, "total_tokens": 7_000}}))
    assert poor.hear("/v1/embeddings", asked).status == 200
    assert poor.hear("/v1/embeddings", {**asked, "input": [asked["input"]] * 2}).status == 402
