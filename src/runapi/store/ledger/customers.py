"""Customers' accounts in the ledger, and what they have."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, insert, select

from runapi.core.keys import Mode
from runapi.core.ledger.books import MODES, AccountKind, Balance, Transfer, TransferKind, customer_number
from runapi.core.ledger.operations import Post, end_tid, extension_tid, hold_tid, make_tid, write_off_tid
from runapi.core.money import NANO_PER_USD
from runapi.store.ledger.batch import write_operations
from runapi.store.schema import ledger_account, transfer

TEST_BALANCE_NANO: Final[int] = 1_000 * NANO_PER_USD
"""The play money that a new customer's test account begins with."""

_MOST_EXTENSIONS = 100  # of one request, that are looked for
_PAGE = 1_000


def open_customer_accounts(
    connection: Connection, account_id: int, now_us: int, test_balance_nano: int = TEST_BALANCE_NANO
) -> None:
    """Give a new customer an account in each mode, the one in test mode with play money in it."""
    rows = [
        {
            "id": customer_number(account_id, mode),
            "mode": mode.value,
            "kind": AccountKind.CUSTOMER.value,
            "account_id": account_id,
            "posted": 0,
            "held": 0,
            "guarded": True,
        }
        for mode in MODES
    ]
    connection.execute(insert(ledger_account), rows)
    _credit_play_money(connection, [account_id], now_us, test_balance_nano)


def credit_missing_play_money(
    connection: Connection, now_us: int, test_balance_nano: int = TEST_BALANCE_NANO
) -> None:
    """Credit the customers that were there before the ledger was; whoever had theirs gets no more."""
    customers = select(ledger_account.c.account_id).where(
        ledger_account.c.kind == AccountKind.CUSTOMER.value,
        ledger_account.c.mode == Mode.TEST.value,
        ledger_account.c.posted == 0,
    )
    ids = [int(account_id) for (account_id,) in connection.execute(customers)]
    for begin in range(0, len(ids), _PAGE):
        _credit_play_money(connection, ids[begin : begin + _PAGE], now_us, test_balance_nano)


def read_balance(connection: Connection, account_id: int, mode: Mode) -> Balance | None:
    """What a customer has in this mode; None when there is no such customer."""
    wanted = ledger_account.c.id == customer_number(account_id, mode)
    columns = (ledger_account.c.posted, ledger_account.c.held, ledger_account.c.guarded)
    row = connection.execute(select(*columns).where(wanted)).one_or_none()
    return None if row is None else Balance(row.posted, row.held, row.guarded)


def read_transfers(connection: Connection, request_id: str) -> list[Transfer]:
    """Every row that a request left in the ledger, in order. Found by their tids, so no index is needed."""
    extensions = [extension_tid(request_id, number) for number in range(1, _MOST_EXTENSIONS + 1)]
    tids = [hold_tid(request_id), end_tid(request_id), write_off_tid(request_id), *extensions]
    rows = connection.execute(select(transfer).where(transfer.c.tid.in_(tids)).order_by(transfer.c.seq))
    return [Transfer(*row) for row in rows]


def _credit_play_money(
    connection: Connection, account_ids: Sequence[int], now_us: int, amount_nano: int
) -> None:
    if amount_nano <= 0:
        return
    posts = [
        Post(
            kind=TransferKind.PROMO,
            mode=Mode.TEST,
            account_id=account_id,
            amount_nano=amount_nano,
            tid=make_tid("promo", "play money", str(account_id)),
            at_us=now_us,
            reason="play money",
        )
        for account_id in account_ids
    ]
    write_operations(connection, posts)
