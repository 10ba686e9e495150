"""The whole gateway is killed with kill -9 at random moments, under 64 requests at once, and started again on its data.

After each kill the stopped books are compared with what every client was told and with what the upstream was asked;
after each start nothing may be held, and requests under an idempotency key are sent once more.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import uvloop

from prove.aftermath import Books, Row, check_books, check_charges, check_told, read_books
from prove.crowd import SETTINGS, Ask, Customer, Odds, connect, draw, draw_costly, let_in, price_by_plan
from prove.provider import Conduct, Provider
from prove.served import Served
from prove.tiers import Tier
from prove.traffic import Sender, Told
from prove.verdict import Verdict
from runapi.core.ledger.recover import ERROR_CODE
from runapi.core.records import Outcome

NAME = "kills"
AT_ONCE = 64
KILLS_CI, KILLS_NIGHTLY = 50, 1_000
KILLS_A_LIFE = 25  # then a new installation: what is compared grows with each

_ODDS = Odds(upstream=0.2, leaves=0.1, bad=0.02, keyed=0.35)
_IN_A_START = 0.12  # of the kills
_AT_AN_END = 0.3  # ... in the moment when a client has its answer's last byte
_LATE = 0.08  # ... when long streams have come to a checkpoint
_LATEST_S, _LATE_S, _FATAL_END_S = 0.6, 2.6, 10.0
_AGAIN = 0.5  # of the starts are followed by requests that are sent again
_MOST_AGAIN = 12
_SLOW = (
    Conduct.SILENT,
    Conduct.STALLS,
    Conduct.UNCOUNTED,
)  # not asked again: half of the time would go there
_COSTLY = 6


def prove(tier: Tier, seed: int) -> Verdict:
    """Kill so often."""
    left = tier.cases(ci=KILLS_CI, nightly=KILLS_NIGHTLY)
    verdicts = []
    with Provider() as provider:
        for number in range(-(-left // KILLS_A_LIFE)):
            life = Life(provider, f"{seed}-{number}")
            verdicts.append(life.run(min(left, KILLS_A_LIFE)))
            left -= KILLS_A_LIFE
    counts = sum((life_counts for life_counts, _ in verdicts), Counter[str]())
    return Verdict(
        cases=counts["kills"],
        figures=tuple(f"{counts[what]} {what}" for what in _SHOWN),
        violations=[text for _, violations in verdicts for text in violations] + provider.faults,
    )


_SHOWN = (
    *("in starts", "requests", "answered", "cut off", "sent again", "replayed"),
    *("charged", "recovered", "charged at a checkpoint"),
)


class Life:
    """One installation, from its first start to its last stop in peace."""

    def __init__(
        self,
        provider: Provider,
        name: str,
        *,
        at_once: int = AT_ONCE,
        at_an_end: float = _AT_AN_END,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.counts = Counter[str]()
        self.violations: list[str] = []
        self._provider = provider
        self._name = name
        self._at_once = at_once
        self._at_an_end = at_an_end
        self._environment = environment
        self._gateway: Served
        self._sender: Sender
        self._customers: list[Customer] = []
        self._told: list[Told] = []  # all
        self._fresh: list[Told] = []  # since the books were read last
        self._asked: list[Ask] = []  # under a key, in the last load
        self._books: Books
        self._ends = 0  # answers of this load
        self._fatal_end = 0  # the one that brings the kill
        self._dead = asyncio.Event()

    def run(self, kills: int) -> tuple[Counter[str], list[str]]:
        """Kill the gateway so often."""
        with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder:
            self._gateway = Served(Path(folder), environment=self._environment, **SETTINGS)
            try:
                uvloop.run(self._live(kills))
            except (AssertionError, RuntimeError) as fault:  # it did not start, or refused a command
                self.violations.append(f"the gateway could not go on: {fault}")
            finally:
                self._gateway.kill()
        return self.counts, self.violations

    async def _live(self, kills: int) -> None:
        self._gateway.start()
        connect(self._gateway, self._provider)
        self._customers = let_in(self._gateway, "first") + let_in(self._gateway, "second")
        async with Sender(self._gateway.url) as self._sender:
            while self.counts["kills"] < kills:
                await self._live_once(Random(f"{self._name} {self.counts['kills']}"), kills)
        self._end_in_peace()

    async def _live_once(self, chance: Random, kills: int) -> None:
        """From one start to the next, with a kill in between, or two."""
        await self._be_killed(chance)
        self._look(read_books(self._gateway.home))
        if self.counts["kills"] < kills and chance.random() < _IN_A_START:
            await self._be_killed_in_start(chance)
        self._gateway.start()
        self._check_start()
        if chance.random() < _AGAIN:
            await self._send_again(chance)

    def _end_in_peace(self) -> None:
        self.violations += self._gateway.verify()
        if self._gateway.stop() != 0:
            self.violations.append("the gateway did not stop in peace")
        self.violations += self._gateway.faults()
        self._look(read_books(self._gateway.home))
        self.counts["charged"] = len(self._books.settles)
        recovered = [row for row in self._books.rows.values() if row.error_code == ERROR_CODE]
        self.counts["recovered"] = len(recovered)
        self.counts["charged at a checkpoint"] = sum(row.cost_nano > 0 for row in recovered)

    # ---- death -------------------------------------------------------------------------------------------

    async def _be_killed(self, chance: Random) -> None:
        """Send requests without a pause, until the kill; then let every client notice."""
        self._ends, self._asked = 0, []
        self._dead.clear()
        run, is_late = self.counts["kills"], chance.random() < _LATE
        is_at_an_end = not is_late and chance.random() < self._at_an_end
        self._fatal_end = chance.randint(1, 2 * self._at_once) if is_at_an_end else 0
        load = [
            asyncio.create_task(self._keep_asking(Random(f"{self._name} {run} {place}"), f"{run}-{place}"))
            for place in range(self._at_once)
        ]
        if is_late:
            load += [
                asyncio.create_task(
                    self._send(
                        draw_costly(chance, f"{self._name}-{run}-c{place}", self._customers[0], lasts_s=4)
                    )
                )
                for place in range(_COSTLY)
            ]
        most_s = _LATE_S if is_late else chance.uniform(0.02, _LATEST_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FATAL_END_S if self._fatal_end else most_s):
                await self._dead.wait()
        self._kill()
        await asyncio.gather(*load)

    async def _be_killed_in_start(self, chance: Random) -> None:
        """Start it, and kill it before it is there, or shortly after."""
        self._gateway.spawn()
        await asyncio.sleep(chance.uniform(0, 1.2))
        process = self._gateway.process
        if process is not None and process.poll() is not None:
            self.violations.append(f"a start ended with {process.returncode}: {self._gateway.stderr[-500:]}")
        self._gateway.kill()
        self.counts["kills"] += 1
        self.counts["in starts"] += 1

    def _kill(self) -> None:
        if not self._dead.is_set():
            self._dead.set()
            self._gateway.kill()
            self.counts["kills"] += 1

    async def _keep_asking(self, chance: Random, place: str) -> None:
        number = 0
        while not self._dead.is_set():
            number += 1
            ask = draw(chance, f"{self._name}-{place}-{number}", chance.choice(self._customers), _ODDS)
            if (
                ask.told.idempotency_key is not None and chance.random() < 0.2
            ):  # twice at once: the second joins
                await asyncio.gather(self._send(ask), self._send(ask.again()))
            else:
                await self._send(ask)

    async def _send(self, ask: Ask) -> None:
        self._fresh.append(ask.told)
        if ask.told.idempotency_key is not None:
            self._asked.append(ask)
        await self._sender.send(ask.told, ask.body, leave_after_s=ask.leave_after_s)
        if ask.told.is_answer and not self._dead.is_set():
            self._ends += 1
            if self._ends == self._fatal_end:
                self._kill()

    # ---- and what is left --------------------------------------------------------------------------------

    def _look(self, books: Books) -> None:
        """Compare the stopped books with what was told since they were read last."""
        self._books = books
        fresh, self._fresh = self._fresh, []
        self._told += fresh
        self.counts["requests"] += len(fresh)
        self.counts["answered"] += sum(told.is_answer for told in fresh)
        self.counts["cut off"] += sum(
            not told.left and not told.is_whole and not told.error for told in fresh
        )
        found = check_books(books) + check_told(books, fresh) + check_same_bytes(fresh)
        tags = {told.request_id: told.plan.tag for told in self._told if told.request_id is not None}
        found += check_charges(books, self._provider.calls, price_by_plan(self._told), tags)
        found += check_lost_answers(books, fresh, tags)
        self.violations += [f"{self._name}, kill {self.counts['kills']}: {text}" for text in found]

    def _check_start(self) -> None:
        if not self._gateway.is_ready():
            self.violations.append("a gateway was started, and is not ready")
        opened, held_nano = self._gateway.count_open_holds(), self._gateway.held_nano()
        if opened or held_nano:
            self.violations.append(
                f"after a start {opened} holds of {held_nano} are open, and nobody asks for anything"
            )

    async def _send_again(self, chance: Random) -> None:
        """Send some of the requests under a key once more, which is what clients do whose connection broke."""
        before: dict[str, list[Told]] = {}
        for ask in self._asked:
            before.setdefault(ask.told.plan.tag, []).append(ask.told)
        asked = {ask.told.plan.tag: ask for ask in self._asked if ask.told.plan.conduct not in _SLOW}
        charged = {row.tag for row in self._books.rows.values() if row.cost_nano}
        some = sorted(asked.keys() & charged), sorted(asked.keys() - charged)
        tags = [tag for group in some for tag in chance.sample(group, min(_MOST_AGAIN // 2, len(group)))]
        calls = {tag: self._provider.calls[tag] for tag in tags}
        again = [asked[tag].again() for tag in tags]
        self._asked = []
        await asyncio.gather(*(self._send(ask) for ask in again))
        self.counts["sent again"] += len(again)
        self.counts["replayed"] += sum(ask.told.is_replay for ask in again)
        rows = {row.tag: row for row in self._books.rows.values() if row.cost_nano}
        for ask in again:
            tag = ask.told.plan.tag
            is_new_call = self._provider.calls[tag] > calls[tag]
            fault = judge_repeat(ask.told, before[tag], rows.get(tag), is_new_call=is_new_call)
            if fault is not None:
                self.violations.append(f"{tag} ({ask.told.plan.conduct}) was sent again: {fault}")


def judge_repeat(now: Told, before: Sequence[Told], charged: Row | None, *, is_new_call: bool) -> str | None:
    """What is wrong with the answer to a request that was sent again after a restart.

    Args:
        now: what its client was told now.
        before: what was told before the kill.
        charged: the row of the request under this key, where it had been charged before the kill.
        is_new_call: an upstream was called again.
    """
    answered = next((told for told in before if told.is_answer and told.cost), None)
    if now.is_lost:
        return "no end ever came"
    if answered is None and charged is None:
        return (
            None if is_new_call or not now.is_answer else "it had not ended, and was answered without a call"
        )
    if is_new_call:
        return "it had been charged, and an upstream was called once more"
    if answered is None and charged is not None and charged.outcome == Outcome.CANCELLED:
        return None if now.status == 410 else f"it was cancelled and charged, and was answered {now.status}"
    return _fault_of_replay(now, before)


def _fault_of_replay(now: Told, before: Sequence[Told]) -> str | None:
    """What is wrong with an answer that should be the one of before, byte for byte."""
    if not (now.is_answer and now.is_replay):
        return f"it had been charged, and was answered {now.status} (a replay: {now.is_replay}): {now.body[:200]!r}"
    for told in before:
        if told.is_answer and told.cost and told.body != now.body:
            return "the replay has other bytes than the answer"
        if told.request_id == now.request_id and told.status == 200 and not now.body.startswith(told.body):
            return "the replay begins with other bytes than the answer did"
    return None


def check_lost_answers(books: Books, told: Sequence[Told], tags: Mapping[str, str]) -> list[str]:
    """Whoever is told that the answer of a charged request is lost was charged for it."""
    charged = {row.tag or tags.get(row.id) for row in books.rows.values() if row.id in books.settles}
    lost = [one for one in told if one.status == 410]
    return [
        f"{one.plan.tag}: its answer is said to be lost, and it was never charged"
        for one in lost
        if one.plan.tag not in charged
    ]


def check_same_bytes(told: Sequence[Told]) -> list[str]:
    """Whoever has a whole answer of one request has the same one."""
    bodies: dict[str, set[bytes]] = {}
    for one in told:
        if one.is_answer and one.request_id is not None:
            bodies.setdefault(one.request_id, set()).add(one.body)
    return [
        f"{request_id} was answered with different bytes"
        for request_id, said in bodies.items()
        if len(said) > 1
    ]
