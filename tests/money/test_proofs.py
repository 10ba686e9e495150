"""The receipt of a request is of the very bytes that were sent and received, and a changed one is found out."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from fakes import replies, steps
from faults.kinds import FINISH, ROLE, USAGE, WORD, streamed
from money.shop import BOTH, COST_NANO, HELLO, LEAST_OUTPUT, RICH_NANO, Answer, Customer, hold_nano
from runapi.core.check_receipt import check_receipt

pytestmark = pytest.mark.xdist_group("shop")  # one server for all of them
SENT = b'{ "model":"gpt-5.5",  "messages" : [{"role":"user","content":"Gr\xc3\xbc\xc3\x9f dich \\u2603"}]%b}'


def assert_is_proven(customer: Customer, answer: Answer, sent: bytes) -> dict:
    """The receipt is right by the service's key, and is of these bytes; what it says."""
    served = customer.get(f"/v1/requests/{answer.id}/receipt")
    key = customer.get("/v1/receipts/key").json["public_key"]
    assert check_receipt(served.body, bytes.fromhex(key)).fault is None
    receipt = served.json["receipt"]
    assert receipt["request_id"] == answer.id
    assert receipt["request_sha256"] == sha256(sent).hexdigest()
    assert receipt["response_sha256"] == sha256(answer.body).hexdigest()
    return receipt


@BOTH
def test_receipt_is_of_the_bytes_that_went_to_and_fro(shop, upstream, stream):
    customer = shop.customer()
    sent = SENT % (b',"stream":true' if stream else b"")
    answer = customer.ask(sent)
    receipt = assert_is_proven(customer, answer, sent)
    assert receipt["charged_nano"] == str(COST_NANO)
    assert json.loads(receipt["upstream_usage"]) == replies.USAGE
    assert [one["kind"] for one in receipt["transfers"]] == ["hold", "settle"]


def test_receipt_counts_heartbeats(shop, upstream):
    customer = shop.customer()
    sent = json.dumps(HELLO | {"stream": True}).encode()
    upstream.then(streamed(ROLE, WORD, end=[steps.sleep(0.3), steps.sse([FINISH, USAGE, "[DONE]"])]))
    answer = customer.ask(sent)
    assert answer.body.count(b'"delta":{}') > 1
    assert_is_proven(customer, answer, sent)


def test_receipt_counts_a_heartbeat_that_meets_the_end(shop, upstream):
    """Many streams end in the moment of a heartbeat, on a busy server: none may be sent that is not counted."""
    customer = shop.customer(100 * RICH_NANO)  # for what many at once may cost
    waits_s = [0.04 + number / 2_000 for number in range(60)]
    upstream.then(*[[steps.sleep(wait_s), *replies.stream_reply()] for wait_s in waits_s])

    def ask(number: int) -> bool:
        sent = json.dumps(HELLO | {"stream": True, "user": str(number)}).encode()
        keyed = {"idempotency-key": str(number)}
        answer = customer.ask(sent, headers=keyed)
        assert_is_proven(customer, answer, sent)
        return customer.ask(sent, headers=keyed).body == answer.body

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(len(waits_s))))


@BOTH
def test_receipt_of_a_repeated_request_is_of_what_each_client_got(shop, upstream, stream):
    customer = shop.customer()
    sent = json.dumps(HELLO | {"stream": stream}).encode()
    keyed = {"idempotency-key": "proof"}
    for answer in (customer.ask(sent, headers=keyed), customer.ask(sent, headers=keyed)):
        assert_is_proven(customer, answer, sent)
    assert len(upstream.calls) == 1


def test_receipt_says_what_was_written_off(shop, upstream):
    customer = shop.customer(hold_nano(LEAST_OUTPUT))
    upstream.then(replies.plain_reply(usage=replies.usage(19, 1_000)))
    sent = json.dumps(HELLO).encode()
    receipt = assert_is_proven(customer, customer.ask(sent), sent)
    assert receipt["charged_nano"] == str(hold_nano(LEAST_OUTPUT))
    assert int(receipt["written_off_nano"]) > 0
    assert [one["kind"] for one in receipt["transfers"]] == ["hold", "settle", "write_off"]


def test_receipt_says_that_the_count_is_an_estimate(shop, upstream):
    customer = shop.customer()
    upstream.then(replies.plain_reply(usage=None))
    sent = json.dumps(HELLO).encode()
    receipt = assert_is_proven(customer, customer.ask(sent), sent)
    assert (receipt["usage_source"], receipt["upstream_usage"]) == ("estimated", None)


def test_receipt_of_a_client_that_left_is_of_what_it_was_sent(shop, upstream):
    customer = shop.customer(on_disconnect="drain")
    may_end = threading.Event()
    upstream.then(streamed(ROLE, WORD, end=[steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])]))
    received = b""
    with customer.open(stream=True) as connection:
        request_id = connection.read_head().headers["x-request-id"]
        pieces = connection.pieces()
        while b"Hel" not in received:
            received += next(pieces)
    time.sleep(0.1)
    may_end.set()
    deadline = time.monotonic() + 10
    while customer.explain(request_id)["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    receipt = customer.get(f"/v1/requests/{request_id}/receipt").json["receipt"]
    assert receipt["response_sha256"] == sha256(received).hexdigest()


def test_command_accepts_a_receipt_and_refuses_a_changed_byte(shop, upstream, tmp_path: Path):
    customer = shop.customer()
    shown = shop.gateway.command("receipts", "show", customer.ask().id)
    assert shown.returncode == 0
    good = shown.stdout.encode()
    file = tmp_path / "receipt.json"
    file.write_bytes(good)
    verified = shop.gateway.command("receipts", "verify", str(file))
    assert (verified.returncode, "is right" in verified.stdout) == (0, True)
    key = bytes.fromhex(json.loads(good)["public_key"])
    assert check_receipt(good, key).fault is None
    for place in range(0, len(good.rstrip()), 7):
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert check_receipt(changed, key).fault is not None, place
    file.write_bytes(good.replace(f'"{COST_NANO}"'.encode(), f'"{COST_NANO - 1}"'.encode()))
    refused = shop.gateway.command("receipts", "verify", str(file))
    assert refused.returncode == 1
    assert refused.stdout == ""
