"""Published prices are kept for ever, exactly as they were published, and nothing changes or removes one."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from runapi.core.price_book import PriceBook, propose
from runapi.core.pricing import PriceTable, Rates
from runapi.store import prices
from runapi.store.database import Database
from runapi.store.faults import AlreadyExists
from runapi.wire.catalog_file import package_catalog

CATALOG = package_catalog()
FIRST = propose(CATALOG, PriceBook(), {})
NOW_US = 1_795_339_800_000_000


def test_published_prices_are_read_back_exactly(database: Database) -> None:
    published = database.run_now(prices.publish_prices, 1, FIRST, NOW_US)
    assert [price.version for price in published] == [1] * 6
    assert sorted(published, key=lambda price: price.model) == database.run_now(prices.load_prices)
    assert published[0].ours == CATALOG.models["gpt-5.5"].ours
    assert published[0].official.long_threshold == 272_000


def test_dearest_and_cheapest_prices_survive(database: Database) -> None:
    table = PriceTable(Rates(10**12 - 1, 0, 1, 10**12 - 1))
    price = type(FIRST[0])(model="m", ours=table, official=table, policy="catalogue", source="\u00e9 ' \" x")
    database.run_now(prices.publish_prices, 1, [price], NOW_US)
    found = database.run_now(prices.find_price, 1, "m")
    assert found is not None
    assert (found.ours, found.source) == (table, price.source)


def test_newest_version_of_each_model_is_in_force_and_the_older_ones_stay(database: Database) -> None:
    database.run_now(prices.publish_prices, 1, FIRST, NOW_US)
    dearer = propose(CATALOG, PriceBook(), {"gpt-5.5": "0.6 x official"})[:1]
    database.run_now(prices.publish_prices, 2, dearer, NOW_US + 1)
    book = PriceBook(database.run_now(prices.load_prices))
    assert {model: price.version for model, price in book.in_force.items()} == {
        **dict.fromkeys(CATALOG.models, 1),
        "gpt-5.5": 2,
    }
    assert database.run_now(prices.read_newest) == 2
    history = database.run_now(prices.list_prices, "gpt-5.5")
    assert [(price.version, price.published_us) for price in history] == [(2, NOW_US + 1), (1, NOW_US)]
    old = database.run_now(prices.find_price, 1, "gpt-5.5")
    assert old is not None
    assert old.ours == CATALOG.models["gpt-5.5"].ours
    assert database.run_now(prices.find_price, 2, "gpt-5.4") is None


def test_nothing_is_published_at_first(database: Database) -> None:
    assert database.run_now(prices.load_prices) == []
    assert database.run_now(prices.read_newest) == 0
    assert database.run_now(prices.list_prices, "gpt-5.5") == []


@pytest.mark.parametrize("table", ["price_list", "price_version"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET version = 9", "DELETE FROM {}"])
def test_what_is_published_can_be_neither_changed_nor_removed(
    database: Database, table: str, verb: str
) -> None:
    database.run_now(prices.publish_prices, 1, FIRST, NOW_US)
    before = database.run_now(prices.load_prices)
    with pytest.raises(DBAPIError, match="never changed"):
        database.run_now(lambda connection: connection.execute(text(verb.format(table))))
    assert database.run_now(prices.load_prices) == before


def test_who_has_not_seen_the_newest_version_publishes_nothing(database: Database) -> None:
    database.run_now(prices.publish_prices, 1, FIRST, NOW_US)
    with pytest.raises(AlreadyExists, match="Look at the difference again"):
        database.run_now(prices.publish_prices, 1, FIRST[:1], NOW_US + 1)
    assert len(database.run_now(prices.list_prices, "gpt-5.5")) == 1


def test_prices_survive_a_restart(home: Path) -> None:
    database = Database.open(home)
    database.run_now(prices.publish_prices, 1, FIRST, NOW_US)
    database.close_now()
    database = Database.open(home)
    assert len(database.run_now(prices.load_prices)) == 6
    database.close_now()
