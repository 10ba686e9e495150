"""How the newest live requests went, for the public status page: no account, key or text is read."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from runapi.core.keys import Mode
from runapi.core.records import Outcome
from runapi.store.schema import request

MOST_LOOKED_AT = 1_000  # the newest rows: what is read beside the ledger's work stays short


class RecentRequest(msgspec.Struct, frozen=True):
    """One live request that reached an upstream."""

    model: str
    failed: bool
    first_byte_us: int | None


def list_recent_traffic(connection: Connection, since_us: int) -> Sequence[RecentRequest]:
    """Give the newest live requests since then, newest first; those that were refused here are not among them."""
    newest = (
        select(request.c.model, request.c.outcome, request.c.first_byte_us, request.c.mode)
        .where(request.c.at_us >= since_us)
        .order_by(request.c.at_us.desc())
        .limit(MOST_LOOKED_AT)
    )
    return [
        RecentRequest(row.model, row.outcome == Outcome.FAILED.value, row.first_byte_us)
        for row in connection.execute(newest)
        if row.mode == Mode.LIVE.value and row.outcome != Outcome.REFUSED.value
    ]
