"""Scenes in which a process dies: what is prepared, what is done while it dies, what must be so afterwards.

Here are those at the ledger itself; `money_scenes` has payments, prices and first starts.
"""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import ClassVar

from prove.draws import AT_US, checkpoint, draw_usage, hold, payment, settle, void
from prove.journal import Entry, acknowledged, asked, write_line
from runapi.core.ledger.operations import Checkpoint, ExtendHold, OpenHold, Operation
from runapi.core.usage import Usage
from runapi.store.database import Database
from runapi.store.home import NODE_NAME
from runapi.store.ledger import recovery
from runapi.store.ledger.recovery import recover, recover_rest
from runapi.store.ledger.writer import LedgerWriter

OPERATIONS = 4  # at once, in one batch


class Stage:
    """A data folder, its open database, and a file in which stands what was said."""

    def __init__(self, home: Path, url: str | None, seed: int) -> None:
        """The seed decides amounts and counts."""
        self.home = home
        self.url = url
        self.chance = Random(seed)
        self.journal = home.with_suffix(".journal")
        self.database: Database = None  # type: ignore[assignment]  # until `open`
        self.writer: LedgerWriter = None  # type: ignore[assignment]  # until `take_seat`

    def open(self) -> None:
        """Open the database, which makes its tables where there are none."""
        self.database = Database.open(self.home, self.url)

    def take_seat(self) -> None:
        """Recover, and make the writer of the running loop."""
        self.writer = LedgerWriter(self.database, recover(self.database, AT_US).seat, _give_up)

    def say(self, entry: Entry) -> None:
        """Write it down, so that it is there whatever becomes of this process."""
        file = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, write_line(entry))
        os.close(file)

    async def ask(self, operation: Operation) -> None:
        """Carry it out, and say what was asked before and what was acknowledged after."""
        self.say(asked(operation))
        if isinstance(operation, Checkpoint):
            self.writer.note(operation)
            return
        entry = acknowledged(operation, await self.writer.submit(operation))
        if entry is not None:
            self.say(entry)

    async def ask_all(self, *operations: Operation) -> None:
        """Carry them out in one batch."""
        await asyncio.gather(*(self.ask(operation) for operation in operations))


class Scene:
    """What happens. `places` are those of `fuses` at which it may be cut short; `x2` is the second time."""

    name: ClassVar[str]
    places: ClassVar[tuple[str, ...]]
    on_empty: ClassVar[bool] = False  # begins with an empty folder instead of customers who have money
    only_shared: ClassVar[bool] = False  # only where the database is a server

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.requests: list[OpenHold] = []

    async def prepare(self) -> None:
        """Do what must have happened before."""

    async def act(self) -> None:
        """Do what is cut short."""
        raise NotImplementedError

    def check(self) -> list[str]:
        """Look, after a new start, for what the journal cannot tell; give what is wrong."""
        return []

    def draw(self, number: int) -> OpenHold:
        """A request of one of the customers."""
        chance = self.stage.chance
        return hold(f"{self.name}-{number}", chance.randint(1, 3), chance.randint(100, 500), key_id=number)

    def usage_of(self, request: OpenHold) -> Usage:
        """Some tokens, which may cost more than the hold."""
        return draw_usage(self.stage.chance, request.price_version, 2 * request.amount_nano)

    async def open_requests(self) -> None:
        """Let some requests be running, with something delivered to half of them."""
        self.requests = [self.draw(number) for number in range(OPERATIONS)]
        await self.stage.ask_all(*self.requests)
        notes = [checkpoint(request, self.usage_of(request)) for request in self.requests[::2]]
        await self.stage.ask_all(*notes, payment(f"{self.name} early", 1, 100))  # notes ride along


class Hold(Scene):
    """Holds: each is either not there, or there and released by the next start."""

    name = "hold"
    places = (
        *("before BEGIN", "after BEGIN", "after SELECT t.seq", "before INSERT INTO transfer"),
        *("after INSERT INTO transfer", "after INSERT INTO hold", "after UPDATE ledger_account"),
        *("after UPDATE ledger_tail", "before COMMIT", "after COMMIT", "before answer", "after answer"),
    )

    async def act(self) -> None:
        await self.stage.ask_all(*(self.draw(number) for number in range(OPERATIONS)))


class Settlement(Scene):
    """Settlements, with their rows, receipts and answers, and write-offs of what goes beyond the hold."""

    name = "settle"
    places = (
        *("after INSERT INTO request", "after INSERT INTO receipt_source", "after INSERT INTO kept_answer"),
        *("after INSERT INTO transfer", "after DELETE FROM hold", "after UPDATE ledger_account"),
        *("after UPDATE ledger_tail", "before COMMIT", "after COMMIT", "before answer", "after answer"),
    )

    async def prepare(self) -> None:
        await self.open_requests()

    async def act(self) -> None:
        await self.stage.ask_all(*(settle(request, self.usage_of(request)) for request in self.requests))


class Release(Scene):
    """Requests that failed, and cost nothing."""

    name = "void"
    places = ("after DELETE FROM hold", "before COMMIT", "after COMMIT")

    async def prepare(self) -> None:
        await self.open_requests()

    async def act(self) -> None:
        await self.stage.ask_all(*map(void, self.requests))


class Extension(Scene):
    """Running requests that need more."""

    name = "extend"
    places = ("after UPDATE hold", "after INSERT INTO transfer", "before COMMIT", "after COMMIT")

    async def prepare(self) -> None:
        await self.open_requests()

    async def act(self) -> None:
        more = (
            ExtendHold(request_id=one.request_id, number=1, amount_nano=70, least_nano=1, at_us=AT_US)
            for one in self.requests
        )
        await self.stage.ask_all(*more)


class Progress(Scene):
    """Checkpoints: the next start settles at the last one that is durable."""

    name = "checkpoint"
    places = ("before UPDATE hold", "after UPDATE hold", "before COMMIT", "after COMMIT")

    async def prepare(self) -> None:
        await self.open_requests()

    async def act(self) -> None:
        notes = [checkpoint(request, self.usage_of(request)) for request in self.requests]
        await self.stage.ask_all(*notes, payment("checkpoint late", 1, 100))


class Everything(Scene):
    """A batch of everything at once."""

    name = "mixed"
    places = (
        "after INSERT INTO transfer",
        "after INSERT INTO hold",
        "after DELETE FROM hold",
        "before COMMIT",
    )

    async def prepare(self) -> None:
        await self.open_requests()

    async def act(self) -> None:
        first, second, third, _ = self.requests
        await self.stage.ask_all(
            settle(first, self.usage_of(first)),
            void(second),
            checkpoint(third, self.usage_of(third)),
            self.draw(OPERATIONS + 1),
            payment("mixed", 2, 300),
        )


class Seat(Scene):
    """A start that dies: the next one takes the seat again, and ends what was left."""

    name = "start"
    places = (
        "before take_seat",
        "after take_seat",  # before its commit
        "before end_orphans",  # after that commit
        "after end_orphans",  # the holds ended, not committed
        "before count_orphans",  # the holds ended and committed
        "before check_sums",
        "after COMMIT x7",
    )

    async def prepare(self) -> None:
        await self.open_requests()
        await self.stage.writer.close()

    async def act(self) -> None:
        recover(self.stage.database, AT_US)


class Rest(Scene):
    """Holds of a dead process that are ended in small batches beside the requests."""

    name = "recovery"
    places = (
        "before end_orphans x2",
        "after end_orphans x2",
        "before end_orphans x4",
    )

    async def prepare(self) -> None:
        await self.open_requests()
        await self.stage.ask_all(*(self.draw(number) for number in range(OPERATIONS, 3 * OPERATIONS)))
        await self.stage.writer.close()

    async def act(self) -> None:
        vars(recovery)["_HOLDS_BESIDE_REQUESTS"] = 3  # so that few holds make several batches
        seat = recover(self.stage.database, AT_US, patience_s=0).seat
        await recover_rest(self.stage.database, seat, AT_US)


class NodeNumber(Scene):
    """The first start of a node on a shared database."""

    name = "node"
    places = (
        "before add_node",
        "after add_node",  # before its commit
        "before remember_node",  # committed, and the folder does not know it
        "after remember_node",
    )
    only_shared = True

    async def prepare(self) -> None:
        (self.stage.home / NODE_NAME).unlink(missing_ok=True)  # a new folder

    async def act(self) -> None:
        recover(self.stage.database, AT_US)


def _give_up(fault: BaseException) -> None:
    raise fault


LEDGER_SCENES: tuple[type[Scene], ...] = (
    *(Hold, Settlement, Release, Extension, Progress, Everything, Seat, Rest, NodeNumber),
)
