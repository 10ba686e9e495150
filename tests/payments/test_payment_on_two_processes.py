"""Two processes on one PostgreSQL: a payment is credited and a code redeemed by one of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.keyed_requests import open_books
from fakes.offices import Clock, office_on
from fakes.postgres import Postgres
from fakes.stripe_server import StripeServer
from fakes.tills import Till
from runapi.core.problems import Problem
from runapi.flows.redeem import CreateCodes, create_codes, redeem_code
from runapi.store.database import Database

COMPLETED = "checkout.session.completed"


@pytest.fixture
def tills(tmp_path: Path, postgres: Postgres, clock: Clock, stripe: StripeServer) -> Iterator[list[Till]]:
    url = postgres.new_database()
    databases = [Database.open(tmp_path / str(number), url) for number in (1, 2)]
    databases[0].run_now(lambda connection: open_books(connection, usd=0))
    secret = tmp_path / "1" / "secret.key"
    first = office_on(databases[0], clock)
    (tmp_path / "2" / "secret.key").write_bytes(secret.read_bytes())
    (tmp_path / "2" / "secret.key").chmod(0o600)
    offices = [first, office_on(databases[1], clock)]
    yield [Till(database, office, clock, stripe) for database, office in zip(databases, offices, strict=True)]
    for database in databases:
        database.close_now()


async def test_one_event_at_two_processes_credits_once(tills: list[Till]):
    for number in range(1, 11):
        session = tills[0].stripe.pay(await tills[0].open_session())
        same = tills[0].stripe.event(COMPLETED, session)
        other = tills[0].stripe.event("checkout.session.async_payment_succeeded", session)
        outcomes = await asyncio.gather(
            *(till.deliver(body) for till in tills for body in (same, other, same))
        )
        assert sorted(outcomes) == ["credited", *["nothing"] * 5]
        assert await tills[1].posted_usd() == 5 * number


async def test_one_code_at_two_processes_is_redeemed_once(tills: list[Till]):
    office = tills[0].office
    made = await tills[0].database.run(create_codes, office, CreateCodes(usd="1", count=10))
    for number, new in enumerate(made, 1):
        tried = [till.database.run(redeem_code, till.office, 1, new.code) for till in tills for _ in range(3)]
        results = await asyncio.gather(*tried, return_exceptions=True)
        assert sum(isinstance(result, Problem) for result in results) == 5, results
        assert await tills[1].posted_usd() == number
