"""What becomes of a key after a crash, in another process, and a day later."""

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
    refused,
    requests_on,
    settle,
    spent_nano,
    void,
)
from runapi.core.idempotency import KEPT_US
from runapi.flows.idempotency import Recorder, Run, forget_old_keys
from runapi.store.database import Database


def dying(ask: Ask, *, held: bool) -> object:
    def for_request(request_id: str) -> Run:
        async def run(_recorder: Recorder) -> None:
            ask.runs.append(request_id)
            if held:
                await ask.database.run(hold, ask.who, request_id)
            raise KeyboardInterrupt  # no boundary of ours catches it: the claim stays as a killed process leaves it

        return run

    return for_request


async def crash(ask: Ask, *, held: bool) -> str:
    task = ask(dying(ask, held=held))
    with pytest.raises(KeyboardInterrupt):
        await task
    return ask.runs[-1]


@ON_BOTH
async def test_after_a_crash_before_the_hold_the_key_is_free(ask: Ask, database: Database):
    await crash(ask, held=False)
    assert (await Ask(database)(ask.serving())).whole


@ON_BOTH
async def test_after_a_crash_that_was_voided_the_key_is_free(ask: Ask, database: Database):
    await database.run(void, await crash(ask, held=True))
    assert (await Ask(database)(ask.serving())).whole
    assert await database.run(spent_nano) == COST_NANO


@ON_BOTH
async def test_after_a_crash_that_was_charged_nothing_is_charged_again(ask: Ask, database: Database):
    await database.run(settle, await crash(ask, held=True), None, 1_000)
    assert (await refused(Ask(database), never)).code == "idempotency_answer_lost"
    assert await database.run(spent_nano) == 1_000


@ON_BOTH
async def test_while_money_is_held_for_a_request_the_key_is_not_given_away(ask: Ask, database: Database):
    await crash(ask, held=True)
    assert (await refused(Ask(database), never)).code == "idempotency_request_running"


@ON_BOTH
async def test_a_request_in_another_process_cannot_be_joined(ask: Ask, database: Database):
    go_on = asyncio.Event()
    first = Client()
    running = asyncio.create_task(ask(ask.serving(between=lambda _: go_on.wait()), client=first))
    await first.wait_for(b"one ")
    elsewhere = Ask(database, requests_on(database, node=2))
    assert (await refused(elsewhere, never)).code == "idempotency_request_running"
    go_on.set()
    await running
    assert (await elsewhere(never)).body == b"one two end"


@ON_BOTH
async def test_a_key_is_free_after_a_day(ask: Ask, database: Database):
    await ask(ask.serving())
    later = Ask(database, requests_on(database, now_us=lambda: now_us() + KEPT_US))
    assert (await later(later.serving(), body=b"{}")).is_replay is False


@ON_BOTH
async def test_old_keys_and_answers_are_deleted(ask: Ask, database: Database):
    await ask(ask.serving())
    await forget_old_keys(database, now_us())
    assert await database.run(count_rows) == (1, 1)
    await forget_old_keys(database, now_us() + KEPT_US)
    assert await database.run(count_rows) == (0, 0)


def count_rows(connection) -> tuple[int, int]:
    found = connection.exec_driver_sql(
        "SELECT (SELECT count(*) FROM idempotency_key), (SELECT count(*) FROM kept_answer)"
    ).one()
    return found[0], found[1]
