"""What accounts have at this moment: customers' balances, the house's accounts, and what is held."""

import msgspec
from sqlalchemy import Connection, case, func, select

from runapi.core.keys import Mode
from runapi.core.ledger.books import MODES, AccountKind, Balance
from runapi.store.schema import hold, ledger_account

Balances = dict[Mode, Balance]


class KindSum(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all accounts of one kind in one mode."""

    mode: Mode
    kind: AccountKind
    accounts: int
    frozen: int  # of customers' accounts; the house's are never guarded
    posted_nano: int
    held_nano: int


class OpenHolds(msgspec.Struct, frozen=True):
    """What is set aside for requests that run."""

    mode: Mode
    count: int
    amount_nano: int


def read_customer_balances(connection: Connection, account_id: int | None = None) -> dict[int, Balances]:
    """Give the balances of one customer, or of all, by account id."""
    columns = ledger_account.c
    query = select(columns.account_id, columns.mode, columns.posted, columns.held, columns.guarded)
    query = query.where(columns.kind == AccountKind.CUSTOMER.value)
    if account_id is not None:
        query = query.where(columns.account_id == account_id)
    found: dict[int, Balances] = {}
    for row in connection.execute(query):
        found.setdefault(row.account_id, {})[Mode(row.mode)] = Balance(row.posted, row.held, row.guarded)
    return found


def sum_accounts(connection: Connection) -> list[KindSum]:
    """Add up the accounts of each mode and kind, customers first."""
    columns = ledger_account.c
    query = select(
        columns.mode,
        columns.kind,
        func.count(),
        func.sum(case((columns.guarded, 0), else_=1)),
        func.sum(columns.posted),
        func.sum(columns.held),
    ).group_by(columns.mode, columns.kind)
    sums = [
        KindSum(
            mode=Mode(mode),
            kind=AccountKind(kind),
            accounts=accounts,
            frozen=int(unguarded) if kind == AccountKind.CUSTOMER else 0,
            posted_nano=int(posted),  # PostgreSQL's sums are decimals
            held_nano=int(held),
        )
        for mode, kind, accounts, unguarded, posted, held in connection.execute(query)
    ]
    kinds = list(AccountKind)
    return sorted(sums, key=lambda row: (MODES.index(row.mode), kinds.index(row.kind)))


def sum_open_holds(connection: Connection) -> list[OpenHolds]:
    """Add up the open holds of each mode."""
    mode_of_hold = ledger_account.c.mode
    query = (
        select(mode_of_hold, func.count(), func.sum(hold.c.amount))
        .join_from(hold, ledger_account, ledger_account.c.id == hold.c.ledger_account)
        .group_by(mode_of_hold)
    )
    found = {mode: (count, int(amount)) for mode, count, amount in connection.execute(query)}
    return [OpenHolds(mode, *found.get(mode.value, (0, 0))) for mode in MODES]
