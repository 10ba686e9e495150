"""Accounts: who pays."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from runapi.core.accounts import Account
from runapi.store.faults import AlreadyExists, NotFound
from runapi.store.ledger.customers import TEST_BALANCE_NANO, open_customer_accounts
from runapi.store.schema import account


def create_account(
    connection: Connection, name: str, now_us: int, test_balance_nano: int = TEST_BALANCE_NANO
) -> Account:
    """Open an account, empty in live mode and with this much play money in test mode.

    Raises:
        AlreadyExists: the name is taken.
    """
    row = insert(account).values(name=name, created_us=now_us).returning(account.c.id)
    try:
        number = connection.execute(row).scalar_one()
    except IntegrityError as fault:
        raise AlreadyExists(f"There is an account named {name!r} already. Choose another name.") from fault
    open_customer_accounts(connection, number, now_us, test_balance_nano)
    return Account(number, name, now_us)


def list_accounts(connection: Connection) -> list[Account]:
    """Give all accounts in the order in which they were opened."""
    return [_account(row) for row in connection.execute(select(account).order_by(account.c.id))]


def find_account(connection: Connection, name: str) -> Account | None:
    """Give the account of this exact name, or None."""
    row = connection.execute(select(account).where(account.c.name == name)).one_or_none()
    return None if row is None else _account(row)


def name_of(connection: Connection, account_id: int) -> str:
    """Give an account's name, or its number where there is none: rows of requests hold nothing fast."""
    name = connection.execute(select(account.c.name).where(account.c.id == account_id)).scalar()
    return str(account_id) if name is None else str(name)


def require_account(connection: Connection, name: str) -> Account:
    """Give the account of this exact name.

    Raises:
        NotFound: there is none.
    """
    found = find_account(connection, name)
    if found is None:
        raise NotFound(f"There is no account named {name!r}. `runapi accounts list` shows all.")
    return found


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.name, row.created_us)
