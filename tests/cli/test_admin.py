"""The admin API's answers: status and body of one command."""

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runapi.flows.desk import CommandDesk
from runapi.flows.office import Office
from runapi.store.database import Database
from runapi.store.secrets import Vault
from runapi.upstream.probe import probe
from runapi.web.operator.admin import handle
from runapi.wire.catalog_file import package_catalog


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[CommandDesk]:
    database = Database.open(tmp_path)
    office = Office(Vault.unlock(database), package_catalog(), lambda: 1, os.urandom)
    yield CommandDesk(database, office, probe)
    await database.close()


async def test_result_comes_with_200(desk: CommandDesk):
    status, body = await handle(desk, "accounts.create", b'{"name": "acme"}')
    assert status == 200
    assert json.loads(body)["name"] == "acme"


@pytest.mark.parametrize(
    ("command", "parameters", "status", "code"),
    [
        ("accounts.create", b'{"name": "a b"}', 400, "command_refused"),
        ("accounts.create", b"not JSON", 400, "command_refused"),
        ("accounts.show", b'{"name": "nobody"}', 400, "command_refused"),
        ("accounts.drop", b"{}", 404, "unknown_command"),
        ("", b"{}", 404, "unknown_command"),
        ("../v1/models", b"{}", 404, "unknown_command"),
    ],
)
async def test_refusal_has_the_four_keys_of_every_error(
    desk: CommandDesk, command: str, parameters: bytes, status: int, code: str
):
    got, body = await handle(desk, command, parameters)
    assert got == status
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code


async def test_sealed_key_that_was_tampered_with_is_a_fault_of_the_store(desk: CommandDesk, tmp_path: Path):
    asked = {"name": "a", "base_url": "http://127.0.0.1:9", "api_key": "k", "models": ["gpt-5.5"]}
    assert (await handle(desk, "upstreams.add", json.dumps(asked).encode()))[0] == 200
    connection = sqlite3.connect(tmp_path / "runapi.db")
    connection.execute("UPDATE upstream SET key_ciphertext = zeroblob(40)")
    connection.commit()
    connection.close()
    status, body = await handle(desk, "upstreams.test", b'{"name": "a"}')
    assert status == 500
    assert json.loads(body)["error"]["code"] == "store_failed"
