"""Answers that their own output limit ended before a word of them was said: thinking costs what any output does."""

import pytest

from dialects.cases import BOTH, PATHS, SERVERS, model_at
from dialects.town import CHAT, CLAUDE, MESSAGES, RATES, RESPONSES
from fakes import anthropic_replies, http, replies, responses_replies
from fakes.responses_writer import Thought
from runapi.core.check_receipt import check_receipt


def thought_only(server, stream, *, reason="cap", output=400):
    """What a server answers that has only thought."""
    match server:
        case "chat_only":
            usage = {"prompt_tokens": 19, "completion_tokens": output, "total_tokens": 19 + output}
            finish = {"cap": "length", "end": "stop", "filter": "content_filter"}[reason]
            if stream:
                return replies.stream_reply((), usage=usage, finish_reason=finish)
            return replies.plain_reply(None, usage=usage, finish_reason=finish)
        case "responses_only":
            why = {"cap": "max_output_tokens", "end": None, "filter": "content_filter"}[reason]
            make = responses_replies.stream_reply if stream else responses_replies.plain_reply
            return make(
                [Thought(())], usage=responses_replies.usage(19, output, reasoning=output), incomplete=why
            )
        case _:
            stop = {"cap": "max_tokens", "end": "end_turn", "filter": "refusal"}[reason]
            make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
            return make([], usage=anthropic_replies.usage(19, output), stop_reason=stop)


@PATHS
@SERVERS
@BOTH
def test_thinking_that_ends_at_the_output_limit_is_charged(town, upstream, server, path, stream):
    upstream.then(thought_only(server, stream))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=stream)
    assert (heard.is_whole, heard.text) == (True, "")
    price_in, price_out = RATES[model_at(server)]
    assert heard.cost_nano == customer.spent_nano == 19 * price_in + 400 * price_out
    row = customer.row
    assert (row["outcome"], row["status"], row["cost_nano"]) == ("completed", 200, str(heard.cost_nano))


@SERVERS
@BOTH
@pytest.mark.parametrize("reason", ["end", "filter"])
def test_thinking_that_ends_otherwise_and_says_nothing_is_free(town, upstream, server, stream, reason):
    for path in (CHAT, RESPONSES, MESSAGES):
        upstream.then(thought_only(server, stream, reason=reason))
        customer = town.customer()
        heard = customer.hear(path, model=model_at(server), stream=stream)
        assert heard.cost_nano == customer.spent_nano == 0


@SERVERS
@BOTH
def test_output_limit_without_any_output_costs_nothing(town, upstream, server, stream):
    upstream.then(thought_only(server, stream, output=0))
    customer = town.customer()
    heard = customer.hear("/v1/responses", model=model_at(server), stream=stream)
    assert heard.cost_nano == customer.spent_nano == 0


@BOTH
def test_charge_for_thinking_alone_has_a_receipt(town, responses_only, stream):
    responses_only.then(thought_only("responses_only", stream))
    customer = town.customer()
    heard = customer.hear("/v1/responses", stream=stream, max_output_tokens=4_000)
    got = http.request(town.gateway.url, "GET", f"/v1/requests/{heard.id}/receipt", key=customer.key)
    assert check_receipt(got.body).fault is None
    assert got.json["receipt"]["charged_nano"] == str(heard.cost_nano)


@BOTH
def test_context_that_is_full_before_a_word_is_charged_too(town, messages_only, stream):
    make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
    messages_only.then(make([], stop_reason="model_context_window_exceeded"))
    customer = town.customer()
    assert customer.hear("/v1/messages", model=CLAUDE, stream=stream).is_whole
    assert customer.spent_nano == 19 * 2_400 + 10 * 12_000
