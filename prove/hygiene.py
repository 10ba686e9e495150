"""A third of all requests goes wrong, in every way there is; once the gateway is idle nothing is held, and failures were free.

Upstreams fail, lie, hang and break off; clients leave; requests are no good; accounts are empty and limits reached.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import msgspec
import uvloop

from prove.aftermath import Books, check_books, check_charges, check_told, read_books
from prove.crowd import DOUBLE, MAIN, SETTINGS, Ask, Customer, Odds, connect, draw, let_in, price_by_plan
from prove.provider import Conduct, Plan, Provider
from prove.served import Served, serve
from prove.tiers import Tier
from prove.traffic import Sender, Told, wait_for, write_body, write_usage
from prove.verdict import Verdict
from runapi.core.keys import Mode
from runapi.core.records import Outcome

NAME = "hygiene"
ROUNDS_CI, ROUNDS_NIGHTLY = 3, 100
REQUESTS = 200  # a round
AT_ONCE = 64
AT_A_TIME = 2  # requests that the narrow key may have running

_ODDS = Odds(upstream=0.16, leaves=0.06, bad=0.03)
_UNLUCKY = 0.1  # of the requests are from customers without money, or at their limits
_POOR_USD, _THRIFTY_USD = "0.0005", "0.0008"


def prove(tier: Tier, seed: int) -> Verdict:
    """Let so many rounds of requests come, each after the gateway was idle."""
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder, Provider() as provider:
        house = House(Path(folder), provider, str(seed))
        house.run(tier.cases(ci=ROUNDS_CI, nightly=ROUNDS_NIGHTLY))
    return Verdict(
        cases=house.counts["requests"], figures=house.figures(), violations=house.violations + provider.faults
    )


class House:
    """A gateway with lucky and unlucky customers."""

    def __init__(
        self,
        folder: Path,
        provider: Provider,
        name: str,
        *,
        requests: int = REQUESTS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.counts = Counter[str]()
        self.violations: list[str] = []
        self._gateway = Served(folder, environment=environment, **SETTINGS)
        self._provider = provider
        self._name = name
        self._requests = requests
        self._told: list[Told] = []
        self._lucky: list[Customer] = []
        self._unlucky: list[Customer] = []
        self._narrow: Customer
        self._thrifty: Customer
        self._thrifty_nano = 0  # what its limit says that it has spent

    def figures(self) -> tuple[str, ...]:
        """What the table says."""
        counts = self.counts
        share = 100 * counts["went wrong"] // max(counts["requests"], 1)
        return (
            f"{share} % went wrong",
            *(f"{counts[status]} x {status}" for status in ("402", "429", "502", "503", "504")),
            f"{counts['left']} left",
            f"{counts['charged']} charged",
        )

    def run(self, rounds: int) -> None:
        """Let so many rounds come; then look into the books."""
        with serve(self._gateway):
            self._open_doors()
            uvloop.run(self._live(rounds))
            self.violations += self._gateway.verify()
            if self._gateway.stop() != 0:
                self.violations.append("the gateway did not stop in peace")
        self.violations += self._gateway.faults()
        self._check(read_books(self._gateway.home))

    def _open_doors(self) -> None:
        gateway = self._gateway
        connect(gateway, self._provider)
        self._lucky = let_in(gateway, "first") + let_in(gateway, "second")
        self._unlucky = let_in(gateway, "poor", usd=_POOR_USD)[:2]
        gateway.open_account("limited")
        self._narrow = self._limit(concurrent=AT_A_TIME)
        self._thrifty = self._limit(spend_total=_THRIFTY_USD)
        self._unlucky += [self._narrow, self._narrow, self._thrifty]
        self._unlucky += [self._limit(requests_per_minute=5), self._limit(models=[DOUBLE])]

    def _limit(self, **limits: object) -> Customer:
        key = self._gateway.make_key("limited", limits=limits)
        return Customer(key.key, key.id)

    # ---- traffic -----------------------------------------------------------------------------------------

    async def _live(self, rounds: int) -> None:
        async with Sender(self._gateway.url) as sender:
            for number in range(rounds):
                await self._let_come(sender, number)
                await self._wait_until_idle()
                await self._check_gates(sender, number)

    async def _let_come(self, sender: Sender, run: int) -> None:
        """Send one round, so many at once."""
        chance = Random(f"{self._name} {run}")
        asks = [self._draw(chance, f"{self._name}-{run}-{number}") for number in range(self._requests)]
        waiting = iter(asks)

        async def keep_asking() -> None:
            for ask in waiting:
                await sender.send(ask.told, ask.body, leave_after_s=ask.leave_after_s)

        await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
        self._count([ask.told for ask in asks])

    def _draw(self, chance: Random, tag: str) -> Ask:
        customers = self._unlucky if chance.random() < _UNLUCKY else self._lucky
        return draw(chance, tag, chance.choice(customers), _ODDS)

    def _count(self, told: Sequence[Told]) -> None:
        self._told += told
        self.counts["requests"] += len(told)
        self.counts["left"] += sum(one.left for one in told)
        self.counts["went wrong"] += sum(not one.is_answer or one.cost == 0 for one in told)
        self.counts.update(str(one.status) for one in told if one.status is not None)

    async def _wait_until_idle(self) -> None:
        """Answers are read to their end for clients that have left; then nothing may be held any more."""
        await wait_for(lambda: not self._gateway.count_open_holds())
        opened = self._gateway.count_open_holds()
        held_nano = self._gateway.held_nano()
        if opened or held_nano:
            self.violations.append(f"the gateway is idle, and {opened} holds are open; {held_nano} is held")

    async def _check_gates(self, sender: Sender, run: int) -> None:
        """As many requests as ever may run under the narrow key, and no money of the thrifty one is set aside."""
        self._provider.close_gate()
        usage = write_usage(5, 5)
        tags = [f"{self._name}-{run}-gate-{number}" for number in range(AT_A_TIME)]
        plans = [Plan(tag=tag, conduct=Conduct.GATED, usage=usage) for tag in tags]
        told = [Told(plan=plan, key=self._narrow.key, model=MAIN) for plan in plans]
        sends = [
            asyncio.create_task(sender.send(one, write_body(one.plan, MAIN, "Hi", max_completion_tokens=20)))
            for one in told
        ]
        calls = self._provider.calls
        await wait_for(lambda: all(tag in calls for tag in tags) or any(send.done() for send in sends))
        self._provider.open_gate()
        await asyncio.gather(*sends)
        self._count(told)
        for one in told:
            if not one.is_answer:
                self.violations.append(
                    f"of {AT_A_TIME} requests at a time one was refused, and nothing runs: {one.body[:300].decode()}"
                )
        _, said = await sender.get("/v1/me", self._thrifty.key)
        spend = msgspec.json.decode(said)["limits"]["spend"]["total"]
        self._thrifty_nano = int(spend["spent_nano"])
        if spend["held_nano"] != "0":
            self.violations.append(
                f"nothing runs, and of the thrifty key's limit something is set aside: {spend}"
            )

    # ---- the books ---------------------------------------------------------------------------------------

    def _check(self, books: Books) -> None:
        self.counts["charged"] = len(books.settles)
        found = check_books(books) + check_told(books, self._told)
        prices = price_by_plan(self._told, books.holds)
        found += check_charges(books, self._provider.calls, prices)
        found += check_rows(books, self._told)
        found += check_sums(books, self._told)
        if books.open_holds or books.held_nano:
            found.append(f"after a stop in peace {len(books.open_holds)} holds are open")
        by_key = sum(row.cost_nano for row in books.rows.values() if row.key_id == self._thrifty.key_id)
        if by_key != self._thrifty_nano:
            found.append(f"the thrifty key has spent {by_key}, and its limit says {self._thrifty_nano}")
        self.violations += found


def check_rows(books: Books, told: Sequence[Told]) -> list[str]:
    """Each request has one row, and nothing else has."""
    found = []
    known = {one.request_id for one in told if one.request_id is not None}
    unknown = {one.plan.tag for one in told if one.request_id is None}
    missing = sorted(known - books.rows.keys())
    if missing:
        found.append(f"{len(missing)} requests have no row: {missing[:3]}")
    others = [row for row in books.rows.values() if row.id not in known]
    if len(others) > len(unknown):
        found.append(f"{len(others)} rows are of requests that nobody sent")
    found += [
        f"{row.id} is a second row of {row.tag}" for row in others if row.tag and row.tag not in unknown
    ]
    failed = (Outcome.FAILED, Outcome.REFUSED)
    found += [
        f"{row.id} failed ({row.status} {row.error_code}), and cost {row.cost_nano}"
        for row in books.rows.values()
        if row.outcome in failed and row.cost_nano
    ]
    return found


def check_sums(books: Books, told: Sequence[Told]) -> list[str]:
    """What was charged is what was told; the rest was charged to clients that had left."""
    answered = {one.request_id: one.cost or 0 for one in told if one.is_answer}
    charged = sum(settle.amount_nano for settle in books.settles.values() if settle.request_id in answered)
    found = []
    if charged != sum(answered.values()):
        found.append(f"clients were told of {sum(answered.values())}, and charged {charged}")
    left = [one for one in told if one.left]
    known = {one.request_id for one in left} | {one.plan.tag for one in left}
    others = [row for row in books.rows.values() if row.id in books.settles and row.id not in answered]
    strange = [row for row in others if row.id not in known and row.tag not in known]
    nameless = [
        row for row in strange if row.mode is Mode.TEST
    ]  # whoever left the sandbox before it said a word
    found += [
        f"{row.id} was charged {row.cost_nano}, and its client neither has an answer nor has left"
        for row in strange
        if row.mode is Mode.LIVE or len(nameless) > sum(one.request_id is None for one in left)
    ]
    return found
