"""Answers are kept by the server itself, whatever its upstreams keep: asked for, gone on from, deleted."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import openai
import pytest

from fakes import http, specification, steps
from fakes.responses_replies import Called, Thought, plain_reply, stream_reply
from fakes.server import Gateway
from stored.shop import CHAT_MODEL, USER, Shop, numbered, open_shop

pytestmark = pytest.mark.xdist_group("stored")  # one server for all of them
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object"}, "strict": False}
RESULT = {"type": "function_call_output", "call_id": "call_7XzQm2Kp9LrTn4Wd", "output": "rain"}


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from open_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(one_shop: Shop) -> Shop:
    one_shop.upstream.reset()
    one_shop.chat.reset()
    return one_shop


# ---- passed on to an upstream ----------------------------------------------------------------------------


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_answer_is_given_again_as_its_client_got_it(shop: Shop, *, is_stream: bool) -> None:
    made = (shop.streamed if is_stream else shop.answer)(shop.ada, metadata={"a": "b"})
    got = shop.call("GET", str(made["id"]), shop.ada)
    assert got.status == 200
    assert json.loads(got.body) == made
    assert got.headers["cache-control"] == "no-store"
    specification.check_response(made)
    assert made["store"] is True
    assert made["previous_response_id"] is None
    assert made["metadata"] == {"a": "b"}


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_upstream_keeps_nothing_and_is_told_everything(shop: Shop, *, is_stream: bool) -> None:
    ask = shop.streamed if is_stream else shop.answer
    reply = stream_reply if is_stream else plain_reply
    shop.upstream.then(numbered(reply([Thought(), Called("look_up", '{"city":"Oslo"}')])))
    first = ask(shop.ada, tools=[TOOL])
    odd = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "\u2028 1.50"}]}
    second = ask(shop.ada, input=[RESULT, odd], previous_response_id=first["id"], tools=[TOOL])
    sent = shop.sent_upstream()
    assert sent["store"] is False
    assert "reasoning.encrypted_content" in sent["include"]
    assert "previous_response_id" not in sent
    assert sent["input"] == [USER, *first["output"], RESULT, odd]
    assert [item["type"] for item in first["output"]] == ["reasoning", "function_call"]
    assert (second["store"], second["previous_response_id"]) == (True, first["id"])
    assert second["usage"]["cost"] > 0


def test_items_that_a_client_only_names_are_sent_whole(shop: Shop) -> None:
    shop.upstream.then(numbered(plain_reply([Thought(), Called("look_up")])))
    first = shop.answer(shop.ada, tools=[TOOL])
    named = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    shop.answer(shop.ada, input=[USER, *named, RESULT], tools=[TOOL])
    assert shop.sent_upstream()["input"] == [USER, *first["output"], RESULT]


def test_hold_covers_what_was_said_before(shop: Shop) -> None:
    long = "word " * 40_000
    first = shop.answer(shop.ada, input=long)
    second = shop.answer(shop.ada, input="x", previous_response_id=first["id"])
    asked = http.request(shop.gateway.url, "GET", "/v1/requests?limit=2", key=shop.ada).json
    held = [
        http.request(shop.gateway.url, "GET", f"/v1/requests/{row['id']}", key=shop.ada).json["hold"]
        for row in asked["data"]
    ]
    assert int(held[0]["amount_nano"]) >= int(held[1]["amount_nano"]) > 0
    assert second["previous_response_id"] == first["id"]


def test_answer_that_is_not_to_be_stored_is_not(shop: Shop) -> None:
    made = shop.answer(shop.ada, store=False)
    assert made["store"] is False
    assert shop.call("GET", str(made["id"]), shop.ada).status == 404


def test_failed_answer_leaves_nothing(shop: Shop) -> None:
    first = shop.answer(shop.ada)
    calls = len(shop.upstream.calls)
    refused = shop.ask(shop.bob, previous_response_id=first["id"])
    assert refused.status == 400
    specification.check_error(refused.json)
    error = refused.json["error"]
    assert (error["param"], error["code"]) == ("previous_response_id", "previous_response_not_found")
    assert error["message"].startswith(f"Previous response with id '{first['id']}' not found.")
    assert len(shop.upstream.calls) == calls  # and nobody was asked


# ---- translated for an upstream that speaks Chat alone ---------------------------------------------------


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_conversation_goes_on_at_an_upstream_that_speaks_chat(shop: Shop, *, is_stream: bool) -> None:
    ask = shop.streamed if is_stream else shop.answer
    first = ask(shop.ada, model=CHAT_MODEL, instructions="Be brief.")
    assert shop.call("GET", str(first["id"]), shop.ada).json == first
    second = ask(shop.ada, model=CHAT_MODEL, input="And?", previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    assert second["id"] != first["id"]
    sent = shop.chat.calls[-1].json["messages"]
    answered = [{"type": "text", "text": first["output"][0]["content"][0]["text"]}]
    assert [(message["role"], message["content"]) for message in sent] == [
        ("user", "Hi"),
        ("assistant", answered),
        ("user", "And?"),
    ]
    specification.check_response(shop.call("GET", str(second["id"]), shop.ada).json)


def test_conversation_moves_from_one_kind_of_upstream_to_the_other(shop: Shop) -> None:
    first = shop.answer(shop.ada)
    second = shop.answer(shop.ada, model=CHAT_MODEL, input="And?", previous_response_id=first["id"])
    shop.answer(shop.ada, input="So?", previous_response_id=second["id"])
    said = [
        item["content"] if isinstance(item["content"], str) else item["content"][0]["text"]
        for item in shop.sent_upstream()["input"]
    ]
    answers = [one["output"][0]["content"][0]["text"] for one in (first, second)]
    assert said == ["Hi", answers[0], "And?", answers[1], "So?"]


# ---- whose it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")]
)
def test_answer_of_another_account_does_not_exist(shop: Shop, method: str, suffix: str) -> None:
    made = shop.answer(shop.ada)
    refused = shop.call(method, f"{made['id']}{suffix}", shop.bob)
    missing = shop.call(method, f"resp_none{suffix}", shop.bob)
    assert (refused.status, missing.status) == (404, 404)
    specification.check_error(refused.json)
    assert refused.body.replace(str(made["id"]).encode(), b"resp_none") == missing.body
    assert refused.json["error"]["message"].startswith(f"Response with id '{made['id']}' not found.")
    assert shop.call("GET", str(made["id"]), shop.ada).status == 200


def test_upstream_that_gives_one_id_to_two_customers_mixes_nothing_up(shop: Shop) -> None:
    body = json.dumps({**shop.answer(shop.ada), "id": "resp_same"})
    for name, key in (("Ada", shop.ada), ("Bob", shop.bob)):
        said = json.loads(body)
        said["output"][0]["content"][0]["text"] = name
        shop.upstream.then(steps.json(said))
        assert shop.answer(key, input=name)["id"] == "resp_same"
    for name, key in (("Ada", shop.ada), ("Bob", shop.bob)):
        got = shop.call("GET", "resp_same", key).json
        assert got["output"][0]["content"][0]["text"] == name
        items = shop.call("GET", "resp_same/input_items", key).json
        assert items["data"][0]["content"][0]["text"] == name


def test_test_key_sees_no_live_answer(shop: Shop) -> None:
    made = shop.answer(shop.ada)
    test_key = shop.gateway.new_key(account="ada", mode="test")
    assert shop.call("GET", str(made["id"]), test_key).status == 404
    other_key = shop.gateway.new_key(account="ada", mode="live")
    assert shop.call("GET", str(made["id"]), other_key).status == 200


def test_kept_answers_outlive_the_server(start_gateway, tmp_path) -> None:
    served = start_gateway(tmp_path)
    made = http.post(
        served.url, {"model": "gpt-5.5", "input": "Hi"}, key=served.test_key, path="/v1/responses"
    ).json
    served.kill()
    served.start()
    got = http.request(served.url, "GET", f"/v1/responses/{made['id']}", key=served.test_key)
    assert got.json == made


def test_old_answers_are_forgotten_by_the_server_itself(start_gateway, tmp_path) -> None:
    served = start_gateway(tmp_path, stored_responses_days=2)
    body = {"model": "gpt-5.5", "input": "Hi"}
    old, new = (
        http.post(served.url, body, key=served.test_key, path="/v1/responses").json["id"] for _ in range(2)
    )
    served.stop()
    with closing(sqlite3.connect(served.home / "runapi.db")) as database:
        days = 2 * 24 * 3600 * 1_000_000
        database.execute("UPDATE stored_response SET at_us = at_us - ? WHERE id = ?", (days + 1, old))
        database.execute("UPDATE stored_response SET at_us = at_us - ? WHERE id = ?", (days // 2, new))
        database.commit()
    served.start()
    deadline = time.monotonic() + 20
    while (kept := _kept(served)) != [new]:
        assert time.monotonic() < deadline, f"still there: {kept}"
        time.sleep(0.05)
    assert http.request(served.url, "GET", f"/v1/responses/{old}", key=served.test_key).status == 404
    assert http.request(served.url, "GET", f"/v1/responses/{new}", key=served.test_key).status == 200


def _kept(served: Gateway) -> list[str]:
    with closing(sqlite3.connect(f"file:{served.home / 'runapi.db'}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT id FROM stored_response")]


# ---- deleted, listed, cancelled --------------------------------------------------------------------------


def test_deleted_answer_is_gone(shop: Shop) -> None:
    made = shop.answer(shop.ada)
    deleted = shop.call("DELETE", str(made["id"]), shop.ada)
    assert (deleted.status, deleted.json) == (
        200,
        {"id": made["id"], "object": "response", "deleted": True},
    )
    assert shop.call("DELETE", str(made["id"]), shop.ada).status == 404
    assert shop.call("GET", str(made["id"]), shop.ada).status == 404
    assert shop.ask(shop.ada, previous_response_id=made["id"]).status == 400


def test_input_items_are_listed_with_all_that_was_said_before(shop: Shop) -> None:
    first = shop.answer(shop.ada, input="One")
    second = shop.answer(
        shop.ada, input=[{"role": "user", "content": "Two"}], previous_response_id=first["id"]
    )
    page = shop.call("GET", f"{second['id']}/input_items?order=asc", shop.ada).json
    assert [item["content"][0]["text"] for item in page["data"]] == ["One", "Hello.", "Two"]
    assert [item["role"] for item in page["data"]] == ["user", "assistant", "user"]
    assert page["data"][1]["id"] == first["output"][0]["id"]
    assert (page["object"], page["has_more"]) == ("list", False)
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][2]["id"])
    specification._check("ResponseItemList", page)
    newest_first = shop.call("GET", f"{second['id']}/input_items", shop.ada).json
    assert newest_first["data"] == page["data"][::-1]


@pytest.fixture(scope="module")
def long_one(one_shop: Shop) -> str:
    """The id of an answer to thirty items."""
    items = [{"role": "user", "content": str(number)} for number in range(30)]
    return str(one_shop.answer(one_shop.ada, input=items)["id"])


def listed(shop: Shop, response_id: str, query: str) -> tuple[list[int], dict[str, object]]:
    page = shop.call("GET", f"{response_id}/input_items?{query}", shop.ada).json
    assert isinstance(page, dict)
    return [int(item["content"][0]["text"]) for item in page["data"]], page


def test_input_items_come_in_pages(shop: Shop, long_one: str) -> None:
    numbers, page = listed(shop, long_one, "")
    assert (numbers, page["has_more"]) == (list(range(29, 9, -1)), True)
    numbers, page = listed(shop, long_one, f"after={page['last_id']}")
    assert (numbers, page["has_more"]) == (list(range(9, -1, -1)), False)
    numbers, page = listed(shop, long_one, f"after={page['last_id']}")
    assert (numbers, page["has_more"], page["first_id"], page["last_id"]) == ([], False, None, None)
    numbers, page = listed(shop, long_one, "order=asc&limit=3")
    assert numbers == [0, 1, 2]
    third = page["last_id"]
    assert listed(shop, long_one, f"order=asc&limit=3&after={third}")[0] == [3, 4, 5]
    numbers, page = listed(shop, long_one, f"order=asc&limit=1&before={third}")
    assert (numbers, page["has_more"]) == ([1], True)
    assert len(listed(shop, long_one, "limit=100")[0]) == 30


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("order=up", "order"),
        ("after=msg_none", "after"),
        ("before=msg_none", "before"),
    ],
)
def test_page_that_there_cannot_be_is_400(shop: Shop, long_one: str, query: str, param: str) -> None:
    refused = shop.call("GET", f"{long_one}/input_items?{query}", shop.ada)
    assert refused.status == 400
    specification.check_error(refused.json)
    assert (refused.json["error"]["param"], refused.json["error"]["code"]) == (param, "invalid_value")


def test_parameters_that_change_nothing_here_are_let_through(shop: Shop, long_one: str) -> None:
    query = "include[]=reasoning.encrypted_content&include[]=message.output_text.logprobs&stream=false"
    assert shop.call("GET", f"{long_one}?{query}&beta=true", shop.ada).status == 200
    assert shop.call("GET", f"{long_one}/input_items?{query}", shop.ada).status == 200


def test_stored_answer_is_not_streamed(shop: Shop, long_one: str) -> None:
    refused = shop.call("GET", f"{long_one}?stream=true", shop.ada)
    assert (refused.status, refused.json["error"]["param"]) == (400, "stream")
    specification.check_error(refused.json)


def test_answer_cannot_be_cancelled_afterwards(shop: Shop, long_one: str) -> None:
    refused = shop.call("POST", f"{long_one}/cancel", shop.ada)
    assert refused.status == 400
    specification.check_error(refused.json)
    assert refused.json["error"]["message"].startswith("Cannot cancel a synchronous response.")


# ---- OpenAI's own client ---------------------------------------------------------------------------------


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.test_key, max_retries=0) as made:
        yield made


def test_openais_client_carries_a_conversation_on(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-5.5", input="My name is Ada.")
    second = client.responses.create(model="gpt-5.5", input="And?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens
    assert client.responses.retrieve(second.id) == second
    items = list(client.responses.input_items.list(second.id, order="asc", limit=2))  # in two pages
    assert [item.type for item in items] == ["message"] * 3
    assert items[1].id == first.output[0].id


def test_openais_client_streams_and_goes_on(client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt-5.5", input="Hello") as stream:
        first = stream.get_final_response()
    assert client.responses.retrieve(first.id).output_text == first.output_text
    second = client.responses.create(model="gpt-5.4", input="And?", previous_response_id=first.id)
    assert second.previous_response_id == first.id


def test_openais_client_deletes(client: openai.OpenAI) -> None:
    made = client.responses.create(model="gpt-5.5", input="Hello")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match="Response with id"):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="Previous response with id"):
        client.responses.create(model="gpt-5.5", input="And?", previous_response_id=made.id)
