"""The transfers of one account, newest first, read in steps: there is no index by account, which every request would pay for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import Balance, Transfer, customer_number
from runapi.core.ledger.operations import extension_tid, hold_tid
from runapi.store.driver import fill_up, for_dialect, marks, open_cursor, statement
from runapi.store.ledger.customers import read_balance

STEP = 20_000  # rows that are looked at in one transaction
_MOST_LISTED = 512


def read_balance_and_end(connection: Connection, account_id: int, mode: Mode) -> tuple[Balance, int]:
    """What a customer has, and the number of the last row of the same moment.

    Raises:
        LookupError: there is no such customer.
    """
    balance = read_balance(connection, account_id, mode)
    if balance is None:
        raise LookupError(f"account {account_id} has no balance in mode {mode}")
    (seq,) = open_cursor(connection).execute("SELECT seq FROM ledger_tail").fetchone()
    return balance, seq


def read_transfers_before(
    connection: Connection, account_id: int, mode: Mode, seq: int, most: int
) -> list[Transfer]:
    """Give the account's newest transfers among the STEP rows up to row `seq`, newest first."""
    number = customer_number(account_id, mode)
    sql = for_dialect(
        f"SELECT {', '.join(Transfer._fields)} FROM transfer WHERE seq <= ? AND seq > ? "  # noqa: S608 - our own names
        "AND (debit = ? OR credit = ?) ORDER BY seq DESC LIMIT ?",
        connection.dialect.name,
    )
    values = (seq, seq - STEP, number, number, most)
    return [Transfer(*row) for row in open_cursor(connection).execute(sql, values).fetchall()]


def read_effect(connection: Connection, account_id: int, mode: Mode, seq: int) -> int:
    """Give what row `seq` added to the account's posted balance: negative where it took."""
    sql = for_dialect("SELECT debit, amount FROM transfer WHERE seq = ?", connection.dialect.name)
    debit, amount = open_cursor(connection).execute(sql, (seq,)).fetchone()
    return -amount if debit == customer_number(account_id, mode) else int(amount)


def read_held(connection: Connection, request_ids: Sequence[str]) -> dict[str, int]:
    """Give what was held for each of these requests, extensions included; found by their tids."""
    held: dict[str, int] = {}
    asked, number = list(request_ids), 0
    while asked:  # nobody has an extension without the one before it
        tids = {
            extension_tid(request_id, number) if number else hold_tid(request_id): request_id
            for request_id in asked
        }
        amounts = _read_amounts(connection, list(tids))
        asked = [tids[tid] for tid in amounts]
        for tid, amount in amounts.items():
            held[tids[tid]] = held.get(tids[tid], 0) + amount
        number += 1
    return held


def _read_amounts(connection: Connection, tids: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for begin in range(0, len(tids), _MOST_LISTED):
        listed = fill_up(tids[begin : begin + _MOST_LISTED])
        sql = statement(_select_amounts, connection.dialect.name, len(listed))
        rows: list[tuple[Any, ...]] = open_cursor(connection).execute(sql, listed).fetchall()
        found |= {bytes(tid): amount for tid, amount in rows}
    return found


def _select_amounts(rows: int) -> str:
    return f"SELECT tid, amount FROM transfer WHERE tid IN {marks(rows, 1)}"  # noqa: S608 - our own names
