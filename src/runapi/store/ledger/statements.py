"""The ledger's SQL, one text for SQLite and PostgreSQL; `rows` is how many a statement takes.

`column1` and so on are what both databases call the columns of VALUES.
"""

from runapi.core.ledger.books import Transfer
from runapi.store.driver import marks
from runapi.store.schema import IS_ENDING

HOLD_COLUMNS = (
    *("request_id", "ledger_account", "account_id", "key_id", "amount", "price_version", "node", "epoch"),
    *("progress_pico", "usage", "at_us", "endpoint", "model", "stream"),
)


def select_tail(_rows: int) -> str:
    """The last row, and the writer's epoch."""
    return "SELECT t.seq, t.hash, n.epoch, n.seen_us FROM ledger_tail t, node n WHERE t.id = 1 AND n.id = ?"


def lock_tail(rows: int) -> str:
    """The same, and whoever else writes to the ledger waits: SQLite's transactions begin so."""
    return f"{select_tail(rows)} FOR UPDATE"


def select_accounts(rows: int) -> str:
    return f"SELECT id, posted, held, guarded FROM ledger_account WHERE id IN {marks(rows, 1)}"  # noqa: S608 - as above


def select_holds(rows: int) -> str:
    return (
        "SELECT request_id, ledger_account, amount, price_version, progress_pico, usage FROM hold "  # noqa: S608 - as above
        f"WHERE request_id IN {marks(rows, 1)}"
    )


def select_endings(rows: int) -> str:
    return (
        f"SELECT request_id, kind, amount FROM transfer WHERE {IS_ENDING} "  # noqa: S608 - as above
        f"AND request_id IN {marks(rows, 1)}"
    )


def select_known(rows: int) -> str:
    return f"SELECT tid, seq, amount FROM transfer WHERE tid IN {marks(rows, 1)}"  # noqa: S608 - as above


def insert_transfers(rows: int) -> str:
    columns = Transfer._fields
    return f"INSERT INTO transfer ({', '.join(columns)}) VALUES {marks(len(columns), rows)}"  # noqa: S608 - as above


def insert_holds(rows: int) -> str:
    columns = HOLD_COLUMNS
    return f"INSERT INTO hold ({', '.join(columns)}) VALUES {marks(len(columns), rows)}"  # noqa: S608 - as above


def update_holds(rows: int) -> str:
    return (
        "UPDATE hold SET amount = v.column2, progress_pico = v.column3, usage = v.column4 "  # noqa: S608 - as above
        f"FROM (VALUES {marks(4, rows)}) AS v WHERE hold.request_id = v.column1"
    )


def delete_holds(rows: int) -> str:
    return f"DELETE FROM hold WHERE request_id IN {marks(rows, 1)}"  # noqa: S608 - as above


def update_accounts(rows: int) -> str:
    """Add to balances rather than replace them: the CHECKs judge what is there, whatever the writer believed."""
    return (
        "UPDATE ledger_account SET posted = posted + v.column2, held = held + v.column3, guarded = v.column4 "  # noqa: S608 - as above
        f"FROM (VALUES {marks(4, rows)}) AS v WHERE ledger_account.id = v.column1"
    )


def update_tail(_rows: int) -> str:
    """Move the tail on from where the batch found it."""
    return "UPDATE ledger_tail SET seq = ?, hash = ? WHERE id = 1 AND seq = ? AND hash = ?"


def update_seen(_rows: int) -> str:
    return "UPDATE node SET seen_us = ? WHERE id = ?"
