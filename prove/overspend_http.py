"""200 concurrent requests over HTTP on one balance, by several keys: exactly as many as it covers reach an upstream.

All are in flight at once: the upstream answers nobody before every request has either reached it or been refused. Each
that reaches it then costs its whole hold, so that nothing is left, and who comes after that is told to top up. On PostgreSQL
two gateways share the database.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from random import Random

import msgspec
import uvloop

from prove.aftermath import check_books, check_charges, check_told, read_books
from prove.calculator import NANO, PER_MILLION, PriceList
from prove.provider import Conduct, Plan, Provider
from prove.served import Served, add_fine_provider, join, serve
from prove.servers import MISSING, postgres
from prove.tiers import Tier
from prove.traffic import Sender, Told, wait_for, write_body, write_usage
from prove.verdict import Verdict
from runapi.core.money import usd

NAME = "overspend_http"
REQUESTS = 200
AFTERWARDS = 40  # more, once all is spent
KEYS = 5
ROUNDS_CI, ROUNDS_NIGHTLY = 8, 200
PROCESSES = 2

MODEL = "gpt-5.4-mini"
_TEXT = "What would you do with a balance that covers some of your requests, and not all of them?"
_CAP = 16  # fewer answer nothing: so every hold is granted whole, or not at all
_HELD = (429, "credits_held", "requests", None)  # how a refusal says that the money is only set aside
_SPENT = (402, "insufficient_credits", "insufficient_quota", "false")  # ... and that it is gone


class Purse(msgspec.Struct, frozen=True):
    """One account with its keys, and the number of requests that its money is to cover."""

    name: str
    keys: tuple[str, ...]
    covered: int
    posted_nano: int
    usage: str  # what each answer reports: a hold's worth


def prove(tier: Tier, seed: int) -> Verdict:
    """Race so often on SQLite, and on PostgreSQL between two gateways."""
    rounds = tier.cases(ci=ROUNDS_CI, nightly=ROUNDS_NIGHTLY)
    figures, violations = list[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as name, Provider() as provider:
        tracks = [Track("SQLite", Path(name), provider)]
        tracks[0].run(rounds, Random(seed))
        with postgres() as server:
            if server is not None:
                tracks.append(Track("PostgreSQL", Path(name), provider, url=server.new_database()))
                tracks[1].run(rounds, Random(seed + 1))
    for track in tracks:
        covered = track.covered
        figures.append(
            f"{track.engine} x {track.processes}: K={min(covered, default=0)}..{max(covered, default=0)} of {REQUESTS}"
        )
        violations += [f"{track.engine}: {text}" for text in track.violations]
    return Verdict(
        cases=rounds * len(tracks),
        figures=tuple(figures),
        violations=violations + provider.faults,
        skipped=None if len(tracks) > 1 else MISSING,
    )


class Track:
    """One engine, its gateways, and the rounds on them."""

    def __init__(
        self,
        engine: str,
        folder: Path,
        provider: Provider,
        *,
        url: str | None = None,
        requests: int = REQUESTS,
        environment: Mapping[str, str] | None = None,
        extra_holds: int = 0,
    ) -> None:
        """`extra_holds` is money for so many more requests than the proof expects: with it, it must find a violation."""
        self.engine = engine
        self.processes = 1 if url is None else PROCESSES
        self.covered: list[int] = []  # K of each round
        self.violations: list[str] = []
        self._provider = provider
        self._url = url
        self._requests = requests
        self._extra_holds = extra_holds
        settings = dict(environment or {}) | ({} if url is None else {"RUNAPI_DATABASE_URL": url})
        self._gateways = [
            Served(folder / f"{engine} {number}", environment=settings) for number in range(self.processes)
        ]
        self._told: list[Told] = []
        self._rehearsal = ""  # the request that showed how much is held for each

    def run(self, rounds: int, chance: Random) -> None:
        """Race so often, each time for the money of another account; then look into the books."""
        with self._serve(rounds, chance) as purses:
            uvloop.run(self._race(purses, chance))
            self.violations += self._gateways[0].verify()
            for gateway in self._gateways:
                if gateway.stop() != 0:
                    self.violations.append("a gateway did not stop in peace")
                self.violations += gateway.faults()
        books = read_books(self._gateways[0].home, self._url)
        self.violations += check_books(books)
        self.violations += check_told(books, self._told)
        holds = {row_id: nano for row_id, nano in books.holds.items() if row_id != self._rehearsal}
        self.violations += check_charges(books, self._provider.calls, lambda row: holds.get(row.id))
        if books.open_holds:
            self.violations.append(f"{len(books.open_holds)} holds are open at the end")

    @contextmanager
    def _serve(self, rounds: int, chance: Random) -> Iterator[list[Purse]]:
        """Start the gateways; every account is there before the second one starts, so that both know all keys."""
        first, *others = self._gateways
        with ExitStack() as stack:
            stack.enter_context(serve(first))
            add_fine_provider(first, self._provider, [MODEL])
            hold_nano, self._rehearsal = uvloop.run(_find_hold(first))
            purses = [self._fill_purse(number, hold_nano, chance) for number in range(rounds)]
            for other in others:
                join(first, other)
                stack.enter_context(serve(other))
            yield purses

    def _fill_purse(self, number: int, hold_nano: int, chance: Random) -> Purse:
        """Give an account money for K holds and a part of one more."""
        covered = chance.randint(1, self._requests - 1)
        posted_nano = (covered + self._extra_holds) * hold_nano + chance.randrange(hold_nano)
        gateway, name = self._gateways[0], f"{self.engine}-purse-{number}"
        gateway.open_account(name, usd(posted_nano))
        keys = tuple(gateway.make_key(name).key for _ in range(KEYS))
        self.covered.append(covered)
        return Purse(name, keys, covered, posted_nano, _whole_hold(hold_nano))

    async def _race(self, purses: Sequence[Purse], chance: Random) -> None:
        async with AsyncExitStack() as stack:
            senders = [await stack.enter_async_context(Sender(gateway.url)) for gateway in self._gateways]
            for purse in purses:
                self._provider.close_gate()
                told = await self._send_all(senders, purse, self._requests, chance)
                self._judge(purse, told)
                await self._check_balance(senders[0], purse, told)
                late = await self._send_all(senders, purse, AFTERWARDS, chance)
                self._judge_refusals(late, _SPENT)
                self._told += told + late

    async def _send_all(
        self, senders: Sequence[Sender], purse: Purse, number: int, chance: Random
    ) -> list[Told]:
        """Send so many requests at once; let the upstream answer when each is there or refused."""
        tasks, told = [], list[Told]()
        for place in range(number):
            plan = _plan(f"{purse.name}-{len(told)}-of-{number}", purse.usage, stream=chance.random() < 0.5)
            told.append(Told(plan=plan, key=chance.choice(purse.keys)))
            body = write_body(plan, MODEL, _TEXT, max_completion_tokens=_CAP)
            tasks.append(asyncio.create_task(senders[place % len(senders)].send(told[-1], body)))
        calls = self._provider.calls
        await wait_for(
            lambda: sum(one.plan.tag in calls for one in told) + sum(task.done() for task in tasks) >= number
        )
        self._provider.open_gate()
        await asyncio.gather(*tasks)
        return told

    def _judge(self, purse: Purse, told: Sequence[Told]) -> None:
        """Exactly K reached the upstream and were answered; the others were told to wait, before any call."""
        called = [one for one in told if one.plan.tag in self._provider.calls]
        answered = [one for one in called if one.is_answer]
        if len(called) != purse.covered:
            self.violations.append(
                f"{purse.name}: the balance covers {purse.covered}, and {len(called)} requests reached the upstream"
            )
        if len(answered) != purse.covered:
            self.violations.append(f"{purse.name}: {len(answered)} were answered, not {purse.covered}")
        self._judge_refusals([one for one in told if not one.is_answer], _HELD)

    def _judge_refusals(self, told: Sequence[Told], right: tuple[object, ...]) -> None:
        """Each was refused in these words, and no upstream knows of it."""
        for one in told:
            error = one.error
            said = (one.status, error.get("code"), error.get("type"), one.headers.get("x-should-retry"))
            if said != right:
                what = one.body[:300].decode(errors="replace")
                self.violations.append(f"{one.plan.tag}: a refusal must be {right}, and was {said}: {what}")
            if one.plan.tag in self._provider.calls:
                self.violations.append(f"{one.plan.tag}: it was refused, and reached the upstream")

    async def _check_balance(self, sender: Sender, purse: Purse, told: Sequence[Told]) -> None:
        """The balance is what it was but for what was told, at once: whoever saw the end finds it right."""
        spent = sum(one.cost or 0 for one in told if one.is_answer)
        _, said = await sender.get("/v1/me/balance", purse.keys[0])
        balance = msgspec.json.decode(said, type=dict[str, str])
        if (int(balance["posted_nano"]), int(balance["held_nano"])) != (purse.posted_nano - spent, 0):
            self.violations.append(
                f"{purse.name}: {spent} of {purse.posted_nano} were spent, nothing should be held: {balance}"
            )


def _plan(tag: str, usage: str, *, stream: bool, conduct: Conduct = Conduct.GATED) -> Plan:
    return Plan(tag=tag, conduct=conduct, stream=stream, usage=usage)


def _whole_hold(hold_nano: int) -> str:
    """The report of a request that costs all that was held for it: every input token that it could have, and its cap."""
    rates = PriceList.read().prices(MODEL).tiers["standard"]
    output = Fraction(_CAP, PER_MILLION) * rates.output
    prompt = (Fraction(hold_nano, NANO) - output) / rates.input * PER_MILLION
    return write_usage(int(prompt), _CAP)


async def _find_hold(gateway: Served) -> tuple[int, str]:
    """How much is held for one of the requests: what one by somebody rich had held; and which one that was."""
    gateway.open_account("rich")
    plan = _plan(
        f"{gateway.home.parent.name}-rehearsal", write_usage(1, 1), stream=False, conduct=Conduct.FINE
    )
    told = Told(plan=plan, key=gateway.make_key("rich").key)
    async with Sender(gateway.url) as sender:
        await sender.send(told, write_body(plan, MODEL, _TEXT, max_completion_tokens=_CAP))
        _, said = await sender.get(f"/v1/requests/{told.request_id}", told.key)
    return int(msgspec.json.decode(said)["hold"]["amount_nano"]), told.request_id or ""
