"""Operations in, outcomes out, in the caller's one transaction: read what they touch, apply, write what changed.

Every step takes a whole batch in one or a few statements. SQLite's driver gives the interpreter lock away for each
statement and must win it back from a busy event loop, which costs more than the statement.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from runapi.core.ledger.apply import COUNTERPART, apply
from runapi.core.ledger.books import (
    MODES,
    AccountKind,
    Balance,
    Ending,
    Hold,
    TransferKind,
    customer_number,
    house_number,
)
from runapi.core.ledger.operations import (
    Duplicate,
    ExtendHold,
    OpenHold,
    Operation,
    Outcome,
    Post,
    extension_tid,
    hold_tid,
)
from runapi.core.ledger.working_copy import BooksState, Changes
from runapi.store.driver import cut, fill_up, open_cursor, statement
from runapi.store.faults import LedgerDamaged, LedgerFenced
from runapi.store.idempotency import insert_answers
from runapi.store.ledger import statements
from runapi.store.receipt_rows import receipt_statements
from runapi.store.record_rows import record_statements
from runapi.store.stored_rows import stored_statements

COMMANDS = 0
"""The node number of what is not a server: the command line, migrations. Its epoch is always 0."""

SEEN_EVERY_US = 60_000_000
_MOST_LISTED = 512
_REQUEST_HOUSE = [
    house_number(kind, mode) for kind in (AccountKind.REVENUE, AccountKind.WRITE_OFF) for mode in MODES
]


def write_operations(
    connection: Connection, operations: Sequence[Operation], *, node: int = COMMANDS, epoch: int = 0
) -> list[Outcome]:
    """Carry out the operations in turn and answer each; durable when the caller's transaction is.

    Raises:
        LedgerFenced: a newer process has taken this one's place. Nothing was changed.
        LedgerDamaged: the tables contradict each other. Nothing was changed.
    """
    tables = _Tables(connection)
    state = tables.load(operations, node, epoch)
    outcomes, changes = apply(state, operations)
    tables.write(state, changes)
    return outcomes


class _Tables:
    """The statements of one batch, on one cursor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = open_cursor(connection)
        self._dialect = connection.dialect.name

    def load(self, operations: Sequence[Operation], node: int, epoch: int) -> BooksState:
        """Read what the operations may touch. PostgreSQL locks the tail first, so that nothing changes under it."""
        seq, tail = self._lock_tail(operations, node, epoch)
        touched = _Touched(operations)
        known = {
            bytes(tid): Duplicate(seq, amount)
            for tid, seq, amount in self._select(statements.select_known, list(touched.request_of))
        }
        # A hold that was opened before may be open or ended; what is not open may have ended.
        running = {*touched.running, *(touched.request_of[tid] for tid in known)} - {""}
        holds = {row[0]: Hold(*row[1:]) for row in self._select(statements.select_holds, list(running))}
        ended = [request_id for request_id in running if request_id not in holds]
        numbers = touched.numbers.union(hold.number for hold in holds.values())
        if running:
            numbers.update(_REQUEST_HOUSE)
        return BooksState(
            seq=seq,
            tail=tail,
            node=node,
            epoch=epoch,
            balances={
                number: Balance(posted, held, bool(guarded))
                for number, posted, held, guarded in self._select(statements.select_accounts, list(numbers))
            },
            holds=holds,
            endings={
                request_id: Ending(TransferKind(kind), amount)
                for request_id, kind, amount in self._select(statements.select_endings, ended)
            },
            known=known,
        )

    def write(self, state: BooksState, changes: Changes) -> None:
        """Write all of it, in few statements."""
        for request_rows in record_statements(self._connection, changes.records):
            self._cursor.execute(*request_rows)
        for receipt_rows in receipt_statements(self._connection, changes.receipts):
            self._cursor.execute(*receipt_rows)
        insert_answers(self._connection, changes.answers)
        for stored_rows in stored_statements(self._connection, changes.stored):
            self._cursor.execute(*stored_rows)
        if changes.changed:
            self._update_holds(changes.changed)
        if not changes.rows:
            return
        self._insert(statements.insert_transfers, changes.rows)
        self._insert(statements.insert_holds, _hold_rows(state, changes))
        self._delete_holds(changes.closed)
        self._update_accounts(changes)
        moved = (changes.seq, changes.tail, state.seq, state.tail)
        self._execute(statements.update_tail, moved, expected=1)

    def _lock_tail(self, operations: Sequence[Operation], node: int, epoch: int) -> tuple[int, bytes]:
        make = statements.select_tail if self._dialect == "sqlite" else statements.lock_tail
        sql = statement(make, self._dialect, 1)
        found = self._cursor.execute(sql, (node,)).fetchone()
        if found is None:
            raise LedgerDamaged(f"The ledger has no tail, or no node {node}. Restore a backup.")
        seq, tail, epoch_now, seen_us = found
        if epoch_now != epoch:
            raise LedgerFenced(
                f"Another process took over as node {node} (epoch {epoch_now}, this one has {epoch}). "
                "Give each process a data folder of its own."
            )
        at_us = operations[-1].at_us if operations else 0
        if node != COMMANDS and at_us - seen_us > SEEN_EVERY_US:
            self._execute(statements.update_seen, (at_us, node), expected=1)
        return seq, bytes(tail)

    def _select(
        self, make: Callable[[int], str], values: Sequence[int | str | bytes]
    ) -> Iterator[tuple[Any, ...]]:
        for begin in range(0, len(values), _MOST_LISTED):
            listed = fill_up(values[begin : begin + _MOST_LISTED])
            sql = statement(make, self._dialect, len(listed))
            yield from self._cursor.execute(sql, listed).fetchall()

    def _insert(self, make: Callable[[int], str], rows: Sequence[tuple[Any, ...]]) -> None:
        for piece in cut(rows):
            sql = statement(make, self._dialect, len(piece))
            self._cursor.execute(sql, tuple(chain.from_iterable(piece)))

    def _update_holds(self, changed: dict[str, Hold]) -> None:
        rows = [
            (request_id, hold.amount, hold.progress_pico, hold.usage) for request_id, hold in changed.items()
        ]
        for piece in cut(rows):
            flat = tuple(chain.from_iterable(piece))
            self._execute(statements.update_holds, flat, rows=len(piece), expected=len(piece))

    def _delete_holds(self, closed: Sequence[str]) -> None:
        for piece in cut(closed):
            self._execute(statements.delete_holds, piece, rows=len(piece), expected=len(piece))

    def _update_accounts(self, changes: Changes) -> None:
        rows = [
            (number, delta.posted, delta.held, delta.guarded)
            for number, delta in sorted(changes.deltas.items())
        ]
        for piece in cut(rows):
            flat = tuple(chain.from_iterable(piece))
            self._execute(statements.update_accounts, flat, rows=len(piece), expected=len(piece))

    def _execute(
        self, make: Callable[[int], str], values: Sequence[Any], *, expected: int, rows: int = 1
    ) -> None:
        """Execute a statement that must change so many rows."""
        self._cursor.execute(statement(make, self._dialect, rows), values)
        if self._cursor.rowcount != expected:
            raise LedgerDamaged(
                f"{make.__name__} changed {self._cursor.rowcount} rows instead of {expected}. "
                "Run `runapi ledger verify`."
            )


class _Touched:
    """What the operations are about: numbered accounts, requests that should be running, tids that should be new."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.numbers: set[int] = set()
        self.running: set[str] = set()
        self.request_of: dict[bytes, str] = {}  # by tid; "" for what belongs to no request
        for operation in operations:
            match operation:
                case OpenHold():
                    self.numbers.add(customer_number(operation.account_id, operation.mode))
                    self.request_of[hold_tid(operation.request_id)] = operation.request_id
                case Post():
                    self.numbers.add(customer_number(operation.account_id, operation.mode))
                    if operation.kind in COUNTERPART:
                        self.numbers.add(house_number(COUNTERPART[operation.kind], operation.mode))
                    self.request_of[operation.tid] = ""
                case ExtendHold():
                    self.running.add(operation.request_id)
                    tid = extension_tid(operation.request_id, operation.number)
                    self.request_of[tid] = operation.request_id
                case _:
                    self.running.add(operation.request_id)


def _hold_rows(state: BooksState, changes: Changes) -> list[tuple[Any, ...]]:
    return [
        (
            *(asked.request_id, hold.number, asked.account_id, asked.key_id, hold.amount, hold.price_version),
            *(state.node, state.epoch, hold.progress_pico, hold.usage, asked.at_us),
            *(asked.endpoint, asked.model, asked.stream),
        )
        for asked, hold in changes.opened.values()
    ]
