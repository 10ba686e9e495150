"""`python -m bench.ledger`: what the ledger costs, on SQLite and on a private PostgreSQL; `--verify` times the proof."""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvloop

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import OpenHold, Operation, Post, Settle, make_tid
from runapi.core.ledger.recover import write_usage
from runapi.core.money import NANO_PER_USD
from runapi.core.price_book import Price
from runapi.core.pricing import PriceTable, Rates, charge
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.verify import verify, verify_running
from runapi.store.ledger.writer import LedgerWriter, Seat
from runapi.store.prices import publish_prices

ACCOUNTS = 20
CONCURRENT = 64
MODEL = "gpt-5.5"
PRICES = PriceTable(standard=Rates(input=2_500_000, output=15_000_000, cached=250_000, cache_write=2_500_000))
USED = Usage(1200, 800, 0, 350, 64)
USAGE = write_usage(USED)
COST = charge(PRICES, USED)
HOLD_NANO = 10_000_000
OTHER_WORK_US = 150  # of the event loop for each request: about what the gateway itself takes
VERIFIED_TRANSFERS = 1_000_000


class Ids:
    """Request ids as the edge makes them: the time first."""

    def __init__(self) -> None:
        self._made = 0

    def next(self) -> str:
        self._made += 1
        return f"req_{time.time_ns() // 1_000_000:012x}{self._made:06x}{os.urandom(7).hex()}"


def hold_for(request_id: str, account_id: int) -> OpenHold:
    return OpenHold(
        request_id=request_id,
        account_id=account_id,
        mode=Mode.LIVE,
        amount_nano=HOLD_NANO,
        least_nano=HOLD_NANO // 10,
        key_id=account_id,
        price_version=1,
        at_us=time.time_ns() // 1_000,
        endpoint="/v1/chat/completions",
        model=MODEL,
    )


def settlement_of(hold: OpenHold) -> Settle:
    record = RequestRecord(
        id=hold.request_id,
        at_us=hold.at_us,
        account_id=hold.account_id,
        key_id=hold.key_id,
        mode=hold.mode,
        endpoint=hold.endpoint,
        model=hold.model,
        stream=False,
        status=200,
        outcome=Outcome.COMPLETED,
        upstream="openai",
        upstream_model="gpt-5.5",
        upstream_request_id="req_0123456789abcdef",
        attempts=1,
        first_byte_us=350_000,
        total_us=2_000_000,
        usage=USED,
        usage_source=UsageSource.REPORTED,
        cost_pico=COST.pico,
        cost_nano=COST.nano,
    )
    return Settle(
        request_id=hold.request_id,
        amount_nano=COST.nano,
        cost_pico=COST.pico,
        usage=USAGE,
        usage_source=UsageSource.REPORTED,
        at_us=hold.at_us,
        record=record,
    )


class Bench:
    """One database with a writer, and the loads that are put on it."""

    def __init__(self, database: Database, writer: LedgerWriter) -> None:
        self._writer = writer
        self._ids = Ids()
        self._database = database

    async def holds(self, concurrent: int, count: int) -> float:
        """Holds a second."""

        async def hold_many(account_id: int, many: int) -> None:
            for _ in range(many):
                await self._writer.submit(hold_for(self._ids.next(), account_id))

        began = time.perf_counter()
        await _spread(hold_many, concurrent, count)
        return count / (time.perf_counter() - began)

    async def pairs(self, concurrent: int, count: int, other_work_us: int = 0) -> float:
        """CPU microseconds of hold, settlement and request row, all threads together, the loop's other work taken off."""
        spun = 0.0

        async def pair_many(account_id: int, many: int) -> None:
            nonlocal spun
            for _ in range(many):
                hold = hold_for(self._ids.next(), account_id)
                await self._writer.submit(hold)
                if other_work_us:
                    spun += _work(other_work_us)
                await self._writer.submit(settlement_of(hold))

        began = time.process_time()
        await _spread(pair_many, concurrent, count)
        return (time.process_time() - began - spun) / count * 1e6

    async def made_alone(self, count: int) -> float:
        """What of `pairs` is not the ledger's: making ids, operations and records, and a task's two waits."""
        loop = asyncio.get_running_loop()

        async def make_many(account_id: int, many: int) -> None:
            for _ in range(many):
                hold = hold_for(self._ids.next(), account_id)
                for operation in (hold, settlement_of(hold)):
                    future: asyncio.Future[Operation] = loop.create_future()
                    loop.call_soon(future.set_result, operation)
                    await future

        began = time.process_time()
        await _spread(make_many, CONCURRENT, count)
        return (time.process_time() - began) / count * 1e6


async def _spread(work: Callable[[int, int], Awaitable[None]], concurrent: int, count: int) -> None:
    await asyncio.gather(*(work(1 + place % ACCOUNTS, count // concurrent) for place in range(concurrent)))


def _work(microseconds: int) -> float:
    """Keep the loop busy; the CPU seconds that it took."""
    began = time.thread_time()
    end = began + microseconds / 1e6
    while time.thread_time() < end:
        pass
    return time.thread_time() - began


def furnish(database: Database) -> Seat:
    """Accounts with money, a price, and this process's seat."""
    price = Price(model=MODEL, ours=PRICES, official=PRICES, policy="catalogue", source="made up")
    database.run_now(publish_prices, 1, [price], 1)
    for number in range(1, ACCOUNTS + 1):
        database.run_now(create_account, f"customer {number}", 1)
        topup = Post(
            kind=TransferKind.TOPUP,
            mode=Mode.LIVE,
            account_id=number,
            amount_nano=1_000_000 * NANO_PER_USD,
            tid=make_tid("topup", "bench", str(number)),
            at_us=1,
        )
        database.run_now(write_operations, [topup])
    return recover(database, time.time_ns() // 1_000).seat


async def measure(name: str, database: Database, scale: float) -> None:
    seat = furnish(database)
    writer = LedgerWriter(database, seat, lambda fault: sys.exit(str(fault)))
    bench = Bench(database, writer)
    await bench.pairs(CONCURRENT, 1_280)  # warm up: prepared statements, pages
    print(f"{name}")
    print(f"  holds a second, one at a time       {await bench.holds(1, int(2_000 * scale)):10,.0f}")
    print(
        f"  holds a second, {CONCURRENT} at a time        {await bench.holds(CONCURRENT, int(32_000 * scale)):10,.0f}"
    )
    alone = await bench.made_alone(int(32_000 * scale))
    for concurrent, other_us, count in (
        (CONCURRENT, 0, 32_000),
        (CONCURRENT, OTHER_WORK_US, 16_000),
        (1, 0, 2_000),
    ):
        batches, operations = writer.batches, writer.operations
        cost = await bench.pairs(concurrent, int(count * scale), other_us) - alone
        size = (writer.operations - operations) / (writer.batches - batches)
        beside = f", beside {other_us} us of other work each" if other_us else ""
        print(
            f"  CPU us of hold + settle + row, {concurrent} at a time{beside}: {cost:.1f} ({size:.0f} operations a batch)"
        )
    await writer.close()
    found = await database.run(verify)
    print(f"  verified: {found.transfers:,} transfers, {found.fault_count} faults")


def measure_verify(database: Database, transfers: int) -> None:
    seat = furnish(database)
    ids = Ids()
    began = time.perf_counter()
    for _ in range(transfers // 2 // 1_000):
        holds = [hold_for(ids.next(), 1 + place % ACCOUNTS) for place in range(1_000)]
        ends = [settlement_of(hold) for hold in holds]
        database.run_now(write_operations, [*holds, *ends], node=seat.node, epoch=seat.epoch)
    wrote_s = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    found = database.run_now(verify)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"  {found.transfers:,} transfers verified in {took_s:.1f} s ({cpu_s:.1f} s of CPU), {found.fault_count} faults"
    )
    began = time.perf_counter()
    asyncio.run(verify_running(database))
    print(f"  ... in steps, as a running server does it: {time.perf_counter() - began:.1f} s")
    print(f"  (written in {wrote_s:.0f} s, in batches of 2,000, each request with its row)")


@contextlib.contextmanager
def databases(engines: list[str]) -> Iterator[list[tuple[str, Database]]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runapi-bench-")))
        opened = []
        for engine in engines:
            url = None
            if engine == "postgres":
                sys.path.append(str(Path(__file__).parents[1] / "tests"))
                from fakes.postgres import Postgres  # noqa: PLC0415 - lies among the tests

                url = stack.enter_context(Postgres(durable=True)).new_database()
            database = Database.open(folder / engine, url)
            stack.callback(database.close_now)
            opened.append((engine, database))
        yield opened


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--verify", action="store_true", help="write and verify 1,000,000 transfers instead")
    parser.add_argument("--transfers", type=int, default=VERIFIED_TRANSFERS, help="so many of them instead")
    parser.add_argument("--only", choices=("sqlite", "postgres"), help="one of the two databases")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer rounds")
    options = parser.parse_args()
    engines = [options.only] if options.only else ["sqlite", "postgres"]
    with databases(engines) as opened:
        for name, database in opened:
            if options.verify:
                print(name)
                measure_verify(database, options.transfers)
            else:
                uvloop.run(measure(name, database, options.scale))


if __name__ == "__main__":
    main()
