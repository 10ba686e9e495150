"""Limits are kept with their key, and what was spent of them is what the request rows say."""

from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy
from runapi.core.limits import KeyLimits
from runapi.core.windows import Span
from runapi.store import accounts, key_limits, keys
from runapi.store.database import Database
from runapi.store.requests import insert_records
from store.rows import record

ALL = KeyLimits(
    spend_nano={Span.DAY: 1, Span.WEEK: 2, Span.MONTH: 3, Span.TOTAL: 10**15},
    requests_per_minute=4,
    tokens_per_minute=5,
    concurrent=6,
    models=("gpt-5.5", "a,b"),
    networks=("192.0.2.0/24", "2001:db8::/32"),
    expires_us=2**62,
)


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def make_key(database: Database, number: int, account: str = "acme") -> int:
    if account not in [known.name for known in database.run_now(accounts.list_accounts)]:
        database.run_now(accounts.create_account, account, 1)
    owner = database.run_now(accounts.require_account, account)
    digest = bytes([number]) * 32
    key = database.run_now(
        keys.insert_key,
        owner.id,
        Mode.LIVE,
        digest,
        f"runapi_live_{number:04d}",
        DisconnectPolicy.DRAIN,
        ParameterPolicy.DROP,
        1,
    )
    return key.id


def test_limits_are_read_back_exactly(database: Database) -> None:
    key_id = make_key(database, 1)
    database.run_now(key_limits.set_limits, key_id, ALL)
    assert database.run_now(key_limits.read_limits, key_id) == ALL
    assert database.run_now(key_limits.load_limits) == {key_id: ALL}


def test_zero_and_nothing_are_different_limits(database: Database) -> None:
    key_id = make_key(database, 1)
    none = KeyLimits(spend_nano={Span.DAY: 0}, models=(), networks=())
    database.run_now(key_limits.set_limits, key_id, none)
    assert database.run_now(key_limits.read_limits, key_id) == none


def test_new_limits_take_the_place_of_the_old_ones(database: Database) -> None:
    key_id = make_key(database, 1)
    database.run_now(key_limits.set_limits, key_id, ALL)
    database.run_now(key_limits.set_limits, key_id, KeyLimits(concurrent=1))
    assert database.run_now(key_limits.load_limits) == {key_id: KeyLimits(concurrent=1)}
    database.run_now(key_limits.set_limits, key_id, KeyLimits())
    assert database.run_now(key_limits.load_limits) == {}
    assert database.run_now(key_limits.read_limits, key_id) == KeyLimits()


def test_keys_without_limits_and_revoked_keys_are_not_loaded(database: Database) -> None:
    limited, _free, revoked = (make_key(database, number) for number in (1, 2, 3))
    for key_id in (limited, revoked):
        database.run_now(key_limits.set_limits, key_id, KeyLimits(concurrent=1))
    database.run_now(keys.revoke_key, str(revoked), 5)
    assert list(database.run_now(key_limits.load_limits)) == [limited]


@pytest.mark.parametrize(
    "limits",
    [KeyLimits(spend_nano={Span.WEEK: -1}), KeyLimits(concurrent=0), KeyLimits(requests_per_minute=-5)],
)
def test_limit_that_makes_no_sense_is_refused_by_the_database(database: Database, limits: KeyLimits) -> None:
    key_id = make_key(database, 1)
    with pytest.raises(IntegrityError):
        database.run_now(key_limits.set_limits, key_id, limits)
    assert database.run_now(key_limits.load_limits) == {}


def test_limits_of_a_key_that_does_not_exist_are_refused(database: Database) -> None:
    with pytest.raises(IntegrityError):
        database.run_now(key_limits.set_limits, 99, ALL)


def test_spent_is_the_sum_of_the_request_rows_in_each_window(database: Database) -> None:
    """Now is Wednesday, 2026-12-02: the week began in November."""
    now_us = us("2026-12-02T12:00:00")
    mine, other = make_key(database, 1), make_key(database, 2)
    at = {
        "2025-06-01": 1_000_000,
        "2026-11-29T23:59:59": 100_000,
        "2026-11-30": 10_000,
        "2026-12-01": 1_000,
        "2026-12-01T23:59:59": 100,
        "2026-12-02": 10,
        "2026-12-02T11:59:59": 1,
    }
    rows = [
        msgspec.structs.replace(
            record(number, at_us=us(when)), key_id=mine, cost_nano=cost, cost_pico=cost * 1000
        )
        for number, (when, cost) in enumerate(at.items())
    ]
    foreign = msgspec.structs.replace(record(99, at_us=now_us), key_id=other, cost_nano=7, cost_pico=7_000)
    database.run_now(insert_records, [*rows, foreign])
    database.run_now(key_limits.set_limits, mine, ALL)
    spent = {Span.DAY: 11, Span.WEEK: 11_111, Span.MONTH: 1_111, Span.TOTAL: 1_111_111}
    assert database.run_now(key_limits.load_spent, now_us) == {mine: spent}
    assert database.run_now(key_limits.load_spent, now_us, [mine]) == {mine: spent}
    assert database.run_now(key_limits.load_spent, now_us, [other]) == {}
    database.run_now(key_limits.set_limits, other, KeyLimits(spend_nano={Span.DAY: 1}))
    assert database.run_now(key_limits.load_spent, now_us)[other] == {
        Span.DAY: 7,
        Span.WEEK: 7,
        Span.MONTH: 7,
    }


def test_keys_without_spending_limits_are_not_added_up(database: Database) -> None:
    key_id = make_key(database, 1)
    database.run_now(insert_records, [msgspec.structs.replace(record(1), key_id=key_id, cost_nano=5)])
    database.run_now(key_limits.set_limits, key_id, KeyLimits(concurrent=1))
    assert database.run_now(key_limits.load_spent, us("2026-12-02")) == {}
