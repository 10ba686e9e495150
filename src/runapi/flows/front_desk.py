"""What a server remembers of programs that ask about their own accounts: how much of it they may have."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runapi.core.body_room import BodyRoom
from runapi.core.tries import Tries
from runapi.flows.desk import nothing_waits
from runapi.flows.payment_rows import KeyShown

MOST_BAD_CODES = 10  # of an account in a minute
MOST_PROVIDER_CHECKS = 20  # of an account in a minute; beyond them an order is shown as it was known last
MOST_PRICED = 30  # requests that anybody at one address may have priced in a minute
MOST_READINGS = 4  # kept answers that are unpacked at the same time, of at most 16 MiB each
MOST_COUNTS = 2  # bodies whose tokens are counted at the same time: each keeps a core busy


def _one_report() -> asyncio.Semaphore:
    return asyncio.Semaphore(1)


def _few_counts() -> asyncio.Semaphore:
    return asyncio.Semaphore(MOST_COUNTS)


def _few_readings() -> asyncio.Semaphore:
    return asyncio.Semaphore(MOST_READINGS)


@dataclass(slots=True)
class FrontDesk:
    """Bounds for work that nobody pays for, and the one thing that never changes: the key of receipts."""

    written: Callable[[], Awaitable[None]] = nothing_waits
    """Awaited before rows are read: returns when the rows of all requests that have ended are in the database."""

    bad_codes: Tries = field(default_factory=lambda: Tries(MOST_BAD_CODES))
    provider_checks: Tries = field(default_factory=lambda: Tries(MOST_PROVIDER_CHECKS))
    priced: Tries = field(default_factory=lambda: Tries(MOST_PRICED))  # by address, not by account
    reports: asyncio.Semaphore = field(default_factory=_one_report)
    counts: asyncio.Semaphore = field(default_factory=_few_counts)
    readings: asyncio.Semaphore = field(default_factory=_few_readings)
    bodies: BodyRoom = field(default_factory=BodyRoom)
    receipt_key: KeyShown | None = None


def ticks_us() -> int:
    """The monotonic clock."""
    return time.monotonic_ns() // 1_000
