"""Many clients of one request: fast, slow, stalled and gone ones, and answers too long to be kept."""

import asyncio
import itertools
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.keyed_requests import (
    BODY,
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
)
from runapi.core.keys import DisconnectPolicy
from runapi.core.problems import Problem
from runapi.flows.idempotency import Recorder, Run
from runapi.flows.running_requests import Budget, Recording
from runapi.store.database import Database

KEYS = itertools.count()


async def test_with_the_cancel_policy_the_request_goes_on_while_anybody_listens(database: Database):
    database.run_now(open_books)
    ask = Ask(database, who=principal(on_disconnect=DisconnectPolicy.CANCEL))
    told = asyncio.Event()

    def cancelled(request_id: str) -> Run:
        async def run(recorder: Recorder) -> None:
            await database.run(hold, ask.who, request_id)
            await recorder.client.start(200, [])
            await recorder.client.send(b"half")
            gone = asyncio.Event()
            recorder.client.on_gone(gone.set)
            await gone.wait()
            told.set()
            await database.run(settle, request_id, recorder.keep(b"", now_us()))

        return run

    first, second = Client(), Client()
    running = asyncio.create_task(ask(cancelled, client=first))
    await first.wait_for(b"half")
    joined = asyncio.create_task(ask(never, client=second))
    await second.wait_for(b"half")
    first.leave()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not told.is_set()
    second.leave()
    await asyncio.gather(running, joined)
    assert told.is_set()
    # It was charged for what had come, so the key stays used; but half an answer is none.
    assert (await refused(ask, never)).code == "idempotency_answer_lost"


async def test_a_long_answer_is_passed_on_whole_and_not_kept(database: Database):
    database.run_now(open_books)
    ask = Ask(database, requests_on(database, most_answer_bytes=1000))
    go_on = asyncio.Event()
    parts = (b"x" * 600, b"y" * 600, b"end")
    first, second = Client(), Client()
    running = asyncio.create_task(ask(ask.serving(parts, between=lambda _: go_on.wait()), client=first))
    await first.wait_for(parts[0])
    joined = asyncio.create_task(ask(never, client=second))
    await second.wait_for(parts[0])
    go_on.set()
    await asyncio.gather(running, joined)
    assert first.body == second.body == b"".join(parts)
    lost = await refused(ask, never)
    assert (lost.status, lost.should_retry) == (410, False)
    assert ask.runs[0] in lost.message
    assert await database.run(spent_nano) == COST_NANO


async def test_an_answer_that_its_last_bytes_make_too_long_is_not_kept(database: Database):
    database.run_now(open_books)
    ask = Ask(database, requests_on(database, most_answer_bytes=1000))
    assert len((await ask(ask.serving((b"x" * 600, b"y" * 401)))).body) == 1001
    assert (await refused(ask, never)).code == "idempotency_answer_lost"
    await ask(ask.serving((b"x" * 600, b"y" * 400)), key=b"key-2")
    assert len((await ask(never, key=b"key-2")).body) == 1000


async def test_a_draining_request_is_not_told_that_its_client_left_while_its_answer_is_kept(
    ask: Ask, database: Database
):
    go_on, told = asyncio.Event(), []

    def watching(request_id: str) -> Run:
        async def run(recorder: Recorder) -> None:
            unwatch = recorder.client.on_gone(lambda: told.append(True))
            await ask.serving(between=lambda _: go_on.wait())(request_id)(recorder)
            unwatch()

        return run

    first = Client()
    running = asyncio.create_task(ask(watching, client=first))
    await first.wait_for(b"one ")
    first.leave()
    for _ in range(20):
        await asyncio.sleep(0)
    go_on.set()
    await running
    await asyncio.sleep(0)
    assert told == []
    assert (await ask(never)).body == b"one two end"


async def test_a_writer_that_was_interrupted_leaves_no_answer():
    """The relay stops a write that takes too long, and may leave out what follows: the rest would not fit on."""
    recording = Recording(Budget(10**9), most_bytes=10**9, stall_s=5, stop_when_alone=False)
    client = Client()
    client.reads.clear()
    reading = asyncio.create_task(recording.follow(client, replayed=False))
    await asyncio.sleep(0)
    await recording.start(200, [])
    writing = asyncio.create_task(recording.send(b"x" * 1_000_000))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not writing.done()
    writing.cancel()
    await asyncio.wait({writing})
    assert recording.answer(b"end") is None
    reading.cancel()


async def test_what_is_not_kept_waits_for_the_slowest_reader_so_that_memory_is_bounded():
    budget = Budget(10**9)
    recording = Recording(budget, most_bytes=1000, stall_s=5, stop_when_alone=False)
    fast, slow = Client(), Client()
    slow.reads.clear()
    reading = [asyncio.create_task(recording.follow(client, replayed=False)) for client in (fast, slow)]
    await asyncio.sleep(0)
    await recording.start(200, [])

    async def write() -> None:
        for _ in range(100):
            await recording.send(b"x" * 100_000)
        await recording.send(b"end", last=True)

    writing = asyncio.create_task(write())
    for _ in range(500):
        await asyncio.sleep(0)
    assert not writing.done()
    assert budget.used_bytes < 1_000_000
    slow.reads.set()
    await asyncio.gather(writing, *reading)
    assert fast.body == slow.body == b"x" * 10_000_000 + b"end"


async def test_who_comes_when_the_beginning_is_gone_is_asked_to_wait(database: Database):
    database.run_now(open_books)
    ask = Ask(database, requests_on(database, most_answer_bytes=1000))
    go_on = asyncio.Event()
    parts = (b"x" * 1200, b"end")
    first = Client()
    running = asyncio.create_task(ask(ask.serving(parts, between=lambda _: go_on.wait()), client=first))
    await first.wait_for(parts[0])
    late = await refused(ask, never)
    assert (late.status, late.code, late.retry_after_s) == (409, "idempotency_request_running", 5)
    go_on.set()
    await running


async def test_all_recordings_together_are_bounded(database: Database):
    database.run_now(open_books)
    ask = Ask(database, requests_on(database, most_total_bytes=1000))
    clients = await asyncio.gather(
        *(ask(ask.serving((b"x" * 300, b"end")), key=b"key-%d" % number) for number in range(10))
    )
    assert {client.body for client in clients} == {b"x" * 300 + b"end"}
    assert ask.requests._budget.used_bytes == 0
    kept = 0
    for number in range(10):
        with suppress(Problem):
            kept += (await ask(never, key=b"key-%d" % number)).whole
    assert 0 < kept < 10


async def test_a_slow_reader_holds_up_nobody_and_gets_everything(ask: Ask):
    go_on = asyncio.Event()
    parts = (b"one ", b"z" * 1_000_000, b"end")
    first, slow = Client(), Client()
    slow.reads.clear()
    running = asyncio.create_task(ask(ask.serving(parts, between=lambda _: go_on.wait()), client=first))
    await first.wait_for(b"one ")
    joined = asyncio.create_task(ask(never, client=slow))
    go_on.set()
    await running
    assert first.whole
    assert slow.body == b""
    slow.reads.set()
    await joined
    assert slow.body == first.body == b"".join(parts)


async def test_a_request_waits_for_its_only_reader(ask: Ask):
    client = Client()
    client.reads.clear()
    sent = []

    async def note(number: int) -> None:
        sent.append(number)

    parts = tuple(b"p" * 100_000 for _ in range(20))
    running = asyncio.create_task(ask(ask.serving(parts, between=note), client=client))
    while not sent:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert len(sent) < 6  # 256 KiB ahead, and a piece that is under way
    client.reads.set()
    await running
    assert client.body == b"".join(parts)


async def test_a_reader_that_stalls_is_let_go_and_the_request_ends(database: Database):
    database.run_now(open_books)
    ask = Ask(database, requests_on(database, stall_s=0.05))
    stalled = Client()
    stalled.reads.clear()
    await ask(ask.serving(tuple(b"p" * 100_000 for _ in range(20))), client=stalled)
    assert not stalled.whole
    assert len((await ask(never)).body) == 2_000_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunks=st.lists(st.binary(max_size=40), min_size=1, max_size=8),
    joins=st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=12),
    limit=st.sampled_from([16, 100, 10_000]),
)
async def test_everybody_who_stays_gets_the_same_bytes(database: Database, chunks, joins, limit):
    """Clients join between any two chunks, and some leave at once: who is let in and stays gets exactly the answer."""
    if not await database.run(lambda connection: connection.exec_driver_sql("SELECT 1 FROM account").first()):
        await database.run(open_books)
    ask = Ask(database, requests_on(database, most_answer_bytes=limit))
    tasks: list[asyncio.Task[Client]] = []
    key = b"key-%d" % next(KEYS)

    async def let_join(step: int) -> None:
        for at, leaves in joins:
            if at == step:
                client = Client()
                if leaves:
                    client.leave()
                tasks.append(asyncio.create_task(ask(never, key=key, client=client)))
        await asyncio.sleep(0)

    first = await ask(ask.serving(chunks, between=let_join), key=key, body=BODY)
    answer = b"".join(chunks)
    assert (first.body, first.whole) == (answer, True)
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Problem):
            assert result.code in {"idempotency_request_running", "idempotency_answer_lost"}
            assert len(answer) > limit
        else:
            assert isinstance(result, Client), result
            assert result.body == answer or not result.whole
