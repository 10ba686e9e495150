"""Operations and outcomes as the vectors write them, and the three ledgers that they are played to."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from runapi.core.keys import Mode
from runapi.core.ledger.apply import apply
from runapi.core.ledger.books import (
    FIRST_HASH,
    HOUSE,
    MODES,
    AccountKind,
    Balance,
    Ending,
    Hold,
    Transfer,
    TransferKind,
    customer_number,
    house_number,
    kind_of,
    mode_of,
)
from runapi.core.ledger.operations import (
    AlreadyEnded,
    Checkpoint,
    Duplicate,
    Expire,
    ExtendHold,
    Frozen,
    Held,
    Insufficient,
    Invalid,
    Noted,
    OpenHold,
    Operation,
    Outcome,
    Post,
    Posted,
    Released,
    Settle,
    Settled,
    UnknownAccount,
    UnknownHold,
    Void,
    make_tid,
)
from runapi.core.ledger.recover import OrphanHold, end_orphan
from runapi.core.ledger.replay import Replay, Seen
from runapi.core.ledger.working_copy import BooksState
from runapi.core.money import nano_from_pico
from runapi.core.usage import UsageSource
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.recovery import end_orphans, take_seat
from runapi.store.ledger.verify import verify
from runapi.store.schema import ledger_account

CUSTOMERS = (1, 2)
USAGE = '{"input":1,"cached":0,"cache_write":0,"output":2,"reasoning":0}'
Op = dict[str, Any]


def operation_of(op: Op, at_us: int) -> Operation:
    """The operation that a vector's line means."""
    request_id = op.get("request", "")
    match op["op"]:
        case "hold":
            return OpenHold(
                request_id=request_id,
                account_id=op["account"],
                mode=Mode(op["mode"]),
                amount_nano=op["amount"],
                least_nano=op["least"],
                key_id=9,
                price_version=0,  # its cost is made up, and no price says so
                at_us=at_us,
                endpoint="/v1/chat/completions",
                model="gpt-5.5",
            )
        case "extend":
            return ExtendHold(
                request_id=request_id,
                number=op["n"],
                amount_nano=op["amount"],
                least_nano=op["least"],
                at_us=at_us,
            )
        case "checkpoint":
            return Checkpoint(request_id=request_id, progress_pico=op["pico"], usage=USAGE, at_us=at_us)
        case "settle":
            return Settle(
                request_id=request_id,
                amount_nano=op.get("amount", nano_from_pico(op["pico"])),
                cost_pico=op["pico"],
                usage=USAGE,
                usage_source=UsageSource.REPORTED,
                at_us=at_us,
            )
        case "void":
            return Void(request_id=request_id, reason="upstream failed", at_us=at_us)
        case "expire":
            return Expire(request_id=request_id, reason="forgotten", at_us=at_us)
        case kind:
            return Post(
                kind=TransferKind.REFUND if kind == "chargeback" else TransferKind(kind),
                mode=Mode(op["mode"]),
                account_id=op["account"],
                amount_nano=op["amount"],
                tid=make_tid("vector", op["id"]),
                at_us=at_us,
                reason=kind,
                reference=op["id"],
            )


WORDS: dict[type[Outcome], str] = {
    Held: "held",
    Insufficient: "insufficient",
    Frozen: "frozen",
    Duplicate: "duplicate",
    Noted: "noted",
    Settled: "settled",
    Released: "released",
    Posted: "posted",
    AlreadyEnded: "ended",
    UnknownHold: "unknown_hold",
    UnknownAccount: "unknown_account",
    Invalid: "invalid",
}
LEFT_OUT = {"seq", "reason", "held_nano"}


def outcome_of(outcome: Outcome) -> list[Any]:
    """An outcome as the vectors write it: a word and the amounts; no row numbers, no words of a refusal."""
    if isinstance(outcome, AlreadyEnded):
        return ["ended", outcome.ending.kind.value, outcome.ending.amount]
    amounts = (getattr(outcome, name) for name in outcome.__struct_fields__ if name not in LEFT_OUT)
    return [WORDS[type(outcome)], *amounts]


def named(balances: dict[int, Balance]) -> dict[str, list[int]]:
    """Balances as the vectors write them: `posted` and `held` of each account that has any, by "mode:who"."""
    found = {}
    for number, balance in balances.items():
        kind, mode = kind_of(number), mode_of(number)
        who = (
            kind.value if kind is not AccountKind.CUSTOMER else str((number - customer_number(0, mode)) // 2)
        )
        if balance.posted or balance.held:
            found[f"{mode.value}:{who}"] = [balance.posted, balance.held]
    return dict(sorted(found.items()))


class InMemory:
    """The pure ledger with everything in memory: what `apply` asks to be written is put into dicts."""

    def __init__(self, customers: Sequence[int] = CUSTOMERS) -> None:
        numbers = [customer_number(account_id, mode) for account_id in customers for mode in MODES]
        house = {house_number(kind, mode): Balance(0, 0, False) for kind in HOUSE for mode in MODES}
        self.state = BooksState(
            seq=0,
            tail=FIRST_HASH,
            node=1,
            epoch=1,
            balances={number: Balance() for number in numbers} | house,
            holds={},
            endings={},
            known={},
        )
        self.rows: list[Transfer] = []
        self._opened: dict[str, OpenHold] = {}

    def play(self, operations: Sequence[Operation]) -> list[Outcome]:
        before = msgspec.msgpack.encode(self.state)
        outcomes, changes = apply(self.state, operations)
        assert msgspec.msgpack.encode(self.state) == before, "apply changed the state that it was given"
        state = self.state
        for number, delta in changes.deltas.items():
            was = state.balances[number]
            state.balances[number] = Balance(was.posted + delta.posted, was.held + delta.held, delta.guarded)
        for request_id in changes.closed:
            del state.holds[request_id]
        for request_id, (asked, hold) in changes.opened.items():
            assert request_id not in state.holds
            self._opened[request_id], state.holds[request_id] = asked, hold
        assert changes.changed.keys() <= state.holds.keys()
        state.holds |= changes.changed
        for row in [Transfer(*row) for row in changes.rows]:
            self.rows.append(row)
            state.known[row.tid] = Duplicate(row.seq, row.amount)
            if row.kind in ("settle", "void", "expire"):
                assert row.request_id not in state.endings
                state.endings[row.request_id] = Ending(TransferKind(row.kind), row.amount)
        state.seq, state.tail = changes.seq, changes.tail
        return outcomes

    def crash(self, now_us: int) -> list[Any]:
        self.state.epoch += 1
        orphans = [
            _orphan(request_id, self._opened[request_id], hold)
            for request_id, hold in self.state.holds.items()
        ]
        outcomes = self.play([end_orphan(orphan, now_us) for orphan in orphans])
        return ["recovered", sum(o.charged_nano for o in outcomes if isinstance(o, Settled))]

    def balances(self) -> dict[str, list[int]]:
        return named(self.state.balances)

    def faults(self) -> list[str]:
        """What the replay of all rows says about what stands beside them."""
        replay = Replay()
        replay.feed(self.rows)
        state = self.state
        holds = {request_id: (hold.number, hold.amount) for request_id, hold in state.holds.items()}
        seen = Seen(seq=state.seq, tail=state.tail, balances=state.balances, holds=holds)
        return [fault.text for fault in replay.finish(seen)]


class Stored:
    """The ledger in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        for account_id in CUSTOMERS:
            database.run_now(create_account, f"customer {account_id}", 1, test_balance_nano=0)
        self._seat = database.run_now(take_seat, 1, 1)

    def play(self, operations: Sequence[Operation]) -> list[Outcome]:
        return self.database.run_now(
            write_operations, operations, node=self._seat.node, epoch=self._seat.epoch
        )

    def crash(self, now_us: int) -> list[Any]:
        self._seat = self.database.run_now(take_seat, 1, now_us)
        charged = 0
        while ended := self.database.run_now(end_orphans, self._seat, now_us):
            charged += sum(amount or 0 for amount in ended)
        return ["recovered", charged]

    def balances(self) -> dict[str, list[int]]:
        return self.database.run_now(_read_balances)

    def faults(self) -> list[str]:
        return [fault.text for fault in self.database.run_now(verify).faults]


def play(ledger: InMemory | Stored, ops: Sequence[Op], *, in_batches: bool) -> list[list[Any]]:
    """Play a vector's operations, one by one or as many as possible at once; give the outcomes."""
    outcomes: list[list[Any]] = []
    batch: list[Operation] = []
    at_us = 1_700_000_000_000_000

    def flush() -> None:
        outcomes.extend(outcome_of(outcome) for outcome in ledger.play(batch))
        batch.clear()

    for op in ops:
        at_us = op.get("at_us", at_us + 1)
        if op["op"] == "crash":
            flush()
            outcomes.append(ledger.crash(at_us))
            continue
        batch.append(operation_of(op, at_us))
        if not in_batches:
            flush()
    flush()
    return outcomes


def request_id_of(name: str, at_ms: int) -> str:
    """A request id as the server makes them, the same for the same name."""
    return f"req_{at_ms:012x}{hashlib.sha256(name.encode()).hexdigest()[:20]}"


def _orphan(request_id: str, asked: OpenHold, hold: Hold) -> OrphanHold:
    return OrphanHold(
        *(request_id, hold.number, asked.account_id, asked.key_id, hold.amount, hold.progress_pico),
        *(hold.usage, asked.at_us, asked.endpoint, asked.model, asked.stream),
    )


def _read_balances(connection: Connection) -> dict[str, list[int]]:
    columns = ledger_account.c
    rows = connection.execute(select(columns.id, columns.posted, columns.held, columns.guarded))
    return named({number: Balance(posted, held, guarded) for number, posted, held, guarded in rows})
