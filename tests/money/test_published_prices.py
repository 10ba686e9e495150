"""A request is charged by the prices that were published when it was admitted; what has no price is not served."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from fakes import replies, steps
from faults.kinds import FINISH, ROLE, USAGE, WORD, streamed
from money.shop import BOTH, RICH_NANO, Shop

pytestmark = pytest.mark.xdist_group("restarts")  # one server for all of them
MINI = "gpt-5.4-mini"
OFFICIAL = (750, 4_500)  # nano-dollars for a token of input and of output
HOUSE_MODEL = "house-model"
MODELS_FILE = f"""\
models:
  {HOUSE_MODEL}:
    owned_by: house
    released: 2026-10-01
    context_window: 200_000
    max_input_tokens: 168_000
    max_output_tokens: 32_000
    endpoints: [/v1/chat/completions]
    official:
      standard: {{input: 0.4, cached: 0.04, output: 1.6}}
    source: https://example.com/prices
  {MINI}:
    ours:
      standard: {{input: 0, cached: 0, output: 0}}
"""


def cost_nano(ratio_percent: int) -> int:
    """What `fakes.replies.USAGE` costs at so much of the official price of the mini model."""
    return (19 * OFFICIAL[0] + 10 * OFFICIAL[1]) * ratio_percent // 100


def publish(shop: Shop, ratio: str, model: str = MINI) -> None:
    """Publish as the operator does, having looked at the difference."""
    shown = shop.command("prices.diff", ratio=ratio, model=model)
    shop.command("prices.publish", ratio=ratio, model=model, digest=shown["digest"])


@pytest.fixture
def shop(mortal_shop: Shop) -> Iterator[Shop]:
    yield mortal_shop
    publish(mortal_shop, "0.5")


@BOTH
def test_new_price_holds_from_the_next_request_on(shop, mortal_upstream, stream):
    customer = shop.customer()
    may_end = threading.Event()
    if stream:
        end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
        mortal_upstream.then(streamed(ROLE, WORD, end=end))
    else:
        mortal_upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(model=MINI, stream=stream) as connection:
        mortal_upstream.wait_for_calls()
        publish(shop, "2")
        dearer = customer.ask(model=MINI, stream=stream)
        may_end.set()
        cheaper = customer.read(connection)
    publish(shop, "0.1")
    cheapest = customer.ask(model=MINI, stream=stream)
    told = [customer.explain(answer.id)["cost"] for answer in (cheaper, dearer, cheapest)]
    assert [int(cost["charged_nano"]) for cost in told] == [cost_nano(50), cost_nano(200), cost_nano(10)]
    versions = [cost["price_version"] for cost in told]
    assert versions == sorted(set(versions))
    assert customer.balance == (RICH_NANO - sum(int(cost["charged_nano"]) for cost in told), 0)


def test_receipts_keep_their_price(shop, mortal_upstream):
    customer = shop.customer()
    path = f"/v1/requests/{customer.ask(model=MINI).id}/receipt"
    before = customer.get(path).body
    publish(shop, "3")
    assert customer.get(path).body == before


@pytest.fixture(scope="module")
def edited(shared_mortal_shop: Shop) -> Iterator[Shop]:
    """The shop after its operator has written a models.yaml, and started the server again."""
    file = shared_mortal_shop.gateway.home / "models.yaml"
    file.write_text(MODELS_FILE)
    restart(shared_mortal_shop)
    yield shared_mortal_shop
    file.unlink()
    restart(shared_mortal_shop)


def restart(shop: Shop) -> None:
    assert shop.gateway.stop() == 0
    shop.gateway.start()


def test_price_in_the_file_is_no_price_before_it_is_published(edited, shop, mortal_upstream):
    customer = shop.customer()
    assert customer.ask(model=MINI).is_whole
    assert customer.balance == (RICH_NANO - cost_nano(50), 0)
    publish(shop, "catalogue")
    answer = customer.ask(model=MINI)
    assert (answer.is_whole, answer.headers["x-runapi-cost"]) == (True, "0")
    assert customer.balance == (RICH_NANO - cost_nano(50), 0)


def test_model_without_a_price_is_not_served_until_it_has_one(edited, shop, mortal_upstream):
    shop.serve(mortal_upstream, "house", [HOUSE_MODEL])
    customer, tester = shop.customer(), shop.customer(mode="test")
    for asking, stream in itertools.product((customer, tester), (False, True)):
        refused = asking.ask(model=HOUSE_MODEL, stream=stream)
        assert (refused.status, refused.error["code"]) == (503, "model_not_priced")
        assert (refused.error["type"], refused.error["param"]) == ("service_unavailable_error", "model")
        assert refused.headers["x-should-retry"] == "false"
        assert asking.rows[-1]["error_code"] == "model_not_priced"
    assert mortal_upstream.calls == []
    assert customer.balance == (RICH_NANO, 0)
    publish(shop, "0.5", HOUSE_MODEL)
    for asking, stream in itertools.product((customer, tester), (False, True)):
        assert asking.ask(model=HOUSE_MODEL, stream=stream).is_whole
    assert customer.balance == (RICH_NANO - 2 * (19 * 200 + 10 * 800), 0)
    shop.command("upstreams.remove", name="house")
