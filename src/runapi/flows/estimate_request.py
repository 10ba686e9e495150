"""Say what a request would cost, without making it: nothing is held, charged, counted or sent.

The way is that of `relay` and `admit`, up to the point where money would be set aside.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from sqlalchemy import Connection

from runapi.core import limit_problems
from runapi.core.admission import HoldWish, RequestShape, ask_within, output_cap, priced_tier, wanted
from runapi.core.catalog import Model
from runapi.core.keys import ParameterPolicy, Principal
from runapi.core.ledger.books import Balance
from runapi.core.limits import Reached
from runapi.core.money import usd
from runapi.core.price_book import PriceVersion
from runapi.core.pricing import charge
from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.flows.admit import HELD_RETRY_S, Admission, how_to_top_up
from runapi.flows.estimate import estimate_usage
from runapi.flows.front_desk import FrontDesk, ticks_us
from runapi.store.database import Database
from runapi.store.ledger.customers import read_balance
from runapi.store.usage import list_recent_outputs
from runapi.wire.normalise import normalise
from runapi.wire.openai_chat.input_tokens import count_input
from runapi.wire.openai_chat.request import ChatRequest, is_null, read_chat_request
from runapi.wire.openai_chat.shape import read_ceiling, read_shape

DEFAULT_OUTPUT = 500
"""The output tokens of an answer that are taken to be typical of an account that has had none of the model."""


_NOT_COUNTED = ("functions", "response_format")  # what an upstream makes of them is not published


class RefusalRow(msgspec.Struct, frozen=True):
    """What the request would be told."""

    status: int
    code: str | None
    message: str


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would cost. Amounts are nano-dollars and the same in USD."""

    object: str = "estimate"
    model: str
    input_tokens: int
    exact: bool  # False: `input_tokens` is the most that they can be
    output_cap: int  # the output tokens of each choice that would be granted now; 0 where it would be refused
    worst_case_nano: str  # what would be held
    worst_case_usd: str
    typical_nano: str
    typical_usd: str
    typical_output_tokens: int
    typical_basis: str
    least_nano: str  # with less than this available it is refused
    least_usd: str
    price_version: int
    dropped: tuple[str, ...]  # parameters that the model refuses, and that would be left out
    would_be_admitted: bool
    refusal: RefusalRow | None


class _Asked(msgspec.Struct, frozen=True):
    """What the request wants."""

    model: Model
    price: PriceVersion
    shape: RequestShape
    wish: HoldWish
    ceiling_nano: int | None


class _Standing(msgspec.Struct, frozen=True):
    """What the database says of an account."""

    balance: Balance
    outputs: list[int]


class _Verdict(msgspec.Struct, frozen=True):
    """What admission would do."""

    held_nano: int  # what would be set aside; what would have been wanted, where it would be refused
    output_cap: int
    refusal: Problem | None


class Estimator:
    """Estimates requests by the prices, limits and money of this moment."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        desk: FrontDesk,
        find_model: Callable[[str], Model],
    ) -> None:
        """Join the parts."""
        self._database = database
        self._admission = admission
        self._desk = desk
        self._find_model = find_model

    async def estimate(self, principal: Principal, body: bytes, max_costs: Sequence[str]) -> Estimate:
        """Estimate a Chat Completions request.

        Args:
            principal: who would ask.
            body: as it would be sent.
            max_costs: headers that say the most that it may cost, in USD.

        Raises:
            Problem: the request could not be served to anybody: 400, 404, 410 or 503.
        """
        request = read_chat_request(body)
        model = self._find_model(request.model)
        ceiling_nano = read_ceiling(request.fields, max_costs)
        strict = principal.on_refused_parameter is ParameterPolicy.STRICT
        dropped = normalise(request, model, strict=strict).dropped
        price = self._admission.book.get(model.id)
        if price is None:
            raise limit_problems.model_not_priced(model.id)
        shape = read_shape(request)
        asked = _Asked(model, price, shape, wanted(shape, model, price.ours), ceiling_nano)
        async with self._desk.counts:
            counted = (await estimate_usage(partial(count_input, request), "", 0)).input
        standing = await self._database.run(_read_standing, principal, model.id)
        verdict = self._judge(principal, asked, standing.balance)
        is_exact = is_exact_count(request, shape)
        return _report(asked, counted, standing, verdict, dropped, is_exact=is_exact)

    def _judge(self, principal: Principal, asked: _Asked, balance: Balance) -> _Verdict:
        """Do as `Admission.admit` does, and change nothing."""
        wish = asked.wish
        amount_nano = ask_within(wish, asked.ceiling_nano)
        if amount_nano is None:
            problem = limit_problems.max_cost_too_low(asked.ceiling_nano or 0, wish.least_nano)
            return _Verdict(wish.amount_nano, 0, problem)
        gate = self._admission.gates.get(principal.key_id)
        if gate is not None:
            room = gate.ask(
                asked.model.id,
                tokens=asked.shape.likely_input,
                amount_nano=amount_nano,
                least_nano=wish.least_nano,
                now_us=time.time_ns() // 1_000,
                ticks_us=ticks_us(),
            )
            if isinstance(room, Reached):
                return _Verdict(amount_nano, 0, room.problem())
            amount_nano = room
        if not balance.guarded:
            return _Verdict(amount_nano, 0, limit_problems.account_frozen(how_to_top_up(principal.mode)))
        if balance.available < wish.least_nano:
            if balance.posted >= wish.least_nano:
                return _Verdict(amount_nano, 0, limit_problems.credits_held(balance.held, HELD_RETRY_S))
            available_nano = max(balance.available, 0)
            problem = limit_problems.insufficient_credits(
                wish.least_nano, available_nano, how_to_top_up(principal.mode)
            )
            return _Verdict(amount_nano, 0, problem)
        granted_nano = min(amount_nano, balance.available)
        return _Verdict(granted_nano, output_cap(wish, granted_nano), None)


def _read_standing(connection: Connection, principal: Principal, model: str) -> _Standing:
    balance = read_balance(connection, principal.account_id, principal.mode)
    outputs = list_recent_outputs(connection, principal.account_id, principal.mode, model)
    return _Standing(balance or Balance(), outputs)


def is_exact_count(request: ChatRequest, shape: RequestShape) -> bool:
    """Whether all that goes into the prompt is text, whose tokens can be counted here."""
    if shape.is_open or shape.image_tokens:
        return False
    return all(is_null(request.fields[name]) for name in _NOT_COUNTED if name in request.fields)


def _typical(outputs: list[int]) -> int:
    """The median, the lower one of two."""
    return sorted(outputs)[(len(outputs) - 1) // 2] if outputs else DEFAULT_OUTPUT


def _basis(count: int, model: str) -> str:
    if not count:
        return f"no answer of {model} to go by yet: {DEFAULT_OUTPUT} output tokens are assumed"
    return f"the median output of this account's newest answers of {model} ({count} of them), and no cached input"


def _report(
    asked: _Asked,
    counted: int,
    standing: _Standing,
    verdict: _Verdict,
    dropped: tuple[str, ...],
    *,
    is_exact: bool,
) -> Estimate:
    wish, refusal = asked.wish, verdict.refusal
    most_output = (verdict.output_cap or wish.output_cap) * asked.shape.choices
    typical_output = min(_typical(standing.outputs), most_output)
    likely = Usage(input=min(counted, wish.input_tokens), output=typical_output)
    tier = priced_tier(asked.shape.service_tier, asked.shape.service_tier)
    typical_nano = charge(asked.price.ours, likely, tier).nano
    return Estimate(
        model=asked.model.id,
        input_tokens=counted if is_exact else wish.input_tokens,
        exact=is_exact,
        output_cap=verdict.output_cap,
        worst_case_nano=str(verdict.held_nano),
        worst_case_usd=usd(verdict.held_nano),
        typical_nano=str(typical_nano),
        typical_usd=usd(typical_nano),
        typical_output_tokens=typical_output,
        typical_basis=_basis(len(standing.outputs), asked.model.id),
        least_nano=str(wish.least_nano),
        least_usd=usd(wish.least_nano),
        price_version=asked.price.version,
        dropped=dropped,
        would_be_admitted=refusal is None,
        refusal=None if refusal is None else RefusalRow(refusal.status, refusal.code, refusal.message),
    )
