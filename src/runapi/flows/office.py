"""What every operator command needs beside its connection, and how it refuses."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runapi.core.catalog import Catalog
from runapi.store.ledger.customers import TEST_BALANCE_NANO
from runapi.store.secrets import Vault


class CommandRefused(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """A command was not carried out and nothing was changed; the text says why and what to do."""


class Change(StrEnum):
    """What a running server holds in memory and must read again."""

    KEYS = "keys"
    UPSTREAMS = "upstreams"
    PRICES = "prices"
    BALANCES = "balances"


@dataclass(frozen=True, slots=True)
class Office:
    """The secrets, the catalogue, the clock and chance of this installation."""

    vault: Vault
    catalog: Catalog
    now_us: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    test_balance_nano: int = TEST_BALANCE_NANO  # the play money of a new account


def open_office(vault: Vault, catalog: Catalog, test_balance_nano: int = TEST_BALANCE_NANO) -> Office:
    """An office with the real clock and real chance."""
    return Office(vault, catalog, lambda: time.time_ns() // 1_000, secrets.token_bytes, test_balance_nano)
