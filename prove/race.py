"""Many who want the same money at once."""

import asyncio
from random import Random

import msgspec

from prove.draws import draw_usage, hold, settle, void
from prove.journal import acknowledged, asked
from prove.work import Say
from runapi.core.ledger.operations import Held, Insufficient, OpenHold, Settle, Void
from runapi.store.ledger.writer import LedgerWriter

KEYS = 5  # of the one account


class Wish(msgspec.Struct, frozen=True):
    """What one process is to ask for, all at once: `least_nano` to `amount_nano`, so many times."""

    run: str  # begins every request's name
    account_id: int
    holds: int
    amount_nano: int
    least_nano: int
    seed: int


class Runner:
    """One process in the race."""

    def __init__(self, writer: LedgerWriter, say: Say) -> None:
        self._writer = writer
        self._say = say
        self._held: list[tuple[OpenHold, Held]] = []

    async def hold(self, wish: Wish) -> None:
        """Ask for every hold at once, each in a task of its own and some a few turns later; wait for all answers."""
        chance = Random(wish.seed)
        async with asyncio.TaskGroup() as group:
            for number in range(wish.holds):
                one = hold(
                    f"{wish.run}-{number}",
                    wish.account_id,
                    wish.amount_nano,
                    least_nano=wish.least_nano,
                    key_id=1 + number % KEYS,
                )
                group.create_task(self._hold(one, chance.randrange(20)))

    async def end(self, wish: Wish) -> None:
        """Settle or void at once whatever was held, now and then for more than was held."""
        chance = Random(wish.seed)
        held, self._held = self._held, []
        async with asyncio.TaskGroup() as group:
            for one, granted in held:
                about = granted.granted_nano + granted.granted_nano // 3
                usage = draw_usage(chance, one.price_version, about)
                operation = void(one) if chance.random() < 0.3 else settle(one, usage)
                group.create_task(self._end(operation, chance.randrange(20)))

    async def _hold(self, wanted: OpenHold, turns: int) -> None:
        await _let_pass(turns)
        self._say(asked(wanted))
        outcome = await self._writer.submit(wanted)
        entry = acknowledged(wanted, outcome)
        if entry is not None:
            self._say(entry)
        match outcome:
            case Held():
                self._held.append((wanted, outcome))
            case Insufficient():
                pass
            case _:
                raise AssertionError(f"a hold was answered {outcome}")

    async def _end(self, operation: Settle | Void, turns: int) -> None:
        await _let_pass(turns)
        self._say(asked(operation))
        entry = acknowledged(operation, await self._writer.submit(operation))
        if entry is None:
            raise AssertionError(f"{operation.request_id} could not be ended")
        self._say(entry)


async def _let_pass(turns: int) -> None:
    """Give way to the others so often."""
    for _ in range(turns):
        await asyncio.sleep(0)
