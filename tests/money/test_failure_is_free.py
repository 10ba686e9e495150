"""What goes wrong costs nothing: balance and what is set aside are as before when the client hears of it."""

import pytest

from fakes import replies
from faults.kinds import BREAKS, EITHER_WAY, ROLE, UNSTARTED, WHOLE, WORD, Break, Fault, names, streamed
from money.shop import BOTH, COST_NANO, RICH_NANO, Customer, Shop

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
UNTOUCHED = (RICH_NANO, 0)
EMPTY = [
    ("text", replies.plain_reply(""), replies.stream_reply([])),
    ("texts", replies.plain_reply(""), replies.stream_reply(["", ""])),
    (
        "nothing at all",
        replies.plain_reply(None),
        streamed(*[replies.chunk({}, finish_reason="stop")], "[DONE]"),
    ),
]


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


@pytest.mark.parametrize("fault", [*EITHER_WAY, *WHOLE], ids=names([*EITHER_WAY, *WHOLE]))
def test_whole_answer_that_fails(customer, upstream, fault: Fault):
    upstream.then(*[fault.script] * fault.calls)
    failed = customer.ask()
    assert failed.status == fault.status
    assert customer.balance == UNTOUCHED
    assert [kind for kind, _ in customer.transfers(failed.id)] == ["hold", "void"]


@pytest.mark.parametrize("fault", [*EITHER_WAY, *UNSTARTED], ids=names([*EITHER_WAY, *UNSTARTED]))
def test_stream_that_fails_before_its_content(customer, upstream, fault: Fault):
    upstream.then(*[fault.script] * fault.calls)
    failed = customer.ask(stream=True)
    assert not failed.is_whole
    assert customer.balance == UNTOUCHED
    assert [kind for kind, _ in customer.transfers(failed.id)] == ["hold", "void"]


@pytest.mark.parametrize("fault", BREAKS, ids=names(BREAKS))
def test_stream_that_breaks_in_its_content(customer, upstream, fault: Break):
    upstream.then(streamed(ROLE, WORD, end=fault.end))
    failed = customer.ask(stream=True)
    assert failed.last_error["code"] == fault.code
    assert customer.balance == UNTOUCHED
    assert [kind for kind, _ in customer.transfers(failed.id)] == ["hold", "void"]


@BOTH
@pytest.mark.parametrize("empty", EMPTY, ids=[name for name, _, _ in EMPTY])
def test_empty_answer(customer, upstream, empty, stream):
    upstream.then(empty[2] if stream else empty[1])
    answer = customer.ask(stream=stream)
    assert answer.is_whole
    assert str(answer.cost) == "0"
    assert customer.balance == UNTOUCHED
    [row] = customer.rows
    assert (row["outcome"], row["cost_nano"]) == ("completed", "0")


@BOTH
def test_refusal_by_the_model_s_maker(customer, upstream, stream):
    upstream.then(
        replies.error(400, "Too long.", type="invalid_request_error", code="context_length_exceeded")
    )
    assert customer.ask(stream=stream).error["code"] == "context_length_exceeded"
    assert customer.balance == UNTOUCHED


@BOTH
def test_model_that_nobody_serves(customer, stream):
    assert customer.ask(stream=stream).error["code"] == "no_upstream"
    assert customer.balance == UNTOUCHED


@BOTH
def test_failed_attempt_before_a_good_one_costs_nothing(customer, upstream, shop, stream):
    shop.serve(upstream, "another")
    try:
        upstream.then(replies.error(500))
        assert customer.ask(stream=stream).is_whole
    finally:
        shop.command("upstreams.remove", name="another")
    assert customer.balance == (RICH_NANO - COST_NANO, 0)
    assert len(upstream.calls) == 2


def test_sandbox_that_fails(shop):
    customer = shop.customer(mode="test")
    for text in ("[[sandbox:status 500]]", "[[sandbox:cut_after 2]]", "[[sandbox:status 429 retry_after=5]]"):
        for stream in (False, True):
            asked = [{"role": "user", "content": text}]
            assert not customer.ask(messages=asked, stream=stream).is_whole
            assert customer.balance == UNTOUCHED
    assert customer.ask(messages=[{"role": "user", "content": "Hi"}]).is_whole
    assert customer.balance < UNTOUCHED
