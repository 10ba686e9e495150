"""May this request be served, and what is set aside for it? Answered before any upstream is called.

In this order, and each refusal leaves everything as it was: is the key refused again and again; may it call from
there; is the model priced; is there room in the key's limits; and last, in the ledger, is there money.
"""

import time
from collections.abc import Callable

import msgspec

from runapi.core import limit_problems
from runapi.core.admission import HoldWish, RequestShape, ask_within, output_cap, wanted
from runapi.core.catalog import Model
from runapi.core.keys import Mode, Principal
from runapi.core.ledger.operations import Frozen, Held, Insufficient, OpenHold
from runapi.core.limits import Gates, KeyGate, Limit, Pass, Reached
from runapi.core.money import usd
from runapi.core.price_book import PriceBook, PriceVersion
from runapi.core.problems import Problem, internal_error
from runapi.core.records import RequestRecord
from runapi.core.throttle import Throttle
from runapi.store.faults import LedgerUnavailable
from runapi.store.ledger.writer import LedgerWriter

HELD_RETRY_S = 2  # running requests may give back what they hold at any moment
_PASSES_AT_ANY_MOMENT = frozenset({Limit.CONCURRENT, Limit.SPEND_HELD, Limit.MODEL})


class Hold(msgspec.Struct, frozen=True):
    """What was promised for one request: its prices stay as they were when it was admitted."""

    price: PriceVersion
    granted_nano: int
    output_cap: int  # tokens a choice that this pays for
    bound_by: str | None  # why that is less than was asked for: balance, max_cost or spending limit
    asked_tier: str | None
    gate: KeyGate | None
    entered: Pass | None
    key_id: int
    admitted_us: int


class Admission:
    """The way in: prices, limits and money, as they are at this moment."""

    def __init__(self, ledger: LedgerWriter, ticks_us: Callable[[], int] | None = None) -> None:
        """Begin with no prices and no limits: until they are loaded every request is refused."""
        self.book = PriceBook()
        self.gates = Gates()
        self.throttle = Throttle()
        self._ledger = ledger
        self._ticks_us = ticks_us or (lambda: time.monotonic_ns() // 1_000)

    def check_caller(self, principal: Principal, address: str) -> None:
        """Refuse a key that has expired, or that may not be used from this address.

        Raises:
            Problem: 401.
        """
        gate = self.gates.get(principal.key_id)
        if gate is not None:
            reached = gate.check_caller(address, time.time_ns() // 1_000)
            if reached is not None:
                raise reached.problem()

    def allows_model(self, principal: Principal, model_id: str) -> bool:
        """Say whether the key's limits let it use the model."""
        gate = self.gates.get(principal.key_id)
        return gate is None or gate.limits.allows_model(model_id)

    def check_storm(self, principal: Principal) -> None:
        """Answer a key that is refused again and again from memory.

        Raises:
            Problem: the one it was told before.
        """
        problem = self.throttle.repeat(principal.key_id, self._ticks_us())
        if problem is not None:
            raise problem

    async def admit(
        self,
        principal: Principal,
        model: Model,
        shape: RequestShape,
        record: RequestRecord,
        max_cost_nano: int | None = None,
    ) -> Hold:
        """Set aside what the request can cost, durably, and pin its prices.

        Raises:
            Problem: 402, 403, 404, 429 or 503; nothing is held.
        """
        price = self.book.get(model.id)
        if price is None:
            raise limit_problems.model_not_priced(model.id)
        wish = wanted(shape, model, price.ours)
        amount_nano = ask_within(wish, max_cost_nano)
        if amount_nano is None:
            raise limit_problems.max_cost_too_low(max_cost_nano or 0, wish.least_nano)
        gate = self.gates.get(principal.key_id)
        entered = None
        if gate is not None:
            entered = self._enter(gate, principal, shape, (amount_nano, wish.least_nano), record)
            amount_nano = min(amount_nano, entered.amount_nano)
        try:
            held = await self._hold(principal, wish, amount_nano, price.version, record)
        except BaseException:
            self._leave(gate, entered)
            raise
        if gate is not None and entered is not None:
            gate.shrink(entered, held.granted_nano)
        self.throttle.forget_key(principal.key_id)
        cap = output_cap(wish, held.granted_nano)
        record.output_cap = cap
        return Hold(
            price=price,
            granted_nano=held.granted_nano,
            output_cap=cap,
            bound_by=_bound_by(wish, cap, held, amount_nano, max_cost_nano),
            asked_tier=shape.service_tier,
            gate=gate,
            entered=entered,
            key_id=principal.key_id,
            admitted_us=record.at_us,
        )

    def leave(self, hold: Hold, charged_nano: int, tokens: int) -> None:
        """Give the request's share of its key's limits back; a second time changes nothing."""
        if hold.gate is not None and hold.entered is not None:
            hold.gate.leave(hold.entered, charged_nano, tokens, self._ticks_us())
        elif charged_nano and (gate := self.gates.get(hold.key_id)) is not None:
            gate.count(charged_nano, hold.admitted_us)  # limited while the request ran

    def _enter(
        self,
        gate: KeyGate,
        principal: Principal,
        shape: RequestShape,
        amounts_nano: tuple[int, int],
        record: RequestRecord,
    ) -> Pass:
        ticks_us = self._ticks_us()
        amount_nano, least_nano = amounts_nano
        entered = gate.enter(
            record.model,
            tokens=shape.likely_input,
            amount_nano=amount_nano,
            least_nano=least_nano,
            now_us=record.at_us,
            ticks_us=ticks_us,
        )
        if isinstance(entered, Pass):
            return entered
        problem = entered.problem()
        if entered.limit not in _PASSES_AT_ANY_MOMENT:
            self._note_refusal(principal, problem, entered)
        raise problem

    def _leave(self, gate: KeyGate | None, entered: Pass | None) -> None:
        if gate is not None and entered is not None:
            gate.leave(entered, 0, 0, self._ticks_us())

    async def _hold(
        self,
        principal: Principal,
        wish: HoldWish,
        amount_nano: int,
        price_version: int,
        record: RequestRecord,
    ) -> Held:
        asked = OpenHold(
            request_id=record.id,
            account_id=principal.account_id,
            mode=principal.mode,
            amount_nano=amount_nano,
            least_nano=wish.least_nano,
            key_id=principal.key_id,
            price_version=price_version,
            at_us=record.at_us,
            endpoint=record.endpoint,
            model=record.model,
            stream=record.stream,
        )
        try:
            outcome = await self._ledger.submit(asked)
        except LedgerUnavailable:
            raise limit_problems.ledger_unavailable() from None
        match outcome:
            case Held():
                return outcome
            case Insufficient(available_nano, held_nano) if available_nano + held_nano >= wish.least_nano:
                raise limit_problems.credits_held(held_nano, HELD_RETRY_S)
            case Insufficient(available_nano):
                problem = limit_problems.insufficient_credits(
                    wish.least_nano, max(available_nano, 0), how_to_top_up(principal.mode)
                )
            case Frozen():
                problem = limit_problems.account_frozen(how_to_top_up(principal.mode))
            case _:  # two requests of one id, or an account that is gone: a bug of ours
                raise internal_error()
        self._note_refusal(principal, problem, None)
        raise problem

    def _note_refusal(self, principal: Principal, problem: Problem, reached: Reached | None) -> None:
        lasts_us = None if reached is None else reached.wait_us
        self.throttle.note_refusal(
            principal.key_id, principal.account_id, problem, self._ticks_us(), lasts_us
        )


def limit_header(hold: Hold) -> str:
    """Say why an answer may end early: its cap, and what set it."""
    return f"{hold.output_cap} output tokens, by {hold.bound_by} (${usd(hold.granted_nano)} held)"


def _bound_by(wish: HoldWish, cap: int, held: Held, asked_nano: int, max_cost_nano: int | None) -> str | None:
    if cap >= wish.output_cap:
        return None
    if held.granted_nano < asked_nano:
        return "balance"
    return "max_cost" if asked_nano == max_cost_nano else "spending limit"


def how_to_top_up(mode: Mode) -> str:
    """Give the sentence that ends a refusal for want of funds."""
    if mode is Mode.TEST:
        return (
            "This is play money: redeem a code for test credits (POST /v1/redeem), or ask the operator for "
            "`runapi accounts credit NAME --usd 5 --mode test`."
        )
    return (
        "Top up: pay with POST /v1/topups, redeem a code with POST /v1/redeem, or ask the operator of this service; "
        "GET /v1/me/balance shows the balance."
    )
