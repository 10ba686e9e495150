"""Requests under one Idempotency-Key: served once, charged once, answered alike."""

import asyncio

import pytest

from fakes.both_engines import ON_BOTH
from fakes.keyed_requests import (
    COST_NANO,
    Ask,
    Client,
    hold,
    never,
    now_us,
    open_books,
    principal,
    refused,
    requests_on,
    settle,
    spent_nano,
    void,
)
from runapi.core import problems
from runapi.core.keys import Mode
from runapi.flows.idempotency import Recorder, Run
from runapi.store.database import Database


@ON_BOTH
async def test_a_hundred_at_once_are_served_once_and_all_get_the_stream(ask: Ask, database: Database):
    clients = await asyncio.gather(*(ask(ask.serving()) for _ in range(100)))
    assert {client.body for client in clients} == {b"one two end"}
    assert all(client.whole and client.status == 200 for client in clients)
    assert len(ask.runs) == 1
    assert sum(client.is_replay for client in clients) == 99
    assert await database.run(spent_nano) == COST_NANO


async def test_who_joins_in_the_middle_gets_the_beginning_and_then_what_comes(ask: Ask):
    go_on = asyncio.Event()
    first, late = Client(), Client()
    running = asyncio.create_task(ask(ask.serving(between=lambda _: go_on.wait()), client=first))
    await first.wait_for(b"one ")
    joined = asyncio.create_task(ask(never, client=late))
    await late.wait_for(b"one ")
    assert not late.whole
    go_on.set()
    await asyncio.gather(running, joined)
    assert first.body == late.body == b"one two end"
    assert (first.is_replay, late.is_replay) == (False, True)


async def test_a_finished_request_is_answered_from_what_was_kept(ask: Ask, database: Database):
    first = await ask(ask.serving())
    again = await ask(never)
    assert (again.status, again.body, again.whole) == (200, b"one two end", True)
    assert again.headers == first.headers | {b"idempotent-replayed": b"true"}
    assert await database.run(spent_nano) == COST_NANO


@ON_BOTH
async def test_a_kept_answer_survives_a_restart(ask: Ask, database: Database, engine_url: str | None):
    await ask(ask.serving())
    database.close_now()
    reopened = Database.open(database.home, engine_url)
    try:
        assert (await Ask(reopened)(never)).body == b"one two end"
    finally:
        reopened.close_now()


async def test_a_whole_reply_is_kept_with_its_settlement_before_it_is_sent(ask: Ask, database: Database):
    reply = b'{"id":"chatcmpl-1"}'
    head = (200, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))])

    def whole(request_id: str) -> Run:
        async def run(recorder: Recorder) -> None:
            await database.run(hold, ask.who, request_id)
            await database.run(settle, request_id, recorder.keep(reply, now_us(), head))
            raise asyncio.CancelledError  # the process dies before the first byte leaves

        return run

    with pytest.raises(asyncio.CancelledError):
        await ask(whole)
    again = await ask(never)
    assert (again.body, again.headers[b"content-type"]) == (reply, b"application/json")
    assert await database.run(spent_nano) == COST_NANO


@ON_BOTH
@pytest.mark.parametrize("when", ["running", "finished"])
async def test_another_body_or_url_under_the_key_is_refused(ask: Ask, when: str):
    go_on = asyncio.Event()
    first = Client()
    running = asyncio.create_task(ask(ask.serving(between=lambda _: go_on.wait()), client=first))
    await first.wait_for(b"one ")
    if when == "finished":
        go_on.set()
        await running
    other = await refused(ask, never, body=b"{}")
    elsewhere = await refused(ask, never, path="/v1/responses")
    assert {other.status, elsewhere.status} == {422}
    assert {other.code, elsewhere.code} == {"idempotency_key_reused"}
    assert ask.runs[0] in other.message
    go_on.set()
    await running
    assert first.body == b"one two end"


async def test_the_wrong_body_does_not_stand_in_the_way_of_the_right_one(ask: Ask):
    """Both arrive together after the key was used: the wrong one, which came first, must not decide for the other."""
    await ask(ask.serving())
    wrong, right = await asyncio.gather(refused(ask, never, body=b"{}"), ask(never))
    assert (wrong.status, right.body) == (422, b"one two end")


@ON_BOTH
async def test_a_key_counts_within_one_account_and_mode(ask: Ask, database: Database):
    other = await database.run(lambda connection: open_books(connection, name="other"))
    everyone = [principal(), principal(other), principal(mode=Mode.LIVE)]
    for number, who in enumerate(everyone):
        asker = Ask(database, ask.requests, who)
        client = await asker(asker.serving((b"%d" % number,)))
        assert (client.body, client.is_replay) == (b"%d" % number, False)
    assert await database.run(spent_nano) == 3 * COST_NANO


async def test_a_request_refused_before_the_upstream_is_not_kept(ask: Ask, database: Database):
    reached, go_on = asyncio.Event(), asyncio.Event()

    def refusing(_request_id: str) -> Run:
        async def run(_recorder: Recorder) -> None:
            reached.set()
            await go_on.wait()
            raise problems.unknown_model("gpt-9")

        return run

    waiting = [asyncio.create_task(refused(ask, refusing)) for _ in range(5)]
    await reached.wait()
    go_on.set()
    told = await asyncio.gather(*waiting)
    assert {problem.status for problem in told} == {404}
    assert len({id(problem) for problem in told}) == 5
    assert (await ask(ask.serving())).is_replay is False


@ON_BOTH
async def test_a_request_that_failed_at_the_upstream_costs_nothing_and_can_be_sent_again(
    ask: Ask, database: Database
):
    def failing(request_id: str) -> Run:
        async def run(_recorder: Recorder) -> None:
            await database.run(hold, ask.who, request_id)
            await database.run(void, request_id)
            raise problems.upstream_timeout()

        return run

    assert (await refused(ask, failing)).status == 504
    elsewhere = Ask(database, requests_on(database, node=2))  # another process may be asked next
    assert (await elsewhere(elsewhere.serving())).body == b"one two end"
    assert await database.run(spent_nano) == COST_NANO


async def test_a_request_that_returns_without_an_end_breaks_off_and_gives_the_key_back(ask: Ask):
    def broken(_request_id: str) -> Run:
        async def run(recorder: Recorder) -> None:
            await recorder.client.start(200, [])
            await recorder.client.send(b"half")

        return run

    client = await ask(broken)
    assert (client.body, client.whole) == (b"half", False)
    assert (await ask(ask.serving())).whole


async def test_the_client_that_left_finds_its_whole_answer_when_it_comes_back(ask: Ask, database: Database):
    go_on = asyncio.Event()
    first = Client()
    running = asyncio.create_task(ask(ask.serving(between=lambda _: go_on.wait()), client=first))
    await first.wait_for(b"one ")
    first.leave()
    go_on.set()
    await running
    assert first.body == b"one "
    assert (await ask(never)).body == b"one two end"
    assert await database.run(spent_nano) == COST_NANO


@pytest.mark.parametrize("key", [b"", b"x" * 513, "ключ".encode(), b"a\tb", b"a\x7f"])
async def test_a_key_that_is_not_printable_ascii_is_refused(ask: Ask, key: bytes):
    problem = await refused(ask, never, key=key)
    assert (problem.status, problem.code) == (400, "invalid_idempotency_key")


async def test_the_longest_key_is_accepted(ask: Ask):
    assert (await ask(ask.serving(), key=b"~" * 512)).whole


async def test_neither_the_answer_nor_the_key_can_be_read_in_the_database(ask: Ask, database: Database):
    await ask(ask.serving((b"canary-answer", b"end")), key=b"canary-key")
    database.close_now()
    stored = b"".join(file.read_bytes() for file in database.home.iterdir() if file.is_file())
    assert b"canary" not in stored
