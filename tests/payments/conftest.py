from collections.abc import Iterator

import pytest

from fakes.keyed_requests import open_books
from fakes.offices import Clock, office_on
from fakes.stripe_server import StripeServer
from fakes.tills import Till
from runapi.flows.office import Office
from runapi.store.database import Database


@pytest.fixture
def clock() -> Clock:
    return Clock(1_795_348_800_000_000)  # 2026-11-22 12:00 UTC


@pytest.fixture
def office(database: Database, clock: Clock) -> Office:
    database.run_now(lambda connection: open_books(connection, usd=0))
    return office_on(database, clock)


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with StripeServer() as server:
        yield server


@pytest.fixture
def till(database: Database, office: Office, clock: Clock, stripe: StripeServer) -> Till:
    return Till(database, office, clock, stripe)
