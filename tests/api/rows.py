"""Rows that requests of an account would have left, for tests of what is read from them."""

from sqlalchemy import Connection

from runapi.core.keys import Mode
from runapi.core.ledger.operations import OpenHold, Operation, Settle, Void
from runapi.core.money import nano_from_pico
from runapi.core.receipts import ReceiptSource
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store.ledger.batch import write_operations

NOON_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
USAGE = Usage(input=100, cached=20, cache_write=0, output=30, reasoning=10)
COST_PICO = 705_000_000  # of USAGE at the catalogue's price of gpt-5.5


def row(number: int, **changes: object) -> RequestRecord:
    """The row of a completed and charged request of account 1 in live mode."""
    values: dict[str, object] = {
        "id": f"req_{number:032x}",
        "at_us": NOON_US + number,
        "account_id": 1,
        "key_id": 1,
        "mode": Mode.LIVE,
        "endpoint": "/v1/chat/completions",
        "model": "gpt-5.5",
        "stream": False,
        "status": 200,
        "outcome": Outcome.COMPLETED,
        "attempts": 1,
        "total_us": 1_500_000,
        "usage": USAGE,
        "usage_source": UsageSource.REPORTED,
        "cost_pico": COST_PICO,
        "cost_nano": nano_from_pico(COST_PICO),
        "upstream": "secret-upstream",
        "upstream_model": "gpt-5.5-2026-04-23",
        "upstream_request_id": "secret-request-id",
    }
    return RequestRecord(**(values | changes))  # type: ignore[arg-type]


def open_hold(
    connection: Connection, record: RequestRecord, amount_nano: int, price_version: int = 1
) -> None:
    """Hold money for a request that has not ended."""
    _write(
        connection,
        OpenHold(
            request_id=record.id,
            account_id=record.account_id,
            mode=record.mode,
            amount_nano=amount_nano,
            least_nano=0,
            key_id=record.key_id,
            price_version=price_version,
            at_us=record.at_us,
            endpoint=record.endpoint,
            model=record.model,
            stream=record.stream,
        ),
    )


def settle(connection: Connection, record: RequestRecord, source: ReceiptSource | None = None) -> None:
    """End a held request with a charge."""
    _write(
        connection,
        Settle(
            request_id=record.id,
            amount_nano=nano_from_pico(record.cost_pico),
            cost_pico=record.cost_pico,
            usage="{}",
            usage_source=record.usage_source,
            at_us=record.at_us + 1,
            record=record,
            receipt=source,
        ),
    )


def void(connection: Connection, record: RequestRecord) -> None:
    """End a held request without a charge."""
    _write(
        connection,
        Void(request_id=record.id, reason="upstream failed", at_us=record.at_us + 1, record=record),
    )


def _write(connection: Connection, operation: Operation) -> None:
    (outcome,) = write_operations(connection, [operation])
    assert type(outcome).__name__ in {"Held", "Settled", "Released"}, outcome
