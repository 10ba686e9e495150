"""Odd HTTP framing, byte by byte: no request is ever seen where another reader would see none."""

import time
from pathlib import Path

import pytest

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from web.exchange import BODY, GOOD, exchange, filled
from web.framing import ROWS, Row, get, post

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "edge.md").read_text("utf-8")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_odd_framing_has_the_outcome_in_the_table(row: Row, gateway: Gateway, upstream: ScriptedUpstream):
    key = gateway.live_key()
    requests = 1 if row.follows is None else 2
    outcome = exchange(gateway, filled(row.data, gateway, key), requests=requests, expect_open=row.stays_open)
    expected = [row.status] if row.follows is None else [row.status, row.follows]
    assert (outcome.statuses, outcome.stayed_open) == (expected, row.stays_open)
    if row.status >= 400:
        specification.check_error(outcome.responses[0].json)
    completions = 1 if row.status == 200 and row.is_completion else 0
    assert [call.body for call in upstream.calls] == [BODY] * completions
    assert http.post(gateway.url, GOOD, key=key).status == 200


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_page_for_operators_has_the_row(row: Row):
    end = "stays open" if row.stays_open else "closed"
    answer = row.status if row.status >= 400 else "served"
    assert f"| {row.what} | {answer} | {end} |" in PAGE


def test_trailers_are_dropped(gateway: Gateway, upstream: ScriptedUpstream):
    [row] = [row for row in ROWS if row.what == "trailers"]
    exchange(gateway, filled(row.data, gateway, gateway.live_key()), expect_open=True)
    [call] = upstream.calls
    assert "x-t" not in call.headers
    assert call.headers["authorization"] == f"Bearer {upstream.api_key}"


def test_headers_of_the_client_do_not_travel_upstream(gateway: Gateway, upstream: ScriptedUpstream):
    names = [
        "X_Forwarded_For",
        "Content_Length",
        "X-Forwarded-For",
        "Forwarded",
        "X-Forwarded-Host",
        "Cookie",
    ]
    names += ["X-Real-IP", "OpenAI-Organization", "Proxy-Authorization", "X-Anything"]
    lines = [name.encode() + b": canary-of-the-client" for name in names]
    data = post(b"Content-Length: %d" % len(BODY), b"Connection: x-anything, authorization", *lines)
    outcome = exchange(gateway, filled(data, gateway, gateway.live_key()), expect_open=True)
    assert outcome.statuses == [200]
    [call] = upstream.calls
    assert "canary-of-the-client" not in str(call.fields)
    assert call.body == BODY


def test_a_spoofed_address_or_host_opens_nothing(gateway: Gateway):
    lines = [
        b"X-Forwarded-For: 127.0.0.1",
        b"Forwarded: for=127.0.0.1;host=localhost",
        b"X-Real-IP: 127.0.0.1",
    ]
    data = get(*lines, target=b"POST /admin/v1/accounts.list HTTP/1.1", head=b"Host: localhost\r\n")
    assert exchange(gateway, data, expect_open=True).statuses == [404]


def test_a_hundred_requests_at_once_are_answered_in_order(gateway: Gateway):
    names = [b"pipelined-%d" % number for number in range(100)]
    data = b"".join(get(target=b"GET /v1/models/" + name + b" HTTP/1.1") for name in names)
    outcome = exchange(gateway, filled(data, gateway, gateway.test_key), requests=100, expect_open=True)
    assert outcome.statuses == [404] * 100
    assert all(
        name.decode() in response.body.decode()
        for name, response in zip(names, outcome.responses, strict=True)
    )
    ids = {response.headers["x-request-id"] for response in outcome.responses}
    assert len(ids) == 100


def test_a_bad_key_is_refused_before_the_body_is_sent(gateway: Gateway, upstream: ScriptedUpstream):
    data = post(b"Content-Length: 1000000", b"Expect: 100-continue", body=b"")
    outcome = exchange(gateway, filled(data, gateway, "sk-nobodys-key"), expect_open=False)
    assert outcome.statuses == [401]
    assert not upstream.calls


def test_a_body_under_way_is_let_arrive_before_a_bad_key_is_refused(gateway: Gateway):
    half = b" " * 300_000
    with http.Connection(gateway.url) as connection:
        connection.send(filled(post(b"Content-Length: 600000", body=b""), gateway, "sk-nobodys-key") + half)
        time.sleep(0.3)  # who answered at once would have closed by now, and reset what comes
        connection.send(half)
        assert connection.read_head().status == 401


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(gateway: Gateway):
    data = post(b"Content-Length: 99999999", b"Expect: 100-continue", body=b"")
    outcome = exchange(gateway, filled(data, gateway, gateway.test_key), expect_open=False)
    assert outcome.statuses == [413]


def test_a_client_that_asks_first_is_told_to_go_on(gateway: Gateway, upstream: ScriptedUpstream):
    data = post(b"Content-Length: %d" % len(BODY), b"Expect: 100-continue", body=b"")
    with http.Connection(gateway.url) as connection:
        connection.send(filled(data, gateway, gateway.live_key()))
        assert connection._read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        assert not upstream.calls
        connection.send(BODY)
        assert connection.read_response().status == 200


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_health_check_in_http_1_0_needs_no_host(gateway: Gateway, version: bytes):
    data = b"GET /healthz HTTP/" + version + b"\r\nConnection: close\r\n\r\n"
    assert exchange(gateway, data, expect_open=False).statuses == [200 if version == b"1.0" else 400]


@pytest.mark.parametrize("host", ["localhost", "api.example.com:443", "[::1]:8000", "my_box", "10.0.0.1:1"])
def test_any_well_formed_host_is_served(gateway: Gateway, host: str):
    headers = {"host": host}
    response = http.request(gateway.url, "GET", "/v1/models", key=gateway.test_key, headers=headers)
    assert response.status == 200
