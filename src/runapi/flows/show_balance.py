"""Say to a program how much money its account has."""

import msgspec
from sqlalchemy import Connection

from runapi.core.keys import Mode, Principal
from runapi.core.money import usd
from runapi.store.faults import LedgerDamaged
from runapi.store.ledger.customers import read_balance

CURRENCY = "usd"


class BalanceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account has in one mode. `frozen` stands there only where it is so."""

    mode: Mode
    currency: str
    posted_nano: str
    held_nano: str
    available_nano: str
    available_usd: str
    frozen: bool = False


def show_balance(connection: Connection, principal: Principal) -> BalanceRow:
    """What the caller's account has in the key's mode."""
    balance = read_balance(connection, principal.account_id, principal.mode)
    if balance is None:
        raise LedgerDamaged(f"Account {principal.account_id} has no {principal.mode} balance.")
    return BalanceRow(
        mode=principal.mode,
        currency=CURRENCY,
        posted_nano=str(balance.posted),
        held_nano=str(balance.held),
        available_nano=str(balance.available),
        available_usd=usd(balance.available),
        frozen=not balance.guarded,
    )
