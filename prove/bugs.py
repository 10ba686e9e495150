"""Bugs to plant in the product, each in a process of its own, so that the proofs can be seen to catch them.

A bug replaces one function by one that is a little wrong. Nothing here is ever imported by the product.
"""

import functools
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

import msgspec
from sqlalchemy import Connection

import runapi.core.ledger.apply as rules
from runapi.core import money, pricing
from runapi.core.keys import Mode
from runapi.core.ledger import books, chain, recover
from runapi.core.ledger.operations import (
    ExtendHold,
    Held,
    Insufficient,
    OpenHold,
    Operation,
    Post,
    Released,
    Settle,
    Settled,
    Void,
    write_off_tid,
)
from runapi.core.ledger.recover import OrphanHold
from runapi.core.ledger.working_copy import REVENUE
from runapi.core.pricing import Charge, PriceTable
from runapi.core.usage import Usage
from runapi.store import engines, orders
from runapi.store.database import Database
from runapi.store.ledger import batch

VARIABLE = "RUNAPI_PROVE_BUG"
"""The environment variable that names the bug of a process and of those that it starts."""

_BEHIND_S = 0.01  # that a commit comes after its answer, where that is the bug

Function = Callable[..., Any]


def plant_from_environment() -> str | None:
    """Plant the bug that the environment names, if any; give its name."""
    name = os.environ.get(VARIABLE)
    if name:
        BUGS[name]()
    return name


def charge_twice() -> None:
    """A settlement takes its amount from the balance twice."""
    settle = rules._Books._settle

    def wrong(self: Any, asked: Settle) -> Any:
        hold = self.holds.get(asked.request_id)
        outcome = settle(self, asked)
        if isinstance(outcome, Settled):
            balance = self.customer_of(hold)
            balance.posted -= outcome.charged_nano
            balance.guarded = balance.posted >= balance.held
            self.house(REVENUE[hold.number & 1]).posted += outcome.charged_nano
        return outcome

    _exchange(rules._Books, "_settle", wrong)


def keep_what_is_voided() -> None:
    """A request that failed does not give its hold back."""
    release = rules._Books._release

    def wrong(self: Any, asked: Void, kind: Any) -> Any:
        hold = self.holds.get(asked.request_id)
        outcome = release(self, asked, kind)
        if isinstance(outcome, Released):
            self.customer_of(hold).held += hold.amount
        return outcome

    _exchange(rules._Books, "_release", wrong)


def refuse_the_last_dollar() -> None:
    """A hold of exactly what is there is refused."""
    refusal = rules._refusal

    def wrong(balance: Any, least: int) -> Any:
        return refusal(balance, least) or (
            Insufficient(balance.available) if balance.available == least else None
        )

    _exchange_everywhere(refusal, wrong)


def forget_other_holds() -> None:
    """A hold is written down, and not taken from what the next one finds."""
    opened = rules._Books._open

    def wrong(self: Any, asked: OpenHold) -> Any:
        outcome = opened(self, asked)
        if isinstance(outcome, Held):
            self.customer_of(self.holds[asked.request_id]).held -= outcome.granted_nano
        return outcome

    _exchange(rules._Books, "_open", wrong)


def round_down() -> None:
    """A charge is rounded down."""
    _exchange_everywhere(money.nano_from_pico, lambda pico: pico // money.PICO_PER_NANO)


def charge_the_customer_beyond_the_hold() -> None:
    """What a request cost above its hold is the customer's loss."""

    def wrong(self: Any, asked: Settle, hold: Any, over: int) -> None:
        self.customer_of(hold).posted -= over
        self.house(REVENUE[hold.number & 1]).posted += over
        sides = hold.number, REVENUE[hold.number & 1], over
        tid = write_off_tid(asked.request_id)
        self.append("write_off", tid, sides, asked.at_us, request_id=asked.request_id, reason=books.OVER_HOLD)

    _exchange(rules._Books, "_write_off", wrong)


def spend_test_money_as_live() -> None:
    """A request in test mode is paid from the live balance."""
    for module in (rules, batch):
        vars(module)["customer_number"] = lambda account_id, _mode: books.customer_number(
            account_id, Mode.LIVE
        )


def credit_each_time_it_is_told() -> None:
    """A payment that is told again is credited again."""
    post, numbers = rules._Books._post, count()

    def wrong(self: Any, asked: Post) -> Any:
        tid = asked.tid[:8] + next(numbers).to_bytes(8, "big")
        return post(self, msgspec.structs.replace(asked, tid=tid))

    _exchange(rules._Books, "_post", wrong)


def look_up_the_price_at_the_end() -> None:
    """A request is settled by the newest price instead of the one at which it was admitted."""
    settle = rules._Books._settle

    def wrong(self: Any, asked: Settle) -> Any:
        hold = self.holds.get(asked.request_id)
        if hold is not None:
            self.holds[asked.request_id] = msgspec.structs.replace(hold, price_version=2)
        return settle(self, asked)

    _exchange(rules._Books, "_settle", wrong)


def count_cached_tokens_twice() -> None:
    """Cached tokens are charged as cached and again as input."""
    charge = pricing.charge

    def wrong(table: PriceTable, usage: Usage, service_tier: str | None = None) -> Charge:
        return charge(table, msgspec.structs.replace(usage, input=usage.input + usage.cached), service_tier)

    _exchange_everywhere(charge, wrong)


def recover_by_charging_everything() -> None:
    """A request of a dead process that delivered nothing is charged its whole hold."""
    end_orphan = recover.end_orphan

    def wrong(orphan: OrphanHold, now_us: int, reason: str = recover.RECOVERED) -> Any:
        if orphan.progress_pico == 0:
            orphan = msgspec.structs.replace(orphan, progress_pico=orphan.amount * 1_000)
        return end_orphan(orphan, now_us, reason)

    _exchange_everywhere(end_orphan, wrong)


def leave_the_reference_unsealed() -> None:
    """The hash chain does not cover a payment's reference."""
    row_hash = chain.row_hash

    def wrong(previous: bytes, row: tuple[Any, ...]) -> bytes:
        return row_hash(previous, (*row[:13], "", *row[14:]))

    _exchange_everywhere(row_hash, wrong)


def do_not_wait_for_the_disk() -> None:
    """SQLite commits without a sync."""
    vars(engines)["PRAGMAS"] = tuple(pragma.replace("FULL", "OFF") for pragma in engines.PRAGMAS)


def answer_before_the_commit() -> None:
    """Outcomes are given out while their commit is still to come."""
    _answer_early(lambda _: True)


def answer_holds_before_the_commit() -> None:
    """Holds are granted from memory, and written down behind."""
    _answer_early(lambda operations: all(isinstance(one, OpenHold | ExtendHold) for one in operations))


def commit_the_event_first() -> None:
    """A webhook's event is noted in a transaction of its own, before its payment is credited."""
    insert_event = orders.insert_event

    def wrong(connection: Connection, *values: Any) -> bool:
        is_new = insert_event(connection, *values)
        driver: Any = connection.connection.driver_connection
        driver.execute("COMMIT")
        driver.execute("BEGIN")
        return is_new

    _exchange(orders, "insert_event", wrong)


def let_old_processes_write() -> None:
    """A process whose seat was taken by another is not stopped."""
    lock_tail = batch._Tables._lock_tail

    def wrong(self: Any, operations: Any, node: int, _epoch: int) -> Any:
        locked = f"SELECT n.epoch FROM ledger_tail t, node n WHERE n.id = {node} FOR UPDATE"
        found = self._connection.exec_driver_sql(locked).scalar()
        return lock_tail(self, operations, node, found)

    _exchange(batch._Tables, "_lock_tail", wrong)


def _answer_early(chosen: Callable[[list[Operation]], bool]) -> None:
    start = Database.start

    def wrong(self: Any, function: Function, /, *args: Any, **kwargs: Any) -> Any:
        if function is not batch.write_operations or not chosen(args[0]):
            return start(self, function, *args, **kwargs)
        early: Future[Any] = Future()

        def answer_and_wait(connection: Connection, *args: Any, **kwargs: Any) -> None:
            early.set_result(function(connection, *args, **kwargs))
            time.sleep(_BEHIND_S)

        start(self, answer_and_wait, *args, **kwargs)
        return early

    _exchange(Database, "start", wrong)


def _exchange(owner: Any, name: str, wrong: Function) -> None:
    setattr(owner, name, functools.wraps(getattr(owner, name))(wrong))


def _exchange_everywhere(right: Function, wrong: Function) -> None:
    """Put it in place of a function in every module of the product that has imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("runapi."):
            for key, value in list(vars(module).items()):
                if value is right:
                    setattr(module, key, wrong)


BUGS: dict[str, Callable[[], None]] = {
    plant.__name__.replace("_", " "): plant
    for plant in (
        *(charge_twice, keep_what_is_voided, refuse_the_last_dollar, forget_other_holds, round_down),
        *(charge_the_customer_beyond_the_hold, spend_test_money_as_live, credit_each_time_it_is_told),
        *(look_up_the_price_at_the_end, count_cached_tokens_twice, recover_by_charging_everything),
        *(leave_the_reference_unsealed, do_not_wait_for_the_disk, answer_before_the_commit),
        *(answer_holds_before_the_commit, commit_the_event_first, let_old_processes_write),
    )
}
