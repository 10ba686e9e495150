"""What an update makes of an installation that is in use: on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from fakes.both_engines import ENGINES
from runapi.core.dialects import Dialect
from runapi.core.routing import UpstreamAuth
from runapi.store import migrations, upstreams
from runapi.store.engines import postgres_engine, sqlite_engine

BOTH = (Dialect.CHAT, Dialect.RESPONSES)
ADDRESSES = {
    "https://api.openai.com/v1": BOTH,
    "https://API.OpenAI.com:443/v1": BOTH,
    "https://api.openai.com.evil.example/v1": (Dialect.CHAT,),
    "http://127.0.0.1:8080/v1": (Dialect.CHAT,),
    "https://x.openai.azure.com/openai/v1": (Dialect.CHAT,),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    if request.param == "sqlite":
        made = sqlite_engine(tmp_path / "old.db")
    else:
        made = postgres_engine(request.getfixturevalue("postgres").new_database())
    yield made
    made.dispose()


def bring_to(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def insert_upstream(connection: Connection, number: int, base_url: str) -> None:
    """As version 0005 did."""
    connection.execute(
        text(
            "INSERT INTO upstream (name, base_url, key_ciphertext, priority, cost_ratio_ppm, created_us)"
            " VALUES (:name, :base_url, :key, 100, 1000000, 7)"
        ),
        {"name": f"u{number}", "base_url": base_url, "key": b"sealed"},
    )


def test_upstreams_of_before_speak_what_they_were_called_in_and_openai_its_responses_too(engine: Engine):
    with engine.begin() as connection:
        bring_to(connection, "0005")
        for number, base_url in enumerate(ADDRESSES):
            insert_upstream(connection, number, base_url)
    with engine.begin() as connection:
        migrations.bring_to_head(connection)
    with engine.begin() as connection:
        found = upstreams.list_upstreams(connection)
        assert migrations.read_version(connection) == migrations.HEAD
    assert {stored.upstream.base_url: stored.upstream.dialects for stored in found} == ADDRESSES
    assert {stored.upstream.auth for stored in found} == {UpstreamAuth.BEARER}
    assert {stored.upstream.query for stored in found} == {""}
    assert {stored.key_ciphertext for stored in found} == {b"sealed"}
