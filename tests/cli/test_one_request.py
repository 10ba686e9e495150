"""`runapi requests show`: everything about one request, by the id that its client was given."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from fakes import http, replies, steps
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
NOT_THE_CUSTOMERS = {
    "account",
    "upstream",
    "upstream_request_id",
    "upstream_error",
    "upstream_cost_usd",
    "upstream_cost_nano",
    "margin_usd",
    "margin_nano",
}


@pytest.fixture
def served(start_gateway: Callable[..., Gateway]) -> Iterator[tuple[Gateway, ScriptedUpstream]]:
    """A server with two upstreams that are one: the cheaper is asked first."""
    gateway = start_gateway()
    with ScriptedUpstream() as upstream:
        gateway.add_upstream("cheap", upstream.base_url, ["gpt-5.5"], priority=1, cost_ratio="0.3")
        gateway.add_upstream("dear", upstream.base_url, ["gpt-5.5"], priority=2)
        yield gateway, upstream


def ask(gateway: Gateway, key: str) -> tuple[int, str]:
    got = http.post(gateway.url, HELLO, key=key)
    return got.status, got.headers["x-request-id"]


def explained(gateway: Gateway, key: str, request_id: str) -> dict[str, object]:
    got = http.request(gateway.url, "GET", f"/v1/requests/{request_id}", key=key)
    assert got.status == 200
    return dict(got.json)  # type: ignore[arg-type]


def test_it_says_all_that_the_customer_can_read_and_what_is_the_operators(served):
    gateway, upstream = served
    key = gateway.live_key()
    upstream.then(replies.error(401, "No.", type="invalid_request_error", code="invalid_api_key"))
    status, request_id = ask(gateway, key)
    assert status == 200
    shown, told = gateway.cli("requests", "show", request_id), explained(gateway, key, request_id)
    assert told.pop("receipt").endswith(shown.pop("receipt"))
    own = {name: shown.pop(name) for name in NOT_THE_CUSTOMERS}
    assert shown == told
    assert own == {
        "account": "tester",
        "upstream": "dear",
        "upstream_request_id": replies.HEADERS["x-request-id"],
        "upstream_error": "401 invalid_api_key",
        "upstream_cost_usd": "0.000395",
        "upstream_cost_nano": "395000",
        "margin_usd": "-0.0001975",
        "margin_nano": "-197500",
    }
    plain = gateway.command("requests", "show", request_id).stdout
    for line in (
        f"Request {request_id}: settled.",
        f"  account:         tester, key {told['key']['id']} ({key[:16]}), live",
        "  told:            200 (completed)",
        f"  upstream:        dear (gpt-5.5), 2 attempts, its id {replies.HEADERS['x-request-id']}",
        "  upstream error:  401 invalid_api_key",
        "  charged:         0.0001975 USD, by price version 1",
        "  margin:          -0.0001975 USD",
        f"Its receipt: runapi receipts show {request_id}",
    ):
        assert line in plain.splitlines(), plain


def test_customers_learn_nothing_of_upstreams(served):
    gateway, upstream = served
    key = gateway.live_key()
    upstream.then(replies.error(500), replies.error(401, "No.", code="invalid_api_key"))
    _, request_id = ask(gateway, key)
    [listed] = http.request(gateway.url, "GET", "/v1/requests?limit=1", key=key).json["data"]
    for text in (json.dumps(listed), json.dumps(explained(gateway, key, request_id))):
        for secret in ("upstream_error", "invalid_api_key", "cheap", "dear", "margin", "upstream_cost"):
            assert secret not in text
    assert listed["id"] == request_id


def test_margin_of_what_a_cheap_upstream_answers_is_what_is_left(served):
    gateway, _ = served
    _, request_id = ask(gateway, gateway.live_key())
    shown = gateway.cli("requests", "show", request_id)
    assert (shown["upstream"], shown["upstream_error"]) == ("cheap", None)
    assert (shown["upstream_cost_usd"], shown["margin_usd"]) == ("0.0001185", "0.000079")


def test_play_money_makes_no_margin(gateway):
    _, request_id = ask(gateway, gateway.test_key)
    shown = gateway.cli("requests", "show", request_id)
    assert (shown["upstream"], shown["margin_usd"], shown["margin_nano"]) == ("sandbox", None, None)
    assert "margin" not in gateway.command("requests", "show", request_id).stdout


def test_request_that_runs_is_shown_with_what_is_held_for_it(served):
    gateway, upstream = served
    key, go_on = gateway.live_key(), threading.Event()
    upstream.then([steps.wait(go_on), steps.answer(replies.polite_answer)])
    with http.Connection(gateway.url) as connection:
        headers = {"authorization": f"Bearer {key}"}
        body = json.dumps(HELLO).encode()
        connection.send_request("POST", "/v1/chat/completions", body=body, headers=headers)
        upstream.wait_for_calls(1)
        [transfer] = [
            row
            for row in gateway.cli("ledger", "show", "tester", "--limit", "1")["transfers"]  # type: ignore[index]
            if row["kind"] == "hold"
        ]
        shown = gateway.cli("requests", "show", transfer["request_id"])
        plain = gateway.command("requests", "show", transfer["request_id"]).stdout
        go_on.set()
        assert connection.read_response().status == 200
    assert (shown["state"], shown["account"], shown["upstream"]) == ("running", "tester", None)
    assert (shown["upstream_cost_usd"], shown["margin_usd"]) == (None, None)
    assert shown["hold"]["amount_usd"] in plain
    assert "  told:            nothing yet: it runs" in plain.splitlines()


@pytest.mark.parametrize("form", ["  {}  ", '"{}".', "chatcmpl-{hex}", "resp_{hex}", "{hex}", "{upper}"])
def test_id_is_taken_as_a_customer_quotes_it(gateway, form):
    _, request_id = ask(gateway, gateway.test_key)
    quoted = form.format(request_id, hex=request_id[4:], upper=request_id.upper())
    assert gateway.cli("requests", "show", quoted)["id"] == request_id


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        ("chatcmpl-BPLk2m8TqZ0hRv3sXwYc1NfAeUd7J", "is not a request's id: they begin with req_"),
        ("req_", "is not a request's id"),
        (f"req_{0:032x}", f"There is no request with the id 'req_{0:032x}'"),
    ],
)
def test_id_of_nothing_is_told_with_what_is_right(gateway, quoted, said):
    refused = gateway.command("requests", "show", quoted)
    assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
    assert "Traceback" not in refused.stderr


def test_list_shows_ids_that_show_takes(gateway):
    _, request_id = ask(gateway, gateway.test_key)
    listed = gateway.command("requests", "list", "--limit", "1").stdout
    assert listed.splitlines()[2].split()[0] == request_id
