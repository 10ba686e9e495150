"""While nothing can be written durably, nothing is promised: no upstream is called, and no end of an answer is sent."""

import json
import resource
import sqlite3
import threading
import time

import pytest

from fakes import http, replies, steps
from fakes.upstream import ScriptedUpstream
from faults.kinds import FINISH, ROLE, USAGE, WORD, streamed
from money.shop import COST_NANO, RICH_NANO, Answer, Shop, hold_nano
from relay.calls import skip_to

pytestmark = pytest.mark.xdist_group("restarts")  # one server for all of them
EX_LEDGER = 74


def is_ready(shop: Shop) -> bool:
    return http.request(shop.gateway.url, "GET", "/readyz").status == 200


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_is_unavailable(refused: Answer) -> None:
    assert (refused.status, refused.error["code"]) == (503, "ledger_unavailable")
    assert (refused.error["type"], refused.error["param"]) == ("service_unavailable_error", None)
    assert int(refused.headers["retry-after"]) > 0
    assert "x-should-retry" not in refused.headers


def test_books_that_somebody_else_has_locked(mortal_shop: Shop, mortal_upstream: ScriptedUpstream):
    shop, upstream = mortal_shop, mortal_upstream
    customer, other = shop.customer(), shop.customer()
    may_end = threading.Event()
    end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
    upstream.then(streamed(ROLE, WORD, end=end), [steps.wait(may_end), *replies.plain_reply()])
    with customer.open(stream=True) as stream, customer.open() as whole:
        upstream.wait_for_calls(2)
        stream.head = stream.read_head()
        payloads = stream.data()
        skip_to(payloads, b"Hel")
        books = sqlite3.connect(shop.gateway.home / "runapi.db", isolation_level=None)
        books.execute("BEGIN IMMEDIATE")
        may_end.set()
        error = json.loads(list(payloads)[-1])["error"]
        assert (error["code"], error["type"]) == ("ledger_unavailable", "service_unavailable_error")
        assert_is_unavailable(customer.read(whole))
    assert not is_ready(shop)
    assert http.request(shop.gateway.url, "GET", "/healthz").status == 200
    for asked in ({}, {"stream": True}, {"max_tokens": 5}):
        assert_is_unavailable(other.ask(**asked))
    assert len(upstream.calls) == 2
    books.execute("ROLLBACK")
    books.close()
    wait_until(lambda: is_ready(shop))
    assert other.ask().is_whole
    assert other.balance == (RICH_NANO - COST_NANO, 0)
    wait_until(lambda: customer.balance == (RICH_NANO, 0))
    assert {(row["status"], row["outcome"], row["cost_nano"]) for row in customer.rows} == {
        (503, "failed", "0")
    }
    assert {row["error_code"] for row in customer.rows} == {"ledger_unavailable"}
    assert [row["status"] for row in other.rows] == [503, 503, 503, 200]


@pytest.mark.parametrize("moment", ["hold", "settlement"])
def test_disk_that_fails_ends_the_server_before_anything_is_promised(
    mortal_shop: Shop, mortal_upstream: ScriptedUpstream, moment: str
):
    shop, upstream = mortal_shop, mortal_upstream
    customer = shop.customer()
    may_end = threading.Event()
    calls = 0
    if moment == "settlement":
        end = [steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]
        upstream.then(streamed(ROLE, WORD, end=end))
        running = customer.open(stream=True, max_tokens=100)
        running.read_head()
        payloads = running.data()
        skip_to(payloads, b"Hel")
        calls = 1
    let_no_file_grow(shop)
    if moment == "hold":
        running = customer.open()
    else:
        may_end.set()
        with pytest.raises((EOFError, ConnectionError)):
            assert b"[DONE]" not in b"".join(payloads)
    assert shop.gateway.process.wait(10) == EX_LEDGER
    with pytest.raises((EOFError, ConnectionError)):
        running.read_response()
    running.close()
    assert "RunAPI stops: " in shop.gateway.stderr
    assert len(upstream.calls) == calls
    shop.gateway.process = None
    shop.gateway.start()
    assert customer.balance == (RICH_NANO, 0)
    assert [row["error_code"] for row in customer.rows] == ["server_restarted"] * calls
    for row in customer.rows:
        assert customer.transfers(row["id"]) == [("hold", hold_nano(100)), ("void", hold_nano(100))]
    assert customer.ask().is_whole


def let_no_file_grow(shop: Shop, most_bytes: int | None = None) -> None:
    """Let the server's next write to its books fail, as on a disk that breaks."""
    if most_bytes is None:  # its log is shorter
        most_bytes = (shop.gateway.home / "runapi.db-wal").stat().st_size
    _, most = resource.prlimit(shop.gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(shop.gateway.process.pid, resource.RLIMIT_FSIZE, (most_bytes, most))


def test_disk_that_takes_no_log_either_ends_the_server_all_the_same(start_gateway):
    shop = Shop(start_gateway())
    gateway = shop.gateway
    customer = shop.customer(mode="test")
    try:
        let_no_file_grow(shop, 0)
        with customer.open():
            assert gateway.process.wait(5) == EX_LEDGER
    finally:
        gateway.kill()
