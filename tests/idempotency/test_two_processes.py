"""Two processes on one PostgreSQL: a key is served by one of them, once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.keyed_requests import COST_NANO, Ask, Client, open_books, requests_on, spent_nano
from fakes.postgres import Postgres
from runapi.core.problems import Problem
from runapi.store.database import Database


@pytest.fixture
def nodes(tmp_path: Path, postgres: Postgres) -> Iterator[tuple[Ask, Ask]]:
    url = postgres.new_database()
    databases = [Database.open(tmp_path / str(number), url) for number in (1, 2)]
    databases[0].run_now(open_books)
    first, second = (
        Ask(database, requests_on(database, node=node)) for node, database in enumerate(databases, 1)
    )
    yield first, second
    for database in databases:
        database.close_now()


async def test_of_two_processes_one_serves_a_key(nodes: tuple[Ask, Ask]):
    for number in range(20):
        key = b"key-%d" % number
        asked = [ask(ask.serving(), key=key) for ask in nodes for _ in range(3)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        answered = [result for result in results if isinstance(result, Client)]
        refused = [result for result in results if isinstance(result, Problem)]
        assert len(answered) + len(refused) == 6, results
        assert {client.body for client in answered} == {b"one two end"}
        assert {problem.code for problem in refused} <= {"idempotency_request_running"}
        assert len(nodes[0].runs) + len(nodes[1].runs) == number + 1
        assert await nodes[0].database.run(spent_nano) == (number + 1) * COST_NANO
