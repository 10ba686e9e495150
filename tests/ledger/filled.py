"""A ledger with something of everything in it, for tests that read, break or verify it."""

from itertools import count
from random import Random

from runapi.core.keys import Mode
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import (
    Checkpoint,
    Expire,
    ExtendHold,
    OpenHold,
    Operation,
    Post,
    Settle,
    Void,
    make_tid,
)
from runapi.core.money import NANO_PER_USD, nano_from_pico
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.writer import Seat

AT_US = 1_700_000_000_000_000
USAGE = '{"input":3,"cached":0,"cache_write":0,"output":2,"reasoning":0}'
_payments = count(1)


def topup(account_id: int, amount_nano: int, mode: Mode = Mode.LIVE) -> Post:
    """A payment that was never made before."""
    return Post(
        kind=TransferKind.TOPUP,
        mode=mode,
        account_id=account_id,
        amount_nano=amount_nano,
        tid=make_tid("topup", "test", str(next(_payments))),
        at_us=AT_US,
    )


def hold(
    request_id: str, account_id: int = 1, amount_nano: int = 100, *, least_nano: int | None = None
) -> OpenHold:
    """A live hold, all or nothing unless `least_nano` says otherwise."""
    return OpenHold(
        request_id=request_id,
        account_id=account_id,
        mode=Mode.LIVE,
        amount_nano=amount_nano,
        least_nano=amount_nano if least_nano is None else least_nano,
        key_id=account_id,
        price_version=0,  # so that `verify` does not price it again: costs here are made up
        at_us=AT_US,
        endpoint="/v1/chat/completions",
        model="gpt-5.5",
    )


def settle(request_id: str, amount_nano: int, record: RequestRecord | None = None) -> Settle:
    """A settlement at a round cost."""
    return Settle(
        request_id=request_id,
        amount_nano=amount_nano,
        cost_pico=amount_nano * 1000,
        usage=USAGE,
        usage_source=UsageSource.REPORTED,
        at_us=AT_US + 5,
        record=record,
    )


def record(asked: OpenHold, cost_nano: int = 0) -> RequestRecord:
    """The request's own row."""
    return RequestRecord(
        id=asked.request_id,
        at_us=asked.at_us,
        account_id=asked.account_id,
        key_id=asked.key_id,
        mode=asked.mode,
        endpoint=asked.endpoint,
        model=asked.model,
        stream=asked.stream,
        status=200,
        outcome=Outcome.COMPLETED,
        usage=Usage(3, 0, 0, 2, 0),
        usage_source=UsageSource.REPORTED,
        cost_pico=cost_nano * 1000,
        cost_nano=cost_nano,
    )


def open_accounts(database: Database, accounts: int = 3, live_nano: int = 1_000 * NANO_PER_USD) -> Seat:
    """Customers with this much live money each, and this process's seat."""
    for number in range(1, accounts + 1):
        database.run_now(create_account, f"customer {number}", AT_US)
        if live_nano:
            database.run_now(write_operations, [topup(number, live_nano)])
    return recover(database, AT_US).seat


def write(database: Database, operations: list[Operation], seat: Seat) -> list[object]:
    """Write a batch."""
    return list(database.run_now(write_operations, operations, node=seat.node, epoch=seat.epoch))


def fill(database: Database, requests: int = 60, seed: int = 1) -> Seat:
    """Requests that ended in every way, and some that run."""
    seat, chance = open_accounts(database), Random(seed)
    for number in range(requests):
        asked = hold(f"req_{number:032x}", 1 + number % 3, chance.randint(1_000, 9_000))
        cost_pico = chance.randint(0, asked.amount_nano * 1_300)
        cost_nano = nano_from_pico(cost_pico)
        ends: list[Operation] = [
            settle(asked.request_id, cost_nano, record(asked, cost_nano)),
            settle(asked.request_id, cost_nano, record(asked, cost_nano)),
            Void(request_id=asked.request_id, reason="upstream failed", at_us=AT_US, record=record(asked)),
            Expire(request_id=asked.request_id, reason="forgotten", at_us=AT_US),
            Checkpoint(request_id=asked.request_id, progress_pico=cost_pico, usage=USAGE, at_us=AT_US),
        ]
        extension = ExtendHold(
            request_id=asked.request_id, number=1, amount_nano=500, least_nano=500, at_us=AT_US
        )
        write(
            database, [asked, extension, ends[number % 5]] if number % 2 else [asked, ends[number % 5]], seat
        )
    refund = Post(
        kind=TransferKind.REFUND,
        mode=Mode.LIVE,
        account_id=3,
        amount_nano=2_000 * NANO_PER_USD,
        tid=make_tid("refund", "test", str(seed)),
        at_us=AT_US,
        reason="chargeback",
    )
    adjust = Post(
        kind=TransferKind.ADJUST,
        mode=Mode.TEST,
        account_id=2,
        amount_nano=-5,
        tid=make_tid("adjust", "test", str(seed)),
        at_us=AT_US,
    )
    write(database, [refund, adjust], seat)
    return seat
