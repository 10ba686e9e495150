"""What becomes of a request whose process died: charged for what was durably noted as delivered, or not at all."""

import msgspec

from runapi.core.keys import Mode
from runapi.core.ledger.books import mode_of
from runapi.core.ledger.operations import Settle, Void
from runapi.core.money import nano_from_pico
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource

RECOVERED = "recovered"
"""The reason of an ending that recovery wrote."""

ERROR_CODE = "server_restarted"
STATUS = 500


class OrphanHold(msgspec.Struct, frozen=True, gc=False):
    """An open hold that nobody looks after any more, as it stands in its table."""

    request_id: str
    number: int
    account_id: int
    key_id: int
    amount: int
    progress_pico: int
    usage: str
    at_us: int
    endpoint: str
    model: str
    stream: bool


def end_orphan(orphan: OrphanHold, now_us: int, reason: str = RECOVERED) -> Settle | Void:
    """Settle it at its last checkpoint, as an estimate; void it when nothing was delivered."""
    record = _record(orphan, now_us)
    if orphan.progress_pico == 0:
        return Void(request_id=orphan.request_id, reason=reason, at_us=now_us, record=record)
    return Settle(
        request_id=orphan.request_id,
        amount_nano=record.cost_nano,
        cost_pico=orphan.progress_pico,
        usage=orphan.usage,
        usage_source=UsageSource.ESTIMATED,
        at_us=now_us,
        reason=reason,
        record=record,
    )


def read_usage(text: str) -> Usage:
    """The counts of a checkpoint; none where it holds something else."""
    try:
        return msgspec.json.decode(text, type=Usage)
    except msgspec.DecodeError:
        return Usage()


def write_usage(usage: Usage) -> str:
    """The counts as they stand in checkpoints and transfers."""
    return msgspec.json.encode(usage).decode()


def _record(orphan: OrphanHold, now_us: int) -> RequestRecord:
    charged = orphan.progress_pico > 0
    return RequestRecord(
        id=orphan.request_id,
        at_us=orphan.at_us,
        account_id=orphan.account_id,
        key_id=orphan.key_id,
        mode=Mode(mode_of(orphan.number)),
        endpoint=orphan.endpoint,
        model=orphan.model,
        stream=orphan.stream,
        status=STATUS,
        outcome=Outcome.FAILED,
        error_code=ERROR_CODE,
        total_us=max(0, now_us - orphan.at_us),
        usage=read_usage(orphan.usage),
        usage_source=UsageSource.ESTIMATED if charged else UsageSource.NONE,
        cost_pico=orphan.progress_pico,
        cost_nano=nano_from_pico(orphan.progress_pico),
    )
