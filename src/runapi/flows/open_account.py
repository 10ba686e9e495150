"""Open, list and show accounts."""

import msgspec
from sqlalchemy import Connection

from runapi.flows.office import Office
from runapi.flows.operator_input import check_name
from runapi.flows.operator_rows import AccountRow, AccountWithKeys, account_row, key_row
from runapi.store import accounts, keys
from runapi.store.ledger.overview import read_customer_balances


class CreateAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class ListAccounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ShowAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


def create_account(connection: Connection, office: Office, asked: CreateAccount) -> AccountRow:
    """Open an account under a name that no other has."""
    name = check_name("account", asked.name)
    account = accounts.create_account(connection, name, office.now_us(), office.test_balance_nano)
    return account_row(account, read_customer_balances(connection, account.id)[account.id])


def list_accounts(connection: Connection, _office: Office, _asked: ListAccounts) -> list[AccountRow]:
    """Every account, in the order in which they were opened."""
    balances = read_customer_balances(connection)
    return [account_row(account, balances[account.id]) for account in accounts.list_accounts(connection)]


def show_account(connection: Connection, _office: Office, asked: ShowAccount) -> AccountWithKeys:
    """One account with what it has and all its keys, revoked ones too."""
    name = check_name("account", asked.name)
    account = accounts.require_account(connection, name)
    row = account_row(account, read_customer_balances(connection, account.id)[account.id])
    issued = [key_row(key) for key in keys.list_keys(connection, name)]
    return AccountWithKeys(row.id, row.name, row.created_at, row.balances, issued)
