"""Upstreams keep their models and their sealed key, and are forgotten whole."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from runapi.core.dialects import Dialect
from runapi.core.routing import Upstream, UpstreamAuth
from runapi.store import upstreams
from runapi.store.database import Database
from runapi.store.faults import AlreadyExists, NotFound, SealBroken
from runapi.store.secrets import Vault

CANARY = "sk-canary-0123456789"


def add(database: Database, name: str, ciphertext: bytes = b"sealed", **models: str) -> Upstream:
    def insert(connection: Connection) -> Upstream:
        return upstreams.insert_upstream(
            connection,
            name=name,
            base_url=f"https://{name}.example/v1",
            models=models,
            key_ciphertext=ciphertext,
            now_us=4,
            priority=7,
            cost_ratio_ppm=850_000,
            query="api-version=2024-10-21",
            dialects=(Dialect.RESPONSES, Dialect.ANTHROPIC),
            auth=UpstreamAuth.API_KEY,
        )

    return database.run_now(insert)


def test_stored_upstream_comes_back_with_every_field(database: Database) -> None:
    added = add(database, "azure", b"\0\xff", ours="theirs", same="same")
    assert added == Upstream(
        id=added.id,
        name="azure",
        base_url="https://azure.example/v1",
        query="api-version=2024-10-21",
        dialects=(Dialect.RESPONSES, Dialect.ANTHROPIC),
        auth=UpstreamAuth.API_KEY,
        models={"ours": "theirs", "same": "same"},
        priority=7,
        cost_ratio_ppm=850_000,
    )
    stored = upstreams.StoredUpstream(added, b"\0\xff")
    assert database.run_now(upstreams.list_upstreams) == [stored]
    assert database.run_now(upstreams.find_upstream, "azure") == stored
    assert database.run_now(upstreams.find_upstream, "AZURE") is None


def test_upstreams_are_listed_in_the_order_in_which_they_were_added(database: Database) -> None:
    names = ["zeta", "alpha", "mid"]
    for name in names:
        add(database, name, m=name)
    listed = [stored.upstream for stored in database.run_now(upstreams.list_upstreams)]
    assert [upstream.name for upstream in listed] == names
    assert [dict(upstream.models) for upstream in listed] == [{"m": name} for name in names]


def test_name_of_an_upstream_is_taken_once(database: Database) -> None:
    add(database, "openai", m="m")
    with pytest.raises(AlreadyExists, match="'openai'"):
        add(database, "openai", other="x")
    assert [dict(s.upstream.models) for s in database.run_now(upstreams.list_upstreams)] == [{"m": "m"}]


def test_removed_upstream_leaves_no_model_and_no_key_and_its_id_is_not_given_again(
    database: Database,
) -> None:
    kept, removed = add(database, "kept", m="m"), add(database, "gone", m="m")
    assert database.run_now(upstreams.remove_upstream, "gone") == removed
    assert [s.upstream for s in database.run_now(upstreams.list_upstreams)] == [kept]

    def models_left(connection: Connection) -> list[int]:
        return list(connection.execute(text("SELECT upstream_id FROM upstream_model")).scalars())

    assert database.run_now(models_left) == [kept.id]
    assert add(database, "gone", m="m").id > removed.id


def test_unknown_upstream_cannot_be_removed(database: Database) -> None:
    with pytest.raises(NotFound, match="upstreams list"):
        database.run_now(upstreams.remove_upstream, "nobody")


def test_key_on_disk_is_ciphertext_that_opens_for_its_own_upstream_only(
    home: Path, database: Database
) -> None:
    vault = Vault.unlock(database)
    for name in ("one", "two"):
        add(database, name, vault.seal(f"{CANARY}-{name}", upstreams.key_place(name)), m="m")
    one, two = database.run_now(upstreams.list_upstreams)
    assert vault.open(one.key_ciphertext, upstreams.key_place("one")) == f"{CANARY}-one"
    with pytest.raises(SealBroken):
        vault.open(two.key_ciphertext, upstreams.key_place("one"))
    for path in home.iterdir():
        assert CANARY.encode() not in path.read_bytes()
    assert CANARY not in repr([one, two])
