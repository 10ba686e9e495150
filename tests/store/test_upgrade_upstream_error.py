"""Requests that were made before failures of upstreams were kept: on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fakes.both_engines import ENGINES
from runapi.store import migrations
from runapi.store.engines import postgres_engine, sqlite_engine
from runapi.store.requests import find_request, insert_records
from store.test_upgrade import bring_to

OLD = {
    "id": "req_old",
    **dict.fromkeys(("at_us", "account_id", "key_id", "attempts", "total_us"), 1),
    **dict.fromkeys(("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens"), 0),
    **dict.fromkeys(("reasoning_tokens", "cost_pico", "cost_nano", "upstream_cost_nano"), 0),
    "mode": "live",
    "endpoint": "/v1/chat/completions",
    "model": "gpt-5.5",
    "stream": False,
    "status": 503,
    "outcome": "failed",
    "client_left": False,
    "usage_source": "none",
    "dropped": "",
}


def insert_old(connection: Connection) -> None:
    """As version 0007 did."""
    names = ", ".join(OLD)
    values = ", ".join(f":{name}" for name in OLD)
    insert = f"INSERT INTO request ({names}) VALUES ({values})"  # noqa: S608 - our own names
    connection.execute(text(insert), OLD)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_old_rows_stay_and_new_ones_say_what_the_upstream_did(
    engine_name: str, request: pytest.FixtureRequest, tmp_path: Path
):
    if engine_name == "sqlite":
        engine = sqlite_engine(tmp_path / "old.db")
    else:
        engine = postgres_engine(request.getfixturevalue("postgres").new_database())
    with engine.begin() as connection:
        bring_to(connection, "0007")
        insert_old(connection)
    with engine.begin() as connection:
        migrations.bring_to_head(connection)
        old = find_request(connection, "req_old")
        assert old is not None
        assert (old.status, old.upstream_error) == (503, None)
        old.id, old.upstream_error = "req_new", "401 invalid_api_key"
        insert_records(connection, [old])
    with engine.begin() as connection:
        assert find_request(connection, "req_new") == old
    engine.dispose()
