"""Limits of a key are set one by one, shown with what is spent of them, and refused whole where one is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from fakes.counters import Counter
from runapi.core.limits import KeyLimits
from runapi.core.windows import Span
from runapi.flows.office import Change
from runapi.store.key_limits import load_limits
from runapi.store.requests import insert_records
from store.rows import record

NOW_US = 1_795_339_800_000_000  # 2026-11-22 09:30 UTC
USD = 1_000_000_000


def limits_of(counter: Counter) -> KeyLimits | None:
    return counter.database.run_now(load_limits).get(1)


@pytest.fixture
async def counter(made_home: Path) -> AsyncIterator[Counter]:
    """With one account and one key."""
    made = Counter(made_home, NOW_US)
    await made.do("accounts.create", name="acme")
    await made.do("keys.create", account="acme", mode="live")
    made.changes.clear()
    yield made
    assert made.probed == []
    await made.database.close()


async def test_every_limit_can_be_set_and_is_shown(counter: Counter):
    row = await counter.do(
        "keys.limit",
        key="1",
        spend_day="5",
        spend_week="10.5",
        spend_month="0.000000001",
        spend_total="1000000",
        requests_per_minute=60,
        tokens_per_minute=100_000,
        concurrent=4,
        models=["gpt-5.5", "gpt-5.4", "gpt-5.5"],
        networks=["192.0.2.7", "2001:db8::/32"],
        expires="2027-01-31",
    )
    assert row["spend_day"] == {
        "limit_usd": "5",
        "spent_usd": "0",
        "resets_at": "2026-11-23T00:00:00.000000Z",
    }
    assert row["spend_month"]["limit_usd"] == "0.000000001"
    assert row["spend_total"]["resets_at"] is None
    assert row["models"] == ["gpt-5.5", "gpt-5.4"]
    assert row["networks"] == ["192.0.2.7/32", "2001:db8::/32"]
    assert row["expires_at"] == "2027-01-31T00:00:00.000000Z"
    limits = limits_of(counter)
    assert limits is not None
    assert limits.spend_nano[Span.WEEK] == 10 * USD + USD // 2
    assert (limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent) == (60, 100_000, 4)
    assert counter.changes == [Change.KEYS]


async def test_what_is_left_out_stays_and_null_takes_away(counter: Counter):
    await counter.do(
        "keys.limit", key="1", spend_day="5", concurrent=4, models=["gpt-5.5"], expires="2027-01-31"
    )
    await counter.do("keys.limit", key="1", concurrent=None, spend_total="7")
    limits = limits_of(counter)
    assert limits is not None
    assert limits.spend_nano == {Span.DAY: 5 * USD, Span.TOTAL: 7 * USD}
    assert limits.concurrent is None
    assert limits.models == ("gpt-5.5",)
    await counter.do("keys.limit", key="1", spend_day=None, spend_total=None, models=None, expires=None)
    assert limits_of(counter) is None


async def test_what_the_key_has_spent_is_shown_beside_the_limit(counter: Counter):
    rows = [
        msgspec.structs.replace(record(number, at_us=at_us), cost_nano=1_500_000_000, cost_pico=1)
        for number, at_us in enumerate((NOW_US - 10, NOW_US - 10 * 3_600_000_000))
    ]
    counter.database.run_now(insert_records, rows)
    row = await counter.do("keys.limit", key="1", spend_day="5", spend_month="9")
    assert row["spend_day"]["spent_usd"] == "1.5"
    assert row["spend_month"]["spent_usd"] == "3"


async def test_key_is_found_by_its_prefix_and_by_itself(counter: Counter):
    made = await counter.do("keys.create", account="acme", mode="test")
    assert (await counter.do("keys.limit", key=made["prefix"], concurrent=1))["id"] == 2
    assert (await counter.do("keys.limit", key=made["key"]))["concurrent"] == 1


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"key": "99"}, "No key has the id '99'"),
        ({"key": ""}, "No key has the id ''"),
        ({"spend_day": "-1"}, "plain decimal"),
        ({"spend_day": "1e3"}, "plain decimal"),
        ({"spend_day": "1000000.000000001"}, "from 0 to 1000000"),
        ({"spend_day": "0.0000000001"}, "at most 9 places"),
        ({"spend_day": 5}, "Expected `str | null`, got `int`"),
        ({"requests_per_minute": 0}, "from 1 to 1000000000, not 0"),
        ({"tokens_per_minute": 10**19}, "got `int`|whole number"),
        ({"concurrent": -1}, "not -1"),
        ({"concurrent": 1.5}, "got `float`"),
        ({"models": []}, "at least one model"),
        ({"models": ["gpt-5"]}, "no model 'gpt-5'"),
        ({"networks": []}, "addresses or networks"),
        ({"networks": ["192.0.2.7/24"]}, "host bits set"),
        ({"networks": ["localhost"]}, "Not an address"),
        ({"networks": ["10.0.0.0/8"] * 1_001}, "1 to 1000"),
        ({"expires": "2026-11-22"}, "is over already"),
        ({"expires": "soon"}, "is not a time"),
        ({"expires": "9999-12-31T23:59:59+24:00"}, "is not a time"),
        ({"speed": 5}, "unknown field `speed`"),
    ],
)
async def test_bad_input_is_refused_with_nothing_changed(
    counter: Counter, parameters: dict[str, object], said: str
):
    await counter.do("keys.limit", key="1", concurrent=3)
    counter.changes.clear()
    refused = await counter.refusal("keys.limit", **({"key": "1", "spend_week": "4"} | parameters))
    assert any(words in refused for words in said.split("|")) or said in refused
    assert limits_of(counter) == KeyLimits(concurrent=3)


async def test_times_with_an_offset_are_converted(counter: Counter):
    row = await counter.do("keys.limit", key="1", expires="2027-01-31T02:00:00+02:00")
    assert row["expires_at"] == "2027-01-31T00:00:00.000000Z"
