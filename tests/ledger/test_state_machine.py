"""Hypothesis plays any operations in any order to the ledger and to a small model of it: they never differ."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.model import Model
from ledger.played import InMemory, play
from runapi.core.ledger.books import AccountKind, kind_of, mode_of

STEPS = int(os.environ.get("RUNAPI_TEST_LEDGER_STEPS", "60"))
RUNS = int(os.environ.get("RUNAPI_TEST_LEDGER_RUNS", "200"))

REQUESTS = st.sampled_from(["a", "b", "c", "req_" + "0" * 32, "req_" + "0" * 31 + "1", "é"])
MODES = st.sampled_from(["live", "live", "test"])
CUSTOMERS = st.sampled_from([1, 1, 2, 3])  # there is no 3
EDGES = st.sampled_from([0, 1, 999, 1000, 10**18, 10**18 + 1, 2**63 - 1, -1])
AMOUNTS = st.integers(0, 1200) | EDGES
PAYMENTS = st.sampled_from([f"payment {number}" for number in range(8)])


class LedgerMachine(RuleBasedStateMachine):
    """Each rule is one operation; a refused one is as good as another."""

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.ledger = InMemory()
        self.pending: list[dict[str, Any]] = []

    def do(self, op: str, **fields: Any) -> None:
        wanted = self.model.do({"op": op, **fields})
        [found] = play(self.ledger, [{"op": op, **fields}], in_batches=False)
        assert found == wanted, (op, fields)

    @rule(
        op=st.sampled_from(["topup", "promo", "refund", "chargeback", "adjust", "write_off"]),
        mode=MODES,
        account=CUSTOMERS,
        amount=AMOUNTS | st.integers(-500, 500),
        id=PAYMENTS,
    )
    def post(self, **fields: Any) -> None:
        self.do(**fields)

    @rule(
        mode=MODES,
        account=st.sampled_from([1, 2]),
        amount=st.integers(500, 5000),
        number=st.integers(0, 10**9),
    )
    def top_up(self, number: int, **fields: Any) -> None:
        self.do("topup", id=f"own {number}", **fields)

    @rule(
        op=st.sampled_from(["chargeback", "adjust"]),
        mode=MODES,
        account=st.sampled_from([1, 2]),
        more=st.integers(-200, 200),
        number=st.integers(0, 10**9),
    )
    def take_about_what_is_left(self, op: str, mode: str, account: int, more: int, number: int) -> None:
        left = self.model.left((mode, str(account)))
        amount = left + more if op == "chargeback" else -left - more
        self.do(op, mode=mode, account=account, amount=amount, id=f"own {number}")

    @rule(request=REQUESTS, mode=MODES, account=CUSTOMERS, amount=AMOUNTS, least=st.integers(0, 300) | EDGES)
    def hold(self, **fields: Any) -> None:
        self.do("hold", **fields)

    @rule(request=REQUESTS, mode=MODES, account=st.sampled_from([1, 2]), amount=st.integers(1, 400))
    def hold_what_may_be_there(self, **fields: Any) -> None:
        self.do("hold", least=1, **fields)

    @rule(request=REQUESTS, n=st.integers(1, 3), amount=AMOUNTS, least=st.integers(0, 300) | EDGES)
    def extend(self, **fields: Any) -> None:
        self.do("extend", **fields)

    @rule(request=REQUESTS, pico=st.integers(0, 2_000_000) | EDGES)
    def checkpoint(self, **fields: Any) -> None:
        self.do("checkpoint", **fields)

    @rule(request=REQUESTS, pico=st.integers(0, 2_000_000) | EDGES)
    def settle(self, **fields: Any) -> None:
        self.do("settle", **fields)

    @rule(request=REQUESTS, more_pico=st.sampled_from([-1, 0, 1, 1001, 500_000]))
    def settle_about_the_hold(self, request: str, more_pico: int) -> None:
        amount = self.model.open.get(request, {"amount": 0})["amount"]
        self.do("settle", request=request, pico=max(0, amount * 1000 + more_pico))

    @rule(request=REQUESTS, pico=st.integers(0, 2_000_000), off=st.sampled_from([-1, 1]))
    def settle_for_another_amount_than_the_cost(self, request: str, pico: int, off: int) -> None:
        self.do("settle", request=request, pico=pico, amount=(pico + 999) // 1000 + off)

    @rule(op=st.sampled_from(["void", "expire"]), request=REQUESTS)
    def release(self, **fields: Any) -> None:
        self.do(**fields)

    @rule()
    def crash_and_recover(self) -> None:
        self.do("crash")
        assert not self.model.open

    @invariant()
    def both_have_the_same_balances(self) -> None:
        assert self.ledger.balances() == self.model.balances()

    @invariant()
    def nothing_is_made_from_nothing(self) -> None:
        for mode in ("live", "test"):
            balances = self.ledger.state.balances
            assert sum(b.posted for number, b in balances.items() if mode_of(number) == mode) == 0

    @invariant()
    def guarded_customers_have_what_they_hold(self) -> None:
        for number, balance in self.ledger.state.balances.items():
            is_customer = kind_of(number) is AccountKind.CUSTOMER
            assert balance.guarded == (is_customer and balance.available >= 0)
            assert balance.held >= 0

    @invariant()
    def rows_alone_prove_the_books(self) -> None:
        assert self.ledger.faults() == []


LedgerMachine.TestCase.settings = settings(
    max_examples=RUNS,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize="RUNAPI_TEST_LEDGER_RUNS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerMachine = LedgerMachine.TestCase
