"""Requests whose charges follow from published prices, for tests of what `verify` prices again."""

from random import Random

import msgspec

from ledger.filled import AT_US, hold, open_accounts, record, write
from runapi.core.ledger.operations import Checkpoint, OpenHold, Settle, Void
from runapi.core.ledger.recover import write_usage
from runapi.core.price_book import Price
from runapi.core.pricing import Charge, PriceTable, Rates, charge
from runapi.core.usage import Usage, UsageSource
from runapi.store.database import Database
from runapi.store.ledger.writer import Seat
from runapi.store.prices import publish_prices

MODEL, OTHER_MODEL = "gpt-5.5", "gpt-5.4-nano"
LARGEST_HOLD_NANO = 10**10
TIERS = (None, "default", "flex", "priority", "batch", "fast", "scale")
TABLE = PriceTable(
    standard=Rates(2_500_001, 15_000_003, 250_007, 2_500_009),
    long=Rates(5_000_011, 22_500_013, 500_017, 5_000_019),
    long_threshold=272_000,
    flex=Rates(1_250_021, 7_500_023, 125_027, 1_250_029),
    flex_long=Rates(2_500_031, 11_250_037, 250_039, 2_500_041),
    priority=Rates(5_000_043, 30_000_047, 500_049, 5_000_053),
)
DEARER = PriceTable(standard=Rates(3_000_001, 16_000_003, 300_007, 3_000_009))
USED = Usage(1_200, 800, 5, 350, 64)


def price(model: str, table: PriceTable) -> Price:
    return Price(model=model, ours=table, official=table, policy="catalogue", source="made up")


def open_shop(database: Database) -> Seat:
    """Customers with money and two versions of prices; only the first has the other model."""
    seat = open_accounts(database)
    database.run_now(publish_prices, 1, [price(MODEL, TABLE), price(OTHER_MODEL, DEARER)], AT_US)
    database.run_now(publish_prices, 2, [price(MODEL, DEARER)], AT_US + 1)
    return seat


def hold_at(
    request_id: str, version: int = 1, amount_nano: int = LARGEST_HOLD_NANO, model: str = MODEL
) -> OpenHold:
    """A hold whose prices are pinned."""
    asked = hold(request_id, amount_nano=amount_nano)
    return msgspec.structs.replace(asked, price_version=version, model=model)


def settle_at(asked: OpenHold, cost: Charge, usage: Usage = USED, tier: str | None = None) -> Settle:
    """A settlement at this cost, with the request's row."""
    row = msgspec.structs.replace(
        record(asked), usage=usage, service_tier=tier, cost_pico=cost.pico, cost_nano=cost.nano
    )
    return Settle(
        request_id=asked.request_id,
        amount_nano=cost.nano,
        cost_pico=cost.pico,
        usage=write_usage(usage),
        usage_source=UsageSource.REPORTED,
        at_us=AT_US + 5,
        record=row,
    )


def checkpoint_at(asked: OpenHold, usage: Usage = USED) -> Checkpoint:
    """What the request has cost so far, at the standard tier."""
    pico = charge(TABLE, usage).pico
    return Checkpoint(request_id=asked.request_id, progress_pico=pico, usage=write_usage(usage), at_us=AT_US)


def fill_priced(database: Database, requests: int = 40, seed: int = 1) -> Seat:
    """Requests of every tier, length and version, charged as their prices say; some for nothing."""
    seat, chance = open_shop(database), Random(seed)
    for number in range(requests):
        version = chance.choice((1, 2))
        asked = hold_at(f"req_{number:032x}", version)
        usage = Usage(
            chance.choice((0, 7, 1_200, 300_000)),
            chance.randint(0, 999),
            chance.randint(0, 9),
            chance.randint(0, 5_000),
            3,
        )
        tier = chance.choice(TIERS)
        cost = charge(TABLE if version == 1 else DEARER, usage, tier)
        end: Settle | Void = settle_at(asked, cost, usage, tier)
        if number % 7 == 0:
            end = Void(
                request_id=asked.request_id, reason="upstream failed", at_us=AT_US, record=record(asked)
            )
        write(database, [asked, end], seat)
    return seat
