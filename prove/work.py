"""A gateway's day at its ledger, with everything said that is asked and acknowledged."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from prove.draws import AT_US, RATES, Lots, payment, prices
from prove.journal import Entry, acknowledged, asked
from runapi.core.ledger.operations import (
    Checkpoint,
    ExtendHold,
    Held,
    OpenHold,
    Operation,
    Outcome,
    Post,
    Settle,
    Void,
)
from runapi.store.accounts import create_account, list_accounts
from runapi.store.database import Database
from runapi.store.faults import LedgerUnavailable
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.writer import LedgerWriter
from runapi.store.prices import publish_prices, read_newest

Say = Callable[[Entry], None]

ACCOUNTS = 3
FIRST_NANO = 20_000
_MOST_AT_ONCE = 12
_AFTER_FAILURE_S = 0.02


@contextmanager
def open_ledger(home: Path, url: str | None = None) -> Iterator[Database]:
    """Open a data folder's database, and close it whatever happens."""
    database = Database.open(home, url)
    try:
        yield database
    finally:
        database.close_now()


def set_up(database: Database, say: Say, *, accounts: int = ACCOUNTS, live_nano: int = FIRST_NANO) -> None:
    """Publish what prices are missing, give the customers that are missing an account, and all their first money."""
    for version in range(1 + database.run_now(read_newest), 1 + len(RATES)):
        database.run_now(publish_prices, version, prices(version), AT_US)
    for account_id in range(1 + len(database.run_now(list_accounts)), 1 + accounts):
        database.run_now(create_account, f"customer {account_id}", AT_US)
    for account_id in range(1, 1 + accounts):
        pay(database, say, payment(f"first {account_id}", account_id, live_nano))


def pay(database: Database, say: Say, post: Post) -> None:
    """Pay in money, at once."""
    say(asked(post))
    (outcome,) = database.run_now(write_operations, [post])
    entry = acknowledged(post, outcome)
    if entry is not None:
        say(entry)


class Work:
    """Requests of a few customers. The same chance asks the same, as long as the ledger answers the same."""

    def __init__(
        self, writer: LedgerWriter, say: Say, chance: Random, run: str, *, accounts: int = ACCOUNTS
    ) -> None:
        """`run` begins every name, so that no two runs on one database share any."""
        self._writer = writer
        self._say = say
        self._chance = chance
        self._lots = Lots(chance, run, accounts)
        self._open: dict[str, tuple[OpenHold, int]] = {}  # and what is held

    async def do_rounds(self, rounds: int) -> None:
        """Ask for some things at once, wait for all the outcomes, and again: one batch a round, the same each time."""
        for _ in range(rounds):
            async with asyncio.TaskGroup() as group:
                for operation in self._draw_round():
                    group.create_task(self._do(operation))

    async def do_endlessly(self, customers: int) -> None:
        """Let so many customers make one request after the other, until somebody puts an end to it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(customers):
                group.create_task(self._be_customer())

    async def _be_customer(self) -> None:
        while True:
            if self._chance.random() < 0.15:
                await self._do(self._lots.draw_payment())
            wanted = self._lots.draw_hold()
            await self._do(wanted)
            while wanted.request_id in self._open:
                await asyncio.sleep(self._chance.random() / 200)
                await self._do(self._lots.draw_next(*self._open[wanted.request_id]))

    def _draw_round(self) -> list[Operation]:
        chance, lots = self._chance, self._lots
        operations: list[Operation] = [lots.draw_hold() for _ in range(chance.randint(1, _MOST_AT_ONCE))]
        operations += [lots.draw_next(*self._open[name]) for name in self._open if chance.random() < 0.6]
        if chance.random() < 0.5:
            operations.append(lots.draw_payment())
        return operations

    async def _do(self, operation: Operation) -> None:
        """Ask, and say what was asked before and what was acknowledged after."""
        self._say(asked(operation))
        if isinstance(operation, Checkpoint):
            self._writer.note(operation)
            return
        try:
            outcome = await self._writer.submit(operation)
        except LedgerUnavailable:  # nobody knows; a gateway that goes on forgets the request
            self._open.pop(asked(operation).name, None)
            await asyncio.sleep(_AFTER_FAILURE_S)
            return
        entry = acknowledged(operation, outcome)
        if entry is not None:
            self._say(entry)
        self._remember(operation, outcome)

    def _remember(self, operation: Operation, outcome: Outcome) -> None:
        match operation, outcome:
            case OpenHold(), Held():
                self._open[operation.request_id] = operation, outcome.granted_nano
            case ExtendHold(request_id=request_id), Held():
                first, held_nano = self._open[request_id]
                self._open[request_id] = first, held_nano + outcome.granted_nano
            case ((Settle() | Void()), _):
                self._open.pop(operation.request_id, None)
