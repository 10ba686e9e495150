"""Holds of requests that still run."""

import msgspec
from sqlalchemy import Connection, select

from runapi.core.keys import Mode
from runapi.core.ledger.books import mode_of
from runapi.store.schema import hold


class RunningHold(msgspec.Struct, frozen=True, kw_only=True):
    """What is set aside for a running request, and what is known of it."""

    request_id: str
    account_id: int
    mode: Mode
    key_id: int
    amount_nano: int
    price_version: int
    at_us: int
    endpoint: str
    model: str
    stream: bool


def find_open_hold(connection: Connection, request_id: str) -> RunningHold | None:
    """Give the open hold of a request; None where it has ended, or never had one."""
    row = connection.execute(select(hold).where(hold.c.request_id == request_id)).one_or_none()
    if row is None:
        return None
    return RunningHold(
        request_id=row.request_id,
        account_id=row.account_id,
        mode=mode_of(row.ledger_account),
        key_id=row.key_id,
        amount_nano=row.amount,
        price_version=row.price_version,
        at_us=row.at_us,
        endpoint=row.endpoint,
        model=row.model,
        stream=row.stream,
    )
