"""Show an account's transfers, and what the house's own accounts have."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.books import MODES, Balance, Transfer, TransferKind
from runapi.flows.ledger_rows import BooksRow, StatementRow, books_row, statement_row
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import check_name
from runapi.store.accounts import require_account
from runapi.store.database import Database
from runapi.store.ledger.history import STEP, read_balance_and_end, read_held, read_transfers_before
from runapi.store.ledger.overview import sum_accounts, sum_open_holds

MOST_ROWS = 1_000


class ShowLedger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: str
    mode: Mode = Mode.LIVE
    limit: int = 20


class ListBooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


async def show_ledger(database: Database, _office: Office, asked: ShowLedger) -> StatementRow:
    """An account's newest transfers in one mode, newest first, and what it has."""
    if not 1 <= asked.limit <= MOST_ROWS:
        raise CommandRefused(f"The limit must be a whole number from 1 to {MOST_ROWS}, not {asked.limit}.")
    name = check_name("account", asked.account)
    account_id, balance, seq = await database.run(_begin, name, asked.mode)
    rows: list[Transfer] = []
    while seq > 0 and len(rows) < asked.limit:
        most = asked.limit - len(rows)
        rows += await database.run(read_transfers_before, account_id, asked.mode, seq, most)
        seq -= STEP
    held = await database.run(read_held, _settled(rows))
    return statement_row(name, asked.mode, balance, rows, held)


def list_books(connection: Connection, _office: Office, _asked: ListBooks) -> list[BooksRow]:
    """The accounts of each mode by kind, the house's own and the sums of customers', and its open holds."""
    sums = sum_accounts(connection)
    holds = {opened.mode: opened for opened in sum_open_holds(connection)}
    return [books_row(mode, [row for row in sums if row.mode is mode], holds[mode]) for mode in MODES]


def _begin(connection: Connection, name: str, mode: Mode) -> tuple[int, Balance, int]:
    account = require_account(connection, name)
    return account.id, *read_balance_and_end(connection, account.id, mode)


def _settled(rows: Sequence[Transfer]) -> list[str]:
    return [row.request_id for row in rows if row.kind == TransferKind.SETTLE]
