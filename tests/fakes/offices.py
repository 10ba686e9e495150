"""Offices whose clock the test holds."""

import secrets

from runapi.core.catalog import Catalog
from runapi.flows.office import Office
from runapi.store.database import Database
from runapi.store.secrets import Vault


class Clock:
    """Microseconds that pass when the test says so."""

    def __init__(self, now_us: int) -> None:
        self.us = now_us

    def __call__(self) -> int:
        return self.us


def office_on(database: Database, clock: Clock) -> Office:
    """An office of this data folder, with real chance and an empty catalogue."""
    return Office(Vault.unlock(database), Catalog({}), clock, secrets.token_bytes)
