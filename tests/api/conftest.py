import secrets
from collections.abc import Callable

import pytest

from api.customers import Customer
from api.rows import NOON_US
from fakes.offices import Clock
from fakes.server import Gateway
from runapi.flows.office import Office
from runapi.store.database import Database
from runapi.store.secrets import Vault
from runapi.wire.catalog_file import package_catalog

NewCustomer = Callable[..., Customer]


@pytest.fixture
def new_customer(gateway: Gateway) -> NewCustomer:
    """Make a customer of the shared server, with a key of its own: `new_customer(mode="live", usd="5")`."""

    def make(**options: str) -> Customer:
        return Customer(gateway, **options)

    return make


@pytest.fixture(scope="session")
def anybody(shared_gateway: Gateway) -> Customer:
    """One customer with a test key for everything that changes nothing."""
    return Customer(shared_gateway)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON_US)


@pytest.fixture
def office(database: Database, clock: Clock) -> Office:
    """An office with the package's models."""
    return Office(Vault.unlock(database), package_catalog(), clock, secrets.token_bytes)
