"""What a key without money may have of the server: its memory, its threads and its disk."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dialects.town import CHAT, MESSAGES, RESPONSES
from fakes import http, steps
from runapi.core.body_room import MOST_BYTES, BodyRoom
from runapi.core.refusal_rows import MOST_ROWS, RefusalRows
from runapi.core.windows import MINUTE_US

LARGE_BYTES = 32 * 1024 * 1024  # the most that a body may have
PATHS = pytest.mark.parametrize(
    "path", [CHAT, RESPONSES, MESSAGES, "/v1/estimate", "/v1/messages/count_tokens"]
)


def announce(raided, customer, path, length):
    """Begin to send a body, and stop."""
    connection = http.Connection(raided.gateway.url)
    head = {"authorization": f"Bearer {customer.key}", "content-length": str(length)}
    connection.send_request("POST", path, headers={**head, "content-type": "application/json"})
    connection.send(b"{")
    return connection


@PATHS
def test_account_cannot_fill_the_memory_with_bodies_that_it_does_not_end(raided, rogue, path):
    raider, other = raided.customer(1_000), raided.customer()
    held = [announce(raided, raider, CHAT, LARGE_BYTES) for _ in range(MOST_BYTES // LARGE_BYTES)]
    try:
        with announce(raided, raider, path, LARGE_BYTES) as refused:
            head = refused.read_head()
        assert head.status == 429
        assert int(head.headers["retry-after"]) == 1
        assert raider.hear(CHAT, max_tokens=16).status == 402  # what is small is looked at as before
        large = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x" * 1_100_000}]}
        assert other.hear(CHAT, large).status == 200
        assert len(rogue.calls) == 1
    finally:
        for connection in held:
            connection.close()


@PATHS
@pytest.mark.parametrize("kind", ["fields", "messages", "tools"])
def test_body_of_a_million_tiny_things_is_not_read(raided, rogue, path, kind):
    customer = raided.customer()
    tiny = {
        "fields": ",".join(f'"a{number}":1' for number in range(600_000)),
        "messages": '"messages":[' + ",".join(['{"role":"user","content":""}'] * 150_000) + "]",
        "tools": '"tools":[' + ",".join(['{"type":"function"}'] * 300_000) + "]",
    }
    body = f'{{"model":"gpt-5.5",{tiny[kind]}}}'.encode()
    head = {"authorization": f"Bearer {customer.key}", "content-type": "application/json"}
    heard = http.request(raided.gateway.url, "POST", path, headers=head, body=body)
    error = json.loads(heard.body)["error"]
    assert heard.status == 413
    assert "names and strings" in error["message"]
    assert rogue.calls == []


def test_large_body_of_few_things_is_read(raided, rogue):
    much = {"model": "gpt-5.5", "max_tokens": 16, "messages": [{"role": "user", "content": '"a",' * 240_000}]}
    assert raided.customer().hear(CHAT, much).status == 200
    assert len(rogue.calls) == 1


def test_room_is_there_again_when_the_bodies_are_gone(raided, rogue):
    customer = raided.customer()
    large = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x" * 1_100_000}]}
    for _ in range(3):
        held = [announce(raided, customer, CHAT, LARGE_BYTES) for _ in range(MOST_BYTES // LARGE_BYTES)]
        refused = customer.hear(CHAT, large)
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        for connection in held:
            connection.close()
        while (heard := customer.hear(CHAT, large)).status == 429:
            assert heard.error["code"] == "rate_limit_exceeded"
        assert heard.status == 200
    assert len(rogue.calls) == 3


def test_conversations_go_on_side_by_side_though_each_waits_its_turn(raided, rogue):
    customer = raided.customer()
    first = customer.hear(RESPONSES).json["id"]
    with ThreadPoolExecutor(12) as pool:
        more = {"previous_response_id": first, "max_output_tokens": 100, "store": False}
        asked = [pool.submit(customer.hear, RESPONSES, **more) for _ in range(12)]
        heard = [one.result() for one in asked]
    assert [one.status for one in heard] == [200] * 12
    assert {len(call.json["input"]) for call in rogue.calls[1:]} == {3}


def test_small_items_of_many_large_answers_cannot_be_had_for_nothing(raided, rogue):
    customer = raided.customer(100 * 10**9)
    ids = [f"msg_{number}" for number in range(6)]
    long = "x" * 15_000_000
    for item_id in ids:
        answer = {
            "id": f"resp_of_{item_id}",
            "object": "response",
            "status": "completed",
            "model": "gpt-5.5",
            "output": [
                {"type": "message", "id": item_id, "role": "assistant", "content": [{"text": "Hello."}]},
                {"type": "message", "id": "long", "role": "assistant", "content": [{"text": long}]},
            ],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        rogue.then(steps.json(answer))
        asked = {"model": "gpt-5.5", "input": "x", "max_output_tokens": 16}
        got = http.request(raided.gateway.url, "POST", RESPONSES, key=customer.key, json=asked)
        assert got.status == 200
    few = [{"type": "item_reference", "id": item_id} for item_id in ids[:2]]
    assert customer.hear(RESPONSES, input=few).status == 200
    every = [{"type": "item_reference", "id": item_id} for item_id in ids]
    assert customer.hear(RESPONSES, input=every).status == 413


def test_storm_of_refusals_leaves_no_more_rows_than_it_may():
    rows = RefusalRows()
    assert not any(rows.take(1, 0) for _ in range(MOST_ROWS))
    assert rows.take(1, 1) == 1
    assert rows.take(1, MINUTE_US - 1) == 2
    assert rows.take(2, MINUTE_US - 1) == 0
    assert rows.take(1, MINUTE_US) == 0


def test_storm_is_said_once_and_the_server_goes_on(raided, rogue):
    raider, other = raided.customer(1_000), raided.customer()
    body = b'{"model":"gone","messages":[{"role":"user","content":"x"}]}'
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {raider.key}\r\n"
    one = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    before = raided.gateway.stderr.count("leave no rows")

    def rage():
        with http.Connection(raided.gateway.url) as connection:
            for _ in range(MOST_ROWS // 4 + 50):
                connection.send(one)
                assert connection.read_response().status == 404

    raging = [threading.Thread(target=rage) for _ in range(4)]
    for thread in raging:
        thread.start()
    for thread in raging:
        thread.join()
    said = raided.gateway.stderr.count("leave no rows") - before
    if said:  # else the minute ended in between
        assert said == 1
        assert raider.key not in raided.gateway.stderr
    assert other.hear(CHAT).status == 200
    [row] = other.rows
    assert row["status"] == 200


def test_nul_in_a_model_s_name_stands_in_the_row_as_what_every_database_takes(raided, rogue):
    customer = raided.customer()
    assert customer.hear(CHAT, model="a\0b").status == 404
    [row] = customer.rows
    assert row["model"] == "a\ufffdb"
    assert rogue.calls == []


def test_first_body_has_room_however_large_it_is():
    room = BodyRoom(100)
    assert room.take(1, 1_000) is None
    assert room.take(1, 1) is not None
    assert room.take(2, 100) is None
    room.give_back(1, 1_000)
    assert room.take(1, 60) is None
    assert room.take(1, 40) is None
    assert room.take(1, 1) is not None
    room.give_back(1, 60)
    assert room.take(1, 60) is None
