"""Every route, streamed and whole, with every shape of usage, tier, model and policy, against a second calculator.

What a request costs is the same to the last nano-dollar wherever it is written: in the answer's bytes, its header, the
explanation, the receipt, the request's row, the ledger.
"""

import asyncio
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import uvloop

from prove.aftermath import check_books, check_told, read_books
from prove.calculator import CATALOGUE, PriceList, cost
from prove.places import (
    Case,
    Choice,
    faults_in_answer,
    faults_in_books,
    faults_in_explanation,
    faults_in_receipt,
    told_tokens,
)
from prove.provider import Conduct, Plan, Provider
from prove.routes import ROUTES, Route
from prove.served import OWN_MODELS, Served, serve
from prove.tiers import Tier
from prove.traffic import CHAT, RESPONSES, Sender, Told, wait_for
from prove.usages import SHAPES
from prove.verdict import Verdict

NAME = "parity"
ROUNDS_CI, ROUNDS_NIGHTLY = 2, 40  # of everything with everything, but for tiers, which take turns
AT_ONCE = 16
IN_FLIGHT = 6  # requests that run while new prices are published

_OWN = """
models:
  odd-model:
    owned_by: nobody
    released: 2026-01-01
    context_window: 1_050_000
    max_input_tokens: 922_000
    max_output_tokens: 128_000
    endpoints: [/v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings]
    official:
      standard: {input: 0.000007, cached: 0.000003, cache_write: 0.000011, output: 0.000013}
      long_threshold: 700
      long: {input: 2.718281, cached: 0.000001, cache_write: 3.141593, output: 1.414213}
      flex: {input: 0.000005, cached: 0.000002, output: 0.000011}
      flex_long: {input: 1.000001, output: 1.732051}
      priority: {input: 9.999999, cached: 0.999999, cache_write: 12.345679, output: 99.999999}
    ours:
      standard: {input: 3.333333, cached: 0.777777, cache_write: 4.166667, output: 19.999999}
      long_threshold: 700
      long: {input: 6.666667, cached: 1.234567, cache_write: 7.654321, output: 29.000001}
      flex: {input: 1.666667, cached: 0.111111, output: 9.090909}
      flex_long: {input: 3.333331, output: 14.285714}
      priority: {input: 7.777777, cached: 0.333331, cache_write: 9.876543, output: 49.999997}
    source: made up
  half-model:
    owned_by: nobody
    released: 2026-01-01
    context_window: 1_050_000
    max_input_tokens: 922_000
    max_output_tokens: 128_000
    endpoints: [/v1/chat/completions]
    official:
      standard: {input: 0.4, cached: 0.04, output: 1.6}
      priority: {input: 0.000002, output: 123456.789012}
    source: made up
"""


def prove(tier: Tier, seed: int) -> Verdict:
    """Ask for everything so often."""
    with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder, Provider() as provider:
        scales = Scales(Path(folder), provider, str(seed))
        combinations = scales.count_combinations()
        scales.run(tier.cases(ci=ROUNDS_CI * combinations, nightly=ROUNDS_NIGHTLY * combinations))
    return Verdict(
        cases=len(scales.cases), figures=scales.figures(), violations=scales.violations + provider.faults
    )


class Scales:
    """A gateway on one side, and the second calculator on the other."""

    def __init__(
        self, folder: Path, provider: Provider, name: str, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.violations: list[str] = []
        self.cases: list[Case] = []
        self._gateway = Served(folder, environment=environment)
        self._provider = provider
        self._name = name
        self._chance = Random(name)
        self._key = ""
        own = folder / OWN_MODELS
        own.write_text(_OWN)
        self._list = PriceList.read(own)
        self._ratio = f"0.{self._chance.randint(1, 999_999):06d}"
        self._public_key = b""

    def figures(self) -> tuple[str, ...]:
        """What the table says."""
        models = {case.choice.model for case in self.cases}
        told = sum(case.charged_nano for case in self.cases)
        estimated = sum(case.report.tokens is None for case in self.cases)
        return (
            f"{len(ROUTES)} routes",
            f"{len(SHAPES)} shapes",
            f"{len(models)} models",
            f"policies {CATALOGUE} and {self._ratio}",
            f"{estimated} estimated",
            f"{told} nano-dollars",
        )

    def count_combinations(self) -> int:
        """How many there are of policy, route, form, model and shape."""
        return 2 * sum(len(route.forms) * len(self._models_of(route)) * len(route.shapes) for route in ROUTES)

    def _models_of(self, route: Route) -> list[str]:
        """The models that it is asked for."""
        offered = self._list.served_at(route.path)
        if route.models is None:
            return offered
        reachable = {*offered, *self._list.served_at(RESPONSES)}  # from every protocol
        return [model for model in route.models if model in reachable]

    def run(self, number: int) -> None:
        """Ask for so many things; then look into the books."""
        self._gateway.home.mkdir(mode=0o700)
        (self._gateway.home / OWN_MODELS).write_text(_OWN)
        with serve(self._gateway):
            models = dict.fromkeys([*self._list.served_at(CHAT), *self._list.served_at(RESPONSES)])
            speaks = ["openai_chat", "openai_responses"]
            self._gateway.add_provider("provider", self._provider.base_url, models, dialects=speaks)
            self._gateway.open_account("payer")
            self._key = self._gateway.make_key("payer").key
            uvloop.run(self._weigh(number))
            self.violations += self._gateway.verify()
            self._gateway.stop()
        self.violations += self._gateway.faults()
        books = read_books(self._gateway.home)
        self.violations += check_books(books) + check_told(books, [case.told for case in self.cases])
        for case in self.cases:
            self._note(case, faults_in_books(case, books))

    # ---- asking ------------------------------------------------------------------------------------------

    async def _weigh(self, number: int) -> None:
        """Ask for one half under the first policy, and for the other under the second."""
        async with Sender(self._gateway.url) as sender:
            _, said = await sender.get("/v1/receipts/key", self._key)
            self._public_key = bytes.fromhex(json.loads(said)["public_key"])
            first = -(-number // 2)
            await self._ask_all(sender, itertools.islice(self._draw(CATALOGUE), first))
            await self._ask_while_publishing(sender)
            await self._ask_all(sender, itertools.islice(self._draw(self._ratio), number - first))

    async def _ask_all(self, sender: Sender, cases: Iterator[Case]) -> None:
        async def keep_asking() -> None:
            for case in cases:
                await self._ask(sender, case)

        await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))

    async def _ask_while_publishing(self, sender: Sender) -> None:
        """What was admitted before a publication costs what it did then, however late it ends."""
        self._provider.close_gate()
        cases = list(itertools.islice(self._draw(CATALOGUE, Conduct.GATED), IN_FLIGHT))
        asking = [asyncio.create_task(self._ask(sender, case)) for case in cases]
        calls = self._provider.calls  # a request that is refused ends before: that is said where it is judged
        await wait_for(
            lambda: all(case.told.plan.tag in calls for case in cases) or any(task.done() for task in asking)
        )
        await asyncio.to_thread(self._gateway.ask, "prices.publish", dict[str, object], ratio=self._ratio)
        self._provider.open_gate()
        await asyncio.gather(*asking)

    def _draw(self, policy: str, conduct: Conduct = Conduct.FINE) -> Iterator[Case]:
        """Every combination in any order, and then again with other numbers."""
        chance = self._chance
        tiers = [itertools.cycle(chance.sample(route.tiers, len(route.tiers))) for route in ROUTES]
        while True:
            everything = [
                (number, form, model, shape)
                for number, route in enumerate(ROUTES)
                for form in route.forms
                for model in self._models_of(route)
                for shape in route.shapes
            ]
            for number, form, model, shape in chance.sample(everything, len(everything)):
                choice = Choice(ROUTES[number], form, model, shape, *next(tiers[number]))
                yield self._write(choice, policy, conduct)

    def _write(self, choice: Choice, policy: str, conduct: Conduct) -> Case:
        route, form, model, shape, asked, served = choice
        report = route.read(SHAPES[shape](self._chance))
        plan = Plan(
            tag=f"{self._name}-{len(self.cases)}",
            conduct=conduct,
            stream=form.is_stream,
            usage=report.text,
            tier=served,
            chunks=self._chance.randint(1, 4),
        )
        fields = dict(form.fields) | ({} if asked is None else {"service_tier": asked})
        body = route.write(plan, model, fields, is_open=report.is_open)
        told = Told(plan=plan, key=self._key, model=model)
        case = Case(choice=choice, report=report, policy=policy, told=told, body=body)
        self.cases.append(case)
        return case

    async def _ask(self, sender: Sender, case: Case) -> None:
        """Ask, and hold what was told against the second calculator."""
        told = await sender.send(case.told, case.body, path=case.choice.route.path)
        if not told.is_answer:
            self._note(case, [f"it was answered {told.status}: {told.body[:500].decode(errors='replace')}"])
            return
        tokens = case.report.tokens or told_tokens(told.body)
        prices = self._list.prices(case.choice.model, case.policy)
        case.due = cost(prices, tokens, case.choice.asked, case.choice.served)
        status, said = await sender.get(f"/v1/requests/{told.request_id}", case.told.key)
        explanation = json.loads(said)
        if status != 200:
            self._note(case, [f"it cannot be explained: {explanation}"])
            return
        hold_nano = int(explanation["hold"]["amount_nano"])
        case.charged_nano = min(case.due.nano, hold_nano)
        is_beyond = case.report.is_beyond or tokens.prompt > self._list.most_input(case.choice.model)
        if case.due.nano > hold_nano and not is_beyond:
            self._note(case, [f"it costs {case.due.nano}, and only {hold_nano} was held for it"])
        self._note(case, faults_in_answer(case))
        self._note(case, faults_in_explanation(case, explanation, tokens))
        _, receipt = await sender.get(f"/v1/requests/{told.request_id}/receipt", case.told.key)
        self._note(case, faults_in_receipt(case, receipt, tokens, self._public_key))

    def _note(self, case: Case, faults: Sequence[str]) -> None:
        self.violations += [f"{case}: {fault}" for fault in faults]
