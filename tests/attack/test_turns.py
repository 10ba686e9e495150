"""Of one account no more than a few requests are made whole at the same time: nobody has paid for it yet."""

import asyncio

from runapi.core.problems import Problem
from runapi.flows.stored_responses import MOST_OPENING, StoredResponses
from runapi.store.database import Database
from stored.answers import AT_US, principal, request


class Watched:
    """A database, and how many calls it had at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = 0
        self.most = 0

    async def run(self, *asked: object) -> object:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            return await self._database.run(*asked)
        finally:
            self._now -= 1


async def open_many(kept: StoredResponses, accounts: int) -> None:
    named = request(previous_response_id="resp_of_nobody")
    asked = [
        kept.open(principal(account), named)
        for account in range(1, accounts + 1)
        for _ in range(20 // accounts)
    ]
    refused = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in refused} == {Problem}


async def test_account_has_a_few_turns_at_a_time(database: Database) -> None:
    watched = Watched(database)
    await open_many(StoredResponses(watched, lambda: AT_US, days=30), accounts=1)
    assert watched.most == MOST_OPENING


async def test_accounts_do_not_wait_for_each_other(database: Database) -> None:
    watched = Watched(database)
    await open_many(StoredResponses(watched, lambda: AT_US, days=30), accounts=10)
    assert watched.most == 20
