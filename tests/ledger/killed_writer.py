"""A process that writes to the ledger as fast as it can until it is killed, and says what was acknowledged.

Each line on standard output is written after the outcome came: `held ID AMOUNT`, `settled ID CHARGED`, `released ID`, `posted ID
AMOUNT`. Before them, `ready`.
"""

import asyncio
import os
import sys
import time
from itertools import count
from pathlib import Path
from random import Random

from ledger.filled import AT_US, USAGE, hold, record, settle
from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import Checkpoint, Held, Post, Posted, Released, Settled, Void, make_tid
from runapi.store.database import Database
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.writer import LedgerWriter

CONCURRENT = 64


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # at once, and whole


async def work(home: Path, url: str | None, run: str) -> None:
    database = Database.open(home, url)
    seat = recover(database, time.time_ns() // 1_000).seat
    writer = LedgerWriter(database, seat, lambda fault: sys.exit(str(fault)))
    numbers = count()

    async def request(chance: Random) -> None:
        request_id = f"{run}-{next(numbers)}"
        account = chance.randint(1, 3)
        if chance.random() < 0.1:
            await pay(request_id, account)
        asked = hold(request_id, account, chance.randint(1, 500), least_nano=1)
        held = await writer.submit(asked)
        if not isinstance(held, Held):
            return
        say(f"held {request_id} {held.granted_nano}")
        await asyncio.sleep(chance.random() / 100)
        writer.note(
            Checkpoint(
                request_id=request_id, progress_pico=chance.randint(0, 99_999), usage=USAGE, at_us=AT_US
            )
        )
        await asyncio.sleep(chance.random() / 100)
        if chance.random() < 0.2:
            ended = await writer.submit(Void(request_id=request_id, reason="upstream failed", at_us=AT_US))
            assert isinstance(ended, Released)
            say(f"released {request_id} {ended.released_nano}")
            return
        cost = chance.randint(0, 600)
        settled = await writer.submit(settle(request_id, cost, record(asked, cost)))
        assert isinstance(settled, Settled)
        say(f"settled {request_id} {settled.charged_nano}")

    async def pay(payment: str, account: int) -> None:
        post = Post(
            kind=TransferKind.TOPUP,
            mode=Mode.LIVE,
            account_id=account,
            amount_nano=700,
            tid=make_tid("topup", payment),
            at_us=AT_US,
            reference=payment,
        )
        if isinstance(await writer.submit(post), Posted):
            say(f"posted {payment} 700")

    async def customer(seed: int) -> None:
        chance = Random(f"{run} {seed}")
        while True:
            await request(chance)

    say("ready")
    await asyncio.gather(*(customer(seed) for seed in range(CONCURRENT)))


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3]))
