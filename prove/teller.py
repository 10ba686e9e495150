"""A process with a seat at the ledger: `python -m prove.teller HOME URL JOURNAL`, told what to do line by line.

Each line on standard input is an Order in JSON. A race is answered on standard output by `done`; work has no end but the
process's. What was asked and acknowledged is in the journal's file as soon as it is known, whoever kills the process.
"""

import asyncio
import os
import sys
import traceback
from pathlib import Path
from random import Random

import msgspec

from prove.bugs import plant_from_environment
from prove.draws import AT_US
from prove.journal import Entry, write_line
from prove.logs import send_to_standard_error
from prove.race import Runner, Wish
from prove.work import Work
from runapi.store.database import Database
from runapi.store.faults import LedgerFenced
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.writer import LedgerWriter

FENCED = 3
"""The exit status of a process whose seat was taken by another."""

FAILED = 4
CUSTOMERS = 16


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to do."""

    hold: Wish | None = None
    end: Wish | None = None
    work: str | None = None  # the name of an endless run
    seed: int = 0
    accounts: int = 0


async def serve(home: Path, url: str | None, journal: Path) -> None:
    """Take the seat, and obey."""
    database = Database.open(home, url)
    seat = recover(database, AT_US).seat
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(entry: Entry) -> None:
        os.write(file, write_line(entry))

    writer = LedgerWriter(database, seat, _stop)
    runner = Runner(writer, say)
    works: list[asyncio.Task[None]] = []
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        order = msgspec.json.decode(line, type=Order)
        if order.hold is not None:
            await runner.hold(order.hold)
        if order.end is not None:
            await runner.end(order.end)
        if order.work is None:
            print("done", flush=True)
        else:
            work = Work(writer, say, Random(order.seed), order.work, accounts=order.accounts)
            works.append(asyncio.create_task(work.do_endlessly(CUSTOMERS)))
            works[-1].add_done_callback(_fail)
    os._exit(0)  # nobody listens any more, so nobody would end us


def _fail(work: "asyncio.Task[None]") -> None:
    """Work has no end: it went wrong."""
    fault = work.exception()
    os.write(2, "".join(traceback.format_exception(fault)).encode())
    os._exit(FAILED)


def _stop(fault: BaseException) -> None:
    """End the process at once: nothing may be acknowledged any more."""
    os.write(2, f"{fault}\n".encode())
    os._exit(FENCED if isinstance(fault, LedgerFenced) else FAILED)


if __name__ == "__main__":
    send_to_standard_error()
    plant_from_environment()
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2] or None, Path(sys.argv[3])))
