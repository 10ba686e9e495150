"""The gateway on PostgreSQL: one server, and two that share a database."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import http, replies, steps
from fakes.postgres import Postgres
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from faults.kinds import FINISH, NEVER, ROLE, USAGE, WORD, streamed
from money.shop import BOTH, COST_NANO, RICH_NANO, Customer, Shop, hold_nano, wait_for_answers
from relay.calls import skip_to

pytestmark = pytest.mark.xdist_group("postgres")  # one database server for all of them
PASSWORD = "canary-password-of-the-database"
KEYED = {"idempotency-key": "order 66"}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[tuple[Shop, Shop]]:
    """Two servers on one database, as on two machines: what they share beside it is the secret key."""
    url = postgres.new_database().replace("runapi@", f"runapi:{PASSWORD}@")
    first = Gateway(tmp_path_factory.mktemp("first"), database_url=url)
    second = Gateway(tmp_path_factory.mktemp("second"), database_url=url)
    first.start()
    second.home.mkdir(mode=0o700)
    shutil.copy2(first.home / "secret.key", second.home / "secret.key")
    second.start()
    for gateway in (first, second):
        gateway.secrets.append(PASSWORD)
    yield Shop(first), Shop(second)
    for gateway in (first, second):
        gateway.stop()
        gateway.assert_clean_log()


@pytest.fixture
def shop(both: tuple[Shop, Shop]) -> Iterator[Shop]:
    """The server that the operator talks to; whatever happened, the books are right."""
    yield both[0]
    both[0].verify()
    for one in both:
        one.gateway.assert_clean_log()


@pytest.fixture
def upstream(shop: Shop, scripted: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    yield from shop.serving(scripted)


@pytest.fixture
def elsewhere(both: tuple[Shop, Shop], upstream: ScriptedUpstream) -> Callable[[Customer], Customer]:
    """The same customer at the other server, which is made to look at once for what has changed."""

    def at_the_other(customer: Customer) -> Customer:
        both[1].gateway.secrets.append(customer.key)
        both[1].command("keys.limit", key=customer.key)
        both[1].serve(upstream, "reload")
        both[1].command("upstreams.remove", name="reload")
        return Customer(both[1], customer.account, customer.key, customer.mode)

    return at_the_other


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---- one server ------------------------------------------------------------------------------------------


@BOTH
def test_answer_is_charged_when_it_ends(shop, upstream, stream):
    customer = shop.customer()
    answer = customer.ask(stream=stream)
    assert customer.balance == (RICH_NANO - COST_NANO, 0)
    assert customer.transfers(answer.id)[-1] == ("settle", COST_NANO)
    assert [row["outcome"] for row in customer.rows] == ["completed"]


@BOTH
def test_empty_account_is_refused_until_there_is_a_credit(shop, upstream, stream):
    customer = shop.customer(0)
    for _ in range(7):
        refused = customer.ask(stream=stream)
        assert (refused.status, refused.error["code"]) == (402, "insufficient_credits")
    assert upstream.calls == []
    customer.credit(hold_nano(16))
    assert customer.ask(stream=stream).is_whole
    assert upstream.calls[0].json["max_completion_tokens"] == 16


def test_failure_is_free(shop, upstream):
    customer = shop.customer()
    upstream.then(streamed(ROLE, WORD, end=[steps.rst()]), replies.error(500))
    assert not customer.ask(stream=True).is_whole
    assert not customer.ask().is_whole
    assert customer.balance == (RICH_NANO, 0)


# ---- two servers -----------------------------------------------------------------------------------------


def test_both_sell_from_one_balance(shop, upstream, elsewhere):
    customer = shop.customer(2 * COST_NANO + hold_nano(16))
    there = elsewhere(customer)
    assert there.ask(stream=True).is_whole
    assert customer.balance == there.balance == (COST_NANO + hold_nano(16), 0)
    assert customer.ask().is_whole
    assert there.ask().is_whole
    assert there.ask().status == 402
    assert customer.ask().status == 402
    assert customer.balance == there.balance == (hold_nano(16) - COST_NANO, 0)


def test_together_they_sell_no_more_than_is_there(shop, upstream, elsewhere):
    customer = shop.customer(5 * hold_nano(20) + hold_nano(16) - 1)
    there = elsewhere(customer)
    may_end = threading.Event()
    upstream.default = [steps.wait(may_end), *replies.plain_reply()]
    running = [(here, here.open(max_tokens=20)) for here in [customer, there] * 12]
    upstream.wait_for_calls(5)
    assert customer.balance == there.balance
    wait_for_answers([connection for _, connection in running], 19)  # the others are refused
    may_end.set()
    answers = [here.read(connection) for here, connection in running]
    for _, connection in running:
        connection.close()
    assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 19
    assert len(upstream.calls) == 5
    assert customer.balance == (5 * (hold_nano(20) - COST_NANO) + hold_nano(16) - 1, 0)


def test_what_is_changed_at_one_soon_holds_at_the_other(shop, upstream, elsewhere):
    revoked, limited = shop.customer(), shop.customer()
    revoked_there, limited_there = elsewhere(revoked), elsewhere(limited)
    limited.limit(models=["gpt-5.4-mini"])
    shop.command("prices.publish", ratio="2", model="gpt-5.4-mini")
    shop.command("keys.revoke", key=revoked.key)
    assert revoked.ask().error["code"] == "invalid_api_key"
    assert limited.ask().status == 404
    wait_until(lambda: revoked_there.ask().status == 401)
    wait_until(lambda: limited_there.ask().status == 404)
    before = limited_there.balance[0]
    assert limited_there.ask(model="gpt-5.4-mini").is_whole
    assert limited_there.balance == (before - (19 * 1_500 + 10 * 9_000), 0)


def test_credit_at_one_ends_refusals_from_memory_at_the_other(shop, upstream, elsewhere):
    customer = shop.customer(0)
    there = elsewhere(customer)
    for _ in range(8):
        assert there.ask().status == 402
    customer.credit(RICH_NANO)
    wait_until(lambda: there.ask().is_whole)


@BOTH
def test_request_is_served_once_though_it_is_sent_to_both(shop, upstream, elsewhere, stream):
    customer = shop.customer()
    there = elsewhere(customer)
    may_end = threading.Event()
    if stream:
        end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
        upstream.then(streamed(ROLE, WORD, end=end))
    else:
        upstream.then([steps.wait(may_end), *replies.plain_reply()])
    with customer.open(headers=KEYED, stream=stream) as running:
        upstream.wait_for_calls()
        refused = there.ask(headers=KEYED, stream=stream)
        assert (refused.status, refused.error["code"]) == (409, "idempotency_request_running")
        assert int(refused.headers["retry-after"]) > 0
        may_end.set()
        first = customer.read(running)
    again = there.ask(headers=KEYED, stream=stream)
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert there.ask(headers=KEYED, user="x").status == 422
    assert len(upstream.calls) == 1
    assert there.balance == (RICH_NANO - COST_NANO, 0)


def test_server_that_is_killed_does_not_touch_what_runs_at_the_other(both, shop, upstream, elsewhere):
    customer = shop.customer()
    there = elsewhere(customer)
    may_end = threading.Event()
    end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
    upstream.then(streamed(ROLE, WORD, end=end), streamed(ROLE, WORD, end=[steps.wait(NEVER)]))
    with customer.open(stream=True, max_tokens=100) as running:
        upstream.wait_for_calls()
        with there.open(stream=True, max_tokens=50) as cut:
            cut.read_head()
            skip_to(cut.data(), b"Hel")
            assert customer.balance == (RICH_NANO, hold_nano(100) + hold_nano(50))
            both[1].gateway.kill()
        upstream.wait_for_closed_early()
        assert customer.balance == (RICH_NANO, hold_nano(100) + hold_nano(50))
        both[1].gateway.start()
        assert there.balance == (RICH_NANO, hold_nano(100))
        may_end.set()
        assert customer.read(running).is_whole
    assert there.balance == (RICH_NANO - COST_NANO, 0)
    assert {row["error_code"] for row in customer.rows} == {None, "server_restarted"}


# ---- without the database --------------------------------------------------------------------------------


def test_without_the_database_nothing_is_promised_and_with_it_all_goes_on(both, shop, upstream, postgres):
    customer, other = shop.customer(), shop.customer()
    may_end = threading.Event()
    end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
    upstream.then(streamed(ROLE, WORD, end=end))
    with customer.open(stream=True, headers=KEYED) as stream:
        stream.read_head()
        payloads = stream.data()
        skip_to(payloads, b"Hel")
        postgres.kill()
        try:
            may_end.set()
            broken = list(payloads)
            assert json.loads(broken[-1])["error"]["code"] == "ledger_unavailable"
            assert http.request(shop.gateway.url, "GET", "/readyz").status == 503
            for headers in ({}, KEYED, {"idempotency-key": "new"}):
                refused = other.ask(headers=headers)
                assert (refused.status, refused.error["code"]) == (503, "ledger_unavailable")
                assert int(refused.headers["retry-after"]) > 0
            assert other.get("/v1/models").status == 200
            assert len(upstream.calls) == 1
        finally:
            postgres.start()
    for one in both:
        wait_until(lambda one=one: http.request(one.gateway.url, "GET", "/readyz").status == 200)
    assert other.ask().is_whole
    wait_until(lambda: customer.balance == (RICH_NANO, 0))
    assert customer.ask(headers=KEYED, stream=True).is_whole
    assert customer.balance == (RICH_NANO - COST_NANO, 0)


def test_no_password_is_shown_by_commands_and_settings(shop, tmp_path: Path):
    spoiled = Gateway(tmp_path, database_url=f"postgresql://runapi:{PASSWORD}@127.0.0.1:9/nothing")
    for arguments in (["serve"], ["accounts", "list"]):
        said = spoiled.command(*arguments)
        assert said.returncode != 0
        assert said.stderr
        assert PASSWORD not in said.stdout + said.stderr
    spoiled.environment["RUNAPI_DATABASE_URL"] = f"mysql://runapi:{PASSWORD}@127.0.0.1/nothing"
    said = spoiled.command("serve")
    assert said.returncode == 2
    assert PASSWORD not in said.stdout + said.stderr


def test_without_the_database_questions_are_answered_by_503(postgres, tmp_path):
    shop = Shop(Gateway(tmp_path, database_url=postgres.new_database()).start())
    customer = shop.customer()
    try:
        postgres.kill()
        try:
            answers = [customer.get(path) for path in ("/v1/me/balance", "/v1/me/usage", "/v1/requests")]
            assert [answer.status for answer in answers] == [503] * 3
            shop.gateway.assert_clean_log()
        finally:
            postgres.start()
    finally:
        shop.gateway.kill()
