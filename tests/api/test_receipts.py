"""GET /v1/requests/{id}/receipt and GET /v1/receipts/key: what is served can be checked without us."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from api.conftest import NewCustomer
from api.customers import HELLO, Customer
from fakes import http, specification
from fakes.server import Gateway
from runapi.core.check_receipt import check_receipt

UNKNOWN_ID = f"req_{0:032x}"


def public_key(gateway: Gateway) -> str:
    """The key, asked by nobody in particular."""
    response = http.request(gateway.url, "GET", "/v1/receipts/key")
    assert response.status == 200
    shown = response.json
    assert isinstance(shown, dict)
    assert set(shown) == {"algorithm", "public_key"}
    assert shown["algorithm"] == "ed25519"
    return str(shown["public_key"])


def test_receipt_is_right_by_the_key_that_is_shown_and_by_the_command(
    new_customer: NewCustomer, tmp_path: Path
):
    customer = new_customer()
    sent = json.dumps(HELLO).encode()
    answer = customer.send("POST", "/v1/chat/completions", sent)
    request_id = answer.headers["x-request-id"]
    served = customer.send("GET", f"/v1/requests/{request_id}/receipt")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    key = public_key(customer.gateway)
    assert check_receipt(served.body, bytes.fromhex(key)).fault is None
    receipt = json.loads(served.body)["receipt"]
    told = customer.get(f"/v1/requests/{request_id}")
    assert receipt["request_sha256"] == sha256(sent).hexdigest()
    assert receipt["response_sha256"] == sha256(answer.body).hexdigest()
    assert receipt["charged_nano"] == told["cost"]["charged_nano"]
    assert receipt["transfers"] == told["transfers"]
    assert [line["pico"] for line in receipt["lines"]] == [line["pico"] for line in told["cost"]["lines"]]
    assert told["receipt"] == f"{customer.gateway.url}/v1/requests/{request_id}/receipt"
    file = tmp_path / "receipt.json"
    file.write_bytes(served.body)
    checked = customer.gateway.command("receipts", "verify", str(file), "--public-key", key)
    assert checked.returncode == 0, checked.stderr
    file.write_bytes(served.body.replace(b'"charged_nano":"', b'"charged_nano":"1'))
    assert customer.gateway.command("receipts", "verify", str(file), "--public-key", key).returncode != 0


def test_receipt_is_the_same_each_time(new_customer: NewCustomer):
    customer = new_customer()
    path = f"/v1/requests/{customer.chat()}/receipt"
    assert customer.send("GET", path).body == customer.send("GET", path).body


def test_request_that_was_refused_has_none(new_customer: NewCustomer):
    customer = new_customer()
    refused = customer.send("POST", "/v1/chat/completions", {**HELLO, "model": "nonesuch"})
    request_id = refused.headers["x-request-id"]
    assert customer.wait_for_row(request_id)["receipt"] is None
    status, error = customer.refused("GET", f"/v1/requests/{request_id}/receipt")
    assert (status, error["code"]) == (404, "receipt_not_found")


def test_running_request_has_none_yet(new_customer: NewCustomer):
    customer = new_customer()
    text = "[[sandbox:chunks 20 interval_ms=50]]"
    body = {"model": "gpt-5.5", "stream": True, "messages": [{"role": "user", "content": text}]}
    with http.stream(customer.gateway.url, body, key=customer.key) as stream:
        path = f"/v1/requests/{stream.read_head().headers['x-request-id']}/receipt"
        assert customer.refused("GET", path)[1]["code"] == "receipt_not_found"
        list(stream.data())
    assert customer.send("GET", path).status == 200


@pytest.mark.parametrize("request_id", [UNKNOWN_ID, "x", "%00", "a/b", "receipt", f"{UNKNOWN_ID}/receipt"])
def test_receipt_of_nothing_is_as_a_request_that_does_not_exist(anybody: Customer, request_id: str):
    status, error = anybody.refused("GET", f"/v1/requests/{request_id}/receipt")
    assert (status, error["code"]) == (404, "request_not_found")


def test_key_is_the_same_after_a_restart_and_the_commands(start_gateway: Callable[..., Gateway]):
    gateway = start_gateway()
    first = public_key(gateway)
    gateway.stop()
    gateway.start()
    assert public_key(gateway) == first
    assert gateway.cli("receipts", "key") == {"algorithm": "ed25519", "public_key": first}


def test_question_with_a_query_is_refused(anybody: Customer):
    for path in ("/v1/receipts/key", f"/v1/requests/{UNKNOWN_ID}/receipt"):
        response = http.request(anybody.gateway.url, "GET", f"{path}?format=pdf", key=anybody.key)
        assert response.status == 400
        specification.check_error(response.json)
