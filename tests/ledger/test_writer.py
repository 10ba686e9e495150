"""The writer: batches form by themselves, nothing is acknowledged that is not committed, nothing is left held."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fakes.postgres import Postgres
from ledger.filled import AT_US, USAGE, hold, open_accounts, record, settle, topup
from runapi.core.keys import Mode
from runapi.core.ledger.books import Balance
from runapi.core.ledger.operations import (
    AlreadyEnded,
    Checkpoint,
    Duplicate,
    Held,
    Insufficient,
    Invalid,
    Posted,
    Released,
    Settled,
    Void,
)
from runapi.store.database import Database
from runapi.store.faults import LedgerFenced, LedgerUnavailable
from runapi.store.ledger.customers import read_balance, read_transfers
from runapi.store.ledger.recovery import recover, take_seat
from runapi.store.ledger.verify import verify
from runapi.store.ledger.writer import LedgerWriter, Seat
from runapi.store.requests import list_requests

StartWriter = Callable[..., Awaitable[LedgerWriter]]


@pytest.fixture
async def start_writer(database: Database) -> AsyncIterator[StartWriter]:
    """Open accounts and start a writer; afterwards nothing is held that a test did not want held, and all is proven."""
    started: list[LedgerWriter] = []

    async def start(live_nano: int = 1_000_000, **settings: Any) -> LedgerWriter:
        seat = await asyncio.to_thread(open_accounts, database, live_nano=live_nano)
        settings = {"retry_after_s": 0.02, "on_fatal": pytest.fail} | settings
        started.append(LedgerWriter(database, seat, **settings))
        return started[-1]

    yield start
    for writer in started:
        await writer.close()
    found = await database.run(verify)
    assert found.faults == ()


async def balance(database: Database, account_id: int = 1) -> Balance | None:
    return await database.run(read_balance, account_id, Mode.LIVE)


async def test_request_is_held_settled_and_its_row_written(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    asked = hold("r1", amount_nano=300)
    held = await writer.submit(asked)
    assert isinstance(held, Held)
    assert (held.granted_nano, held.available_nano) == (300, 700)
    assert await balance(database) == Balance(1_000, 300)
    settled = await writer.submit(settle("r1", 120, record(asked, 120)))
    assert isinstance(settled, Settled)
    assert (settled.charged_nano, settled.written_off_nano, settled.available_nano) == (120, 0, 880)
    assert await balance(database) == Balance(880, 0)
    [row] = await database.run(lambda connection: list_requests(connection, limit=9))
    assert row == record(asked, 120)
    transfers = await database.run(read_transfers, "r1")
    assert [(t.seq, t.kind, t.amount) for t in transfers] == [
        (held.seq, "hold", 300),
        (settled.seq, "settle", 120),
    ]
    assert transfers[1].usage == USAGE


async def test_of_200_concurrent_requests_exactly_as_many_are_admitted_as_are_paid_for(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=7_000)
    chance = Random(5)

    async def ask(number: int) -> Held | Insufficient:
        await asyncio.sleep(chance.random() / 50)
        outcome = await writer.submit(hold(f"r{number}", amount_nano=100))
        assert isinstance(outcome, Held | Insufficient)
        return outcome

    outcomes = await asyncio.gather(*(ask(number) for number in range(200)))
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 70
    assert min(outcome.available_nano for outcome in outcomes) == 0
    assert await balance(database) == Balance(7_000, 7_000)


async def test_callers_that_are_cancelled_at_any_moment_leave_nothing_held(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=2_000)
    chance = Random(6)

    async def ask(number: int) -> None:
        await asyncio.sleep(chance.random() / 50)
        outcome = await writer.submit(hold(f"r{number}", amount_nano=100))
        if isinstance(outcome, Held):
            await writer.submit(settle(f"r{number}", 1))

    tasks = [asyncio.create_task(ask(number)) for number in range(200)]
    for task in tasks:
        asyncio.get_running_loop().call_later(chance.random() / 30, task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    await writer.close()
    left = await balance(database)
    assert left is not None
    assert left.held == 0


async def test_money_is_never_promised_twice_under_mixed_concurrent_requests(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=5_000)
    chance = Random(7)
    charged = [0, 0, 0, 0]
    watching = True

    async def request(number: int) -> None:
        account = 1 + number % 3
        asked = hold(f"r{number}", account, chance.randint(1, 900), least_nano=1)
        outcome = await writer.submit(asked)
        assert isinstance(outcome, Held | Insufficient)
        assert outcome.available_nano >= 0
        if isinstance(outcome, Insufficient):
            return
        await asyncio.sleep(chance.random() / 200)
        if chance.random() < 0.3:
            ended = await writer.submit(
                Void(request_id=asked.request_id, reason="upstream failed", at_us=AT_US)
            )
            assert isinstance(ended, Released)
            return
        settled = await writer.submit(settle(asked.request_id, chance.randint(0, 40)))
        assert isinstance(settled, Settled)
        charged[account] += settled.charged_nano

    async def watch() -> None:
        while watching:
            for account in (1, 2, 3):
                now = await balance(database, account)
                assert now is not None
                assert now.available >= 0
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(request(number) for number in range(600)))
    watching = False
    await watcher
    for account in (1, 2, 3):
        assert await balance(database, account) == Balance(5_000 - charged[account], 0)
    assert writer.batches < writer.operations / 2  # batches formed by themselves


async def test_what_arrives_during_a_commit_is_the_next_batch(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer()
    outcomes = await asyncio.gather(*(writer.submit(hold(f"r{number}")) for number in range(100)))
    assert all(isinstance(outcome, Held) for outcome in outcomes)
    assert [outcome.seq for outcome in outcomes] == list(range(outcomes[0].seq, outcomes[0].seq + 100))
    assert (writer.batches, writer.operations) == (1, 100)
    await writer.submit(hold("alone"))
    assert writer.batches == 2


async def test_repeated_operations_change_nothing(database: Database, start_writer: StartWriter) -> None:
    writer = await start_writer(live_nano=1_000)
    payment = topup(1, 50)
    asked, ended = hold("r1", amount_nano=300), settle("r1", 120)
    outcomes = [
        *await asyncio.gather(*(writer.submit(payment) for _ in range(5))),
        *await asyncio.gather(*(writer.submit(asked) for _ in range(5))),
        *await asyncio.gather(*(writer.submit(ended) for _ in range(5))),
    ]
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Posted, *[Duplicate] * 4, Held, *[Duplicate] * 4, Settled, *[AlreadyEnded] * 4]
    assert await balance(database) == Balance(930, 0)


async def test_hold_of_a_caller_that_was_cancelled_is_given_back(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    tasks = [asyncio.create_task(writer.submit(hold(f"r{number}"))) for number in range(5)]
    while not writer._is_busy:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # the batch is on its way
    for task in tasks:
        task.cancel()
    late = asyncio.create_task(writer.submit(hold("late")))
    await asyncio.sleep(0)
    late.cancel()  # before its batch began
    results = await asyncio.gather(*tasks, late, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await writer.close()
    assert await balance(database) == Balance(1_000, 0)
    assert await database.run(read_transfers, "late") == []


async def test_settlement_of_a_caller_that_was_cancelled_is_done(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    await writer.submit(hold("r1"))
    task = asyncio.create_task(writer.submit(settle("r1", 40)))
    await asyncio.sleep(0)
    task.cancel()
    await writer.close()
    assert await balance(database) == Balance(960, 0)


async def test_notes_are_committed_soon_though_nobody_waits(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    for request_id in ("r1", "r2"):
        await writer.submit(hold(request_id))
    writer.note(Checkpoint(request_id="r1", progress_pico=5_000, usage=USAGE, at_us=AT_US))
    writer.note(Checkpoint(request_id="r1", progress_pico=7_000, usage=USAGE, at_us=AT_US))
    writer.note(Void(request_id="r2", reason="nobody cares", at_us=AT_US))

    def progress(connection: Connection) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text("SELECT request_id, progress_pico FROM hold"))]

    async with asyncio.timeout(10):
        while await database.run(progress) != [("r1", 7_000)]:
            await asyncio.sleep(0.01)


async def test_note_that_comes_after_its_hold_in_one_turn_finds_it(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    task = asyncio.create_task(writer.submit(hold("r1")))
    await asyncio.sleep(0)
    writer.note(Void(request_id="r1", reason="client left", at_us=AT_US))
    assert isinstance(await task, Held)
    await writer.close()
    assert await balance(database) == Balance(1_000, 0)


async def test_invalid_operation_is_told_and_the_rest_of_the_batch_goes_on(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer()
    outcomes = await asyncio.gather(
        *(writer.submit(hold("r1", amount_nano=amount)) for amount in (-5, 10**30, 1.5, True)),  # type: ignore[arg-type]
        writer.submit(hold("r2")),
    )
    assert [type(outcome) for outcome in outcomes] == [Invalid] * 4 + [Held]


async def test_operation_that_the_database_refuses_does_not_take_others_with_it(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    asked = [hold(f"r{number}") for number in range(4)]
    assert len([await writer.submit(one) for one in asked]) == 4
    broken = record(asked[1], 10)
    broken.model = "\ud800"  # half a character: no database takes it
    results = await asyncio.gather(
        writer.submit(settle("r0", 10, record(asked[0], 10))),
        writer.submit(settle("r1", 10, broken)),
        writer.submit(hold("\ud800")),
        writer.submit(settle("r2", 10, record(asked[2], 10))),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Settled, Settled, LedgerUnavailable, Settled]
    rows = await database.run(lambda connection: list_requests(connection, limit=9))
    assert {row.id for row in rows} == {"r0", "r2"}  # the money is right, the row is lost and logged
    assert await balance(database) == Balance(970, 100)


async def test_too_many_waiting_are_refused_but_never_a_settlement(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(most_waiting=3)
    for number in range(3):
        await writer.submit(hold(f"old{number}"))
    asked = [writer.submit(hold(f"r{number}")) for number in range(5)]
    ends = [writer.submit(settle(f"old{number}", 1)) for number in range(3)]
    results = await asyncio.gather(*asked, *ends, return_exceptions=True)
    assert [type(result) for result in results] == [Held] * 3 + [LedgerUnavailable] * 2 + [Settled] * 3


async def test_closed_writer_has_committed_everything_and_takes_no_more(
    database: Database, start_writer: StartWriter
) -> None:
    writer = await start_writer(live_nano=1_000)
    tasks = [asyncio.create_task(writer.submit(hold(f"r{number}"))) for number in range(9)]
    await asyncio.sleep(0)
    writer.note(Void(request_id="r8", reason="", at_us=AT_US))
    await writer.close()
    assert all(isinstance(outcome, Held) for outcome in await asyncio.gather(*tasks))
    with pytest.raises(LedgerUnavailable, match="stopping"):
        await writer.submit(hold("late"))
    assert await balance(database) == Balance(1_000, 800)
    await writer.close()


async def test_writer_of_an_older_epoch_is_fenced(database: Database) -> None:
    seat = await asyncio.to_thread(open_accounts, database)
    lost: list[BaseException] = []
    writer = LedgerWriter(database, seat, lost.append)
    assert isinstance(await writer.submit(hold("r1")), Held)
    newer = await database.run(take_seat, seat.node, AT_US)
    assert newer == Seat(seat.node, seat.epoch + 1)
    results = await asyncio.gather(
        writer.submit(settle("r1", 10)), writer.submit(hold("r2")), return_exceptions=True
    )
    assert [type(result) for result in results] == [LedgerUnavailable] * 2
    assert [type(fault) for fault in lost] == [LedgerFenced]
    with pytest.raises(LedgerUnavailable):
        await writer.submit(hold("r3"))
    assert [t.kind for t in await database.run(read_transfers, "r1")] == ["hold"]
    await writer.close()


async def test_two_nodes_on_one_postgres_admit_together_what_is_paid_for_and_no_more(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    databases = [Database.open(tmp_path / name, url) for name in ("a", "b")]
    seats = [await asyncio.to_thread(open_accounts, databases[0], live_nano=7_000)]
    seats.append((await asyncio.to_thread(recover, databases[1], AT_US)).seat)
    assert seats[0].node != seats[1].node
    writers = [
        LedgerWriter(database, seat, pytest.fail) for database, seat in zip(databases, seats, strict=True)
    ]
    chance = Random(9)

    async def ask(number: int) -> bool:
        await asyncio.sleep(chance.random() / 10)
        outcome = await writers[number % 2].submit(hold(f"r{number}", amount_nano=100))
        assert isinstance(outcome, Held | Insufficient)
        assert outcome.available_nano >= 0
        if isinstance(outcome, Held) and number % 3 == 0:  # ended by the other node
            ended = await writers[1 - number % 2].submit(settle(f"r{number}", 100))
            assert isinstance(ended, Settled)
        return isinstance(outcome, Held)

    assert sum(await asyncio.gather(*(ask(number) for number in range(200)))) == 70
    for writer, database in zip(writers, databases, strict=True):
        assert writer.batches > 3
        await writer.close()
        assert (await database.run(verify)).faults == ()
        await database.close()
