"""200 concurrent holds on one balance, by several keys: exactly as many are admitted as it covers, on both engines.

In a round either every hold is all or nothing, and exactly K of them fit; or each takes what there is, and together they
take the balance to the last nano-dollar. Then all of it is settled and voided at once, and the ledger must verify.
"""

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from prove.draws import AT_US, payment
from prove.journal import Entry, disagreements
from prove.race import Runner, Wish
from prove.servers import MISSING, postgres
from prove.staff import Hired, hire
from prove.teller import Order
from prove.tiers import Tier
from prove.verdict import Verdict
from prove.work import open_ledger, pay, set_up
from runapi.core.keys import Mode
from runapi.store.database import Database
from runapi.store.faults import StoreFault
from runapi.store.ledger.customers import read_balance
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.writer import LedgerWriter

NAME = "overspend"
HOLDS = 200
ROUNDS_CI, ROUNDS_NIGHTLY = 10, 500
PROCESSES = 2

_FIRST_NANO = 1  # every account begins with it
_SIGNS = {"topup": 1, "settle": -1}  # of what was acknowledged
_NUMBER = re.compile("[0-9]+")


def prove(tier: Tier, seed: int) -> Verdict:
    """Race so often on SQLite, and on PostgreSQL between processes."""
    rounds = tier.cases(ci=ROUNDS_CI, nightly=ROUNDS_NIGHTLY)
    figures, violations = list[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as name, postgres() as server:
        folder = Path(name)
        halls = [Hall("SQLite", folder, None)]
        if server is not None:
            halls.append(Hall("PostgreSQL", folder, server.new_database()))
        for hall in halls:
            try:
                hall.run(rounds, Random(seed))
            except (OSError, RuntimeError, AssertionError, ExceptionGroup, StoreFault) as fault:
                hall.violations.append(f"a round could not be finished: {fault!r}")
            figures.append(
                f"{hall.engine}: K={min(hall.admitted, default=0)}..{max(hall.admitted, default=0)} of {HOLDS}"
            )
            violations += [f"{hall.engine}: {text}" for text in hall.violations]
    return Verdict(
        cases=rounds * len(halls),
        figures=tuple(figures),
        violations=violations,
        skipped=None if server else MISSING,
    )


class Hall:
    """One engine, and the rounds on it."""

    def __init__(self, engine: str, folder: Path, url: str | None) -> None:
        self.engine = engine
        self.violations: list[str] = []
        self.admitted: list[int] = []  # of each round in which every hold is all or nothing
        self._homes = [folder / f"{engine} {number}" for number in range(PROCESSES if url else 1)]
        self._own = folder / f"{engine} of ours" if url else self._homes[0]
        self._url = url
        self._journal: list[Entry] = []

    def run(self, rounds: int, chance: Random) -> None:
        """Race so often, each time for the money of another account; then compare everything."""
        race = self._race_in_process if self._url is None else self._race_between_processes
        with open_ledger(self._own, self._url) as database:
            set_up(database, self._journal.append, accounts=rounds, live_nano=_FIRST_NANO)
            race(database, rounds, chance)
            self._check_balances(database, rounds)
            self.violations += disagreements(database, self._journal)

    def _race_in_process(self, database: Database, rounds: int, chance: Random) -> None:
        async def race() -> None:
            faults: list[BaseException] = []
            writer = LedgerWriter(database, recover(database, AT_US).seat, faults.append)
            runner = Runner(writer, self._journal.append)
            for number in range(1, rounds + 1):
                wish, balance = self._prepare(database, number, HOLDS, chance)
                before = len(self._journal)
                await runner.hold(wish)
                self._judge(wish, balance, self._journal[before:])
                await runner.end(wish)
            await writer.close()

        asyncio.run(race())

    def _race_between_processes(self, database: Database, rounds: int, chance: Random) -> None:
        with hire(self._homes, self._url) as staff:
            for number in range(1, rounds + 1):
                wish, balance = self._prepare(database, number, HOLDS // len(staff), chance)
                before = [len(one.read_journal()) for one in staff]
                wishes = [
                    msgspec.structs.replace(wish, run=f"{wish.run} {place}") for place in range(len(staff))
                ]
                _tell_all(staff, [Order(hold=wish) for wish in wishes])
                said = [
                    entry
                    for one, old in zip(staff, before, strict=True)
                    for entry in one.read_journal()[old:]
                ]
                self._judge(wish, balance, said)
                _tell_all(staff, [Order(end=wish) for wish in wishes])
            for one in staff:
                self._journal += one.read_journal()

    def _prepare(self, database: Database, number: int, holds: int, chance: Random) -> tuple[Wish, int]:
        """Put money on an account: about as much as some of the holds ask for; give what each is to ask, and how much."""
        amount = chance.randint(100, 900)
        fits_exactly = number % 4 == 1
        balance = amount * chance.randint(1, HOLDS - 1)
        if not fits_exactly:
            balance = chance.randint(amount, amount * HOLDS)
        pay(database, self._journal.append, payment(f"round {number}", number, balance - _FIRST_NANO))
        least = amount if number % 2 else 1
        wish = Wish(
            run=f"round{number}",
            account_id=number,
            holds=holds,
            amount_nano=amount,
            least_nano=least,
            seed=chance.randrange(2**32),
        )
        return wish, balance

    def _judge(self, wish: Wish, balance: int, said: Sequence[Entry]) -> None:
        """Compare what was granted with what there was."""
        granted = [entry.amount for entry in said if entry.word == "hold"]
        if wish.least_nano == wish.amount_nano:
            wanted = balance // wish.amount_nano
            self.admitted.append(len(granted))
            if granted != [wish.amount_nano] * wanted:
                self.violations.append(
                    f"{wish.run}: {len(granted)} holds of {wish.amount_nano} were admitted on a balance of {balance}, "
                    f"which covers {wanted}"
                )
        elif sum(granted) != balance:
            self.violations.append(f"{wish.run}: {sum(granted)} were granted of a balance of {balance}")

    def _check_balances(self, database: Database, rounds: int) -> None:
        """Compare each account with what its journal adds up to."""
        left = Counter[int]()
        for word, name, amount in self._journal:
            if word in _SIGNS:
                left[int(_NUMBER.findall(name)[0])] += (
                    _SIGNS[word] * amount
                )  # "first 3", "round 3", "round3 0-17"
        for number in range(1, rounds + 1):
            balance = database.run_now(read_balance, number, Mode.LIVE)
            if balance is None or (balance.posted, balance.held) != (left[number], 0):
                self.violations.append(
                    f"account {number} should have {left[number]}, and nothing held: {balance}"
                )


def _tell_all(staff: Sequence[Hired], orders: Sequence[Order]) -> None:
    """Give every process its order at once, and wait for all."""
    for one, order in zip(staff, orders, strict=True):
        one.tell(order)
    for one in staff:
        one.wait()
