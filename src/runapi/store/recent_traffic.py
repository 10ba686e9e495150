"""How the newest live requests went, for the public status page: no account, key or text is read."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from runapi.core.keys import Mode
from runapi.core.records import Outcome
from runapi.store.schema import request

MOST_LOOKED_AT = 1_000  # the newest rows: what is read beside the ledger's work stays short
_LIMITED = 429  # after the hold it is the upstream's limit; a key's own refuses before
_MODEL_NOT_FOUND = "model_not_found"  # after the hold: we sell it, and the upstream has it not


class RecentRequest(msgspec.Struct, frozen=True):
    """One live request that reached an upstream, and that the model could have answered."""

    model: str
    failed: bool
    first_byte_us: int | None


def list_recent_traffic(connection: Connection, since_us: int) -> Sequence[RecentRequest]:
    """Give the newest live requests since then, newest first.

    Those that were refused here are not among them, nor those in which the upstream found a mistake of the caller's:
    they say nothing about the model.
    """
    of = request.c
    newest = (
        select(of.model, of.mode, of.outcome, of.status, of.error_code, of.first_byte_us)
        .where(of.at_us >= since_us)
        .order_by(of.at_us.desc())
        .limit(MOST_LOOKED_AT)
    )
    return [
        RecentRequest(row.model, row.outcome == Outcome.FAILED.value, row.first_byte_us)
        for row in connection.execute(newest)
        if row.mode == Mode.LIVE.value
        and row.outcome != Outcome.REFUSED.value
        and not _is_callers_fault(row.outcome, row.status, row.error_code)
    ]


def _is_callers_fault(outcome: str, status: int, error_code: str | None) -> bool:
    """Whether a request failed by what its caller sent: all that is left of 4xx."""
    return (
        outcome == Outcome.FAILED.value
        and 400 <= status < 500
        and status != _LIMITED
        and error_code != _MODEL_NOT_FOUND
    )
