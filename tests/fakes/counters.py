"""The counter at which an operator's commands are handed in, on a data folder of the test's own."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runapi.core.catalog import Catalog
from runapi.core.routing import ProbeResult, Upstream
from runapi.flows.desk import Changed, CommandDesk
from runapi.flows.office import Change, CommandRefused, Office
from runapi.store.database import Database
from runapi.store.home import DATABASE_NAME
from runapi.store.secrets import Vault
from runapi.wire.catalog_file import package_catalog


class Counter:
    """A desk without a server, what it told the server to read again, and whom it tried out."""

    def __init__(self, home: Path, now_us: int) -> None:
        """Open the folder; the clock of the office stands at `now_us`."""
        self.home = home
        self.changes: list[Change] = []
        self.probed: list[tuple[Upstream, str]] = []
        self.answer = ProbeResult(True, 200, 12, "It answers.", frozenset({"gpt-5.5"}))
        self.database = Database.open(home)
        self.vault = Vault.unlock(self.database)
        self._now_us = now_us
        self.take(package_catalog())

    def take(self, catalog: Catalog) -> None:
        """Go on with another catalogue, as after a restart."""
        self.office = Office(self.vault, catalog, lambda: self._now_us, os.urandom)
        self.tell(self._note)

    def tell(self, changed: Changed) -> None:
        """Tell somebody else of changes."""
        self.desk = CommandDesk(self.database, self.office, self._probe, changed)

    async def do(self, command: str, **parameters: object) -> Any:
        return json.loads(await self.desk.perform(command, json.dumps(parameters).encode()))

    async def refusal(self, command: str, **parameters: object) -> str:
        """What the desk says when it refuses, which must leave everything as it was."""
        before = self.rows()
        with pytest.raises(CommandRefused) as refused:
            await self.do(command, **parameters)
        assert self.rows() == before
        assert self.changes == []
        return str(refused.value)

    def rows(self) -> list[tuple[object, ...]]:
        """Everything in the database."""
        with sqlite3.connect(f"file:{self.home / DATABASE_NAME}?mode=ro", uri=True) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            found = [row for (name,) in tables for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - names from the line above
        connection.close()
        return found

    async def _probe(self, upstream: Upstream, api_key: str) -> ProbeResult:
        self.probed.append((upstream, api_key))
        return self.answer

    async def _note(self, change: Change) -> None:
        self.changes.append(change)
