"""Whole answers that are longer than we take: asked of nobody else, and no upstream's fault."""

import pytest

from dialects.town import CHAT, GPTS, RESPONSES
from fakes import replies, responses_replies, steps
from fakes.responses_writer import Said
from fakes.upstream import ScriptedUpstream

MIB = 1024 * 1024
PAST_16 = "a" * (17 * MIB)
WORDS = "gpt-5.2"  # reasons not at all where it is asked so, and then gives log probabilities


def too_long(mib):
    """A body that is longer than so many MiB."""
    length = (mib + 1) * MIB
    return [
        steps.headers(200, {"content-type": "application/json", "content-length": str(length)}),
        *[steps.body(b" " * MIB)] * (mib + 1),
    ]


@pytest.fixture
def another(raided):
    with ScriptedUpstream() as upstream:
        raided.serve_as(upstream, "another", [CHAT, RESPONSES], GPTS)
        yield upstream
        raided.command("upstreams.remove", name="another")


def test_answer_that_is_too_long_is_asked_of_nobody_else_and_is_nobody_s_fault(raided, rogue, another):
    for _ in range(5):  # more than it takes for an upstream to be left alone
        for upstream in (rogue, another):
            upstream.default = too_long(64)
        customer = raided.customer()
        before = len(rogue.calls) + len(another.calls)
        heard = customer.hear(CHAT, n=2)
        assert (heard.status, heard.error["code"]) == (400, "answer_too_long")
        assert customer.spent_nano == 0
        assert customer.row["upstream_error"] == "200 answer_too_long"
        assert len(rogue.calls) + len(another.calls) == before + 1
    for upstream in (rogue, another):
        upstream.default = replies.plain_reply()
    assert raided.customer().hear(CHAT).status == 200


@pytest.mark.parametrize(
    "more", [{"n": 2}, {"logprobs": True, "reasoning_effort": "none"}], ids=["n", "logprobs"]
)
def test_answer_that_says_more_than_its_text_may_be_longer(raided, rogue, more):
    rogue.then(replies.plain_reply(PAST_16))
    customer = raided.customer()
    heard = customer.hear(CHAT, model=WORDS, **more)
    assert heard.status == 200
    assert customer.spent_nano > 0
    rogue.then(too_long(64))
    assert raided.customer().hear(CHAT, model=WORDS, **more).error["code"] == "answer_too_long"


def test_answer_of_responses_with_log_probabilities_may_be_longer(raided, rogue):
    rogue.then(responses_replies.plain_reply([Said((PAST_16,))]))
    customer = raided.customer()
    heard = customer.hear(
        RESPONSES, model=WORDS, reasoning={"effort": "none"}, include=["message.output_text.logprobs"]
    )
    assert heard.status == 200
    assert customer.spent_nano > 0
