"""Somebody changes the ledger beside us: every changed field and every row that is gone is found by a verification.

A ledger is filled by the product. Then in copy after copy of its file one thing is changed, past every guard that SQLite
has, and `runapi ledger verify` must not find that copy right.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from prove.draws import AT_US
from prove.journal import Entry
from prove.tiers import Tier
from prove.verdict import Verdict, Violation
from prove.work import Work, open_ledger, set_up
from runapi.core.ledger.books import Transfer
from runapi.store.home import DATABASE_NAME
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.verify import verify
from runapi.store.ledger.writer import LedgerWriter

NAME = "tamper"
ROUNDS_CI, ROUNDS_NIGHTLY = 4, 400  # through all the ways
_ROUNDS_OF_WORK = 15


class Way(NamedTuple):
    """One way to tamper: a field to change, or something else to do."""

    name: str
    do: Callable[[sqlite3.Connection, Random], None]


def prove(tier: Tier, seed: int) -> Verdict:
    """Tamper in every way, so often, each time with something else."""
    rounds = tier.cases(ci=ROUNDS_CI, nightly=ROUNDS_NIGHTLY)
    violations: list[str] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="runapi-prove-") as folder:
            faults = tamper(Path(folder), seed + number)
        violations += [Violation(fault, seed=seed + number) for fault in faults]
    return Verdict(cases=rounds * len(WAYS), figures=(f"{len(WAYS)} ways",), violations=violations)


def tamper(folder: Path, seed: int) -> list[str]:
    """Fill a ledger and change a copy of it in every way; give what was not noticed."""
    chance = Random(seed)
    _fill(folder / "filled", chance)
    data = (folder / "filled" / DATABASE_NAME).read_bytes()
    faults = [
        f"the untouched ledger is not right: {said}" for said in _verify(folder / "untouched", data)[:1]
    ]
    for number, way in enumerate(WAYS):
        home = folder / f"copy{number}"
        if not _verify(home, data, lambda connection, way=way: way.do(connection, chance)):  # type: ignore[misc]
            faults.append(f"nobody noticed: {way.name}")
    return faults


def _fill(home: Path, chance: Random) -> None:
    """Let there be something of everything, open holds too."""

    async def work() -> None:
        failures: list[BaseException] = []
        writer = LedgerWriter(database, recover(database, AT_US).seat, failures.append)
        await Work(writer, said.append, chance, "filled").do_rounds(_ROUNDS_OF_WORK)
        await writer.close()

    said: list[Entry] = []
    with open_ledger(home) as database:
        set_up(database, said.append)
        asyncio.run(work())


def _verify(home: Path, data: bytes, change: Callable[[sqlite3.Connection], None] | None = None) -> list[str]:
    """Make a folder with this database, change it, and give what a verification finds."""
    home.mkdir(mode=0o700)
    path = home / DATABASE_NAME
    path.write_bytes(data)
    if change is not None:
        with closing(sqlite3.connect(path)) as connection, connection:
            _lift_guards(connection)
            change(connection)
    with open_ledger(home) as database:
        return [fault.text for fault in database.run_now(verify).faults]


def _lift_guards(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")


def _change_field(table: str, column: str, where: str = "1") -> Way:
    """Change one value of a row that is drawn."""

    def do(connection: sqlite3.Connection, chance: Random) -> None:
        query = f"SELECT rowid, {column} FROM {table} WHERE {where}"
        if table == "hold":  # which has no rowid
            query = query.replace("rowid", "request_id").replace("WHERE 1", "")
        key = "request_id" if table == "hold" else "rowid"
        row, value = chance.choice(connection.execute(query).fetchall())
        change = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
        connection.execute(change, (_another(value, chance), row))

    return Way(f"{table}.{column} of a row was changed", do)


def _another(value: Any, chance: Random) -> Any:
    """A value that is a little different."""
    match value:
        case int():
            return value + chance.choice([-2, -1, 1, 2, 1_000_000])
        case bytes():
            place = chance.randrange(len(value))
            return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
        case _:
            place = chance.randint(0, len(value))
            return f"{value[:place]}{chance.choice('x1 ')}{value[place:]}"


def _execute(name: str, *statements: str) -> Way:
    def do(connection: sqlite3.Connection, _chance: Random) -> None:
        for sql in statements:
            connection.execute(sql)

    return Way(name, do)


_MIDDLE = "(SELECT max(seq) / 2 FROM transfer)"
_LAST = "(SELECT max(seq) FROM transfer)"
WAYS: tuple[Way, ...] = (
    *(_change_field("transfer", column) for column in Transfer._fields if column != "seq"),
    _execute("the first row is gone", "DELETE FROM transfer WHERE seq = 1"),
    _execute("a row in the middle is gone", f"DELETE FROM transfer WHERE seq = {_MIDDLE}"),
    _execute("the last row is gone", f"DELETE FROM transfer WHERE seq = {_LAST}"),
    _execute(
        "two rows have changed places",
        f"UPDATE transfer SET seq = -1 WHERE seq = {_MIDDLE}",
        f"UPDATE transfer SET seq = {_MIDDLE} WHERE seq = {_MIDDLE} + 1",
        f"UPDATE transfer SET seq = {_MIDDLE} + 1 WHERE seq = -1",
    ),
    _execute(
        "the last row and what it moved are gone, with the tail",
        "DELETE FROM transfer WHERE seq > 9",
        "UPDATE ledger_tail SET seq = 9, hash = (SELECT hash FROM transfer WHERE seq = 9)",
    ),
    *(_change_field("ledger_account", column) for column in ("posted", "held")),
    _execute("a guard was lifted", "UPDATE ledger_account SET guarded = 0 WHERE kind = 'customer'"),
    *(_change_field("hold", column) for column in ("amount", "ledger_account")),
    _execute(
        "an open hold is gone", "DELETE FROM hold WHERE request_id = (SELECT min(request_id) FROM hold)"
    ),
    *(_change_field("ledger_tail", column) for column in ("seq", "hash")),
    *(
        _change_field("request", column, "cost_nano > 0")
        for column in ("cost_nano", "cost_pico", "input_tokens")
    ),
    _execute(
        "a published price was changed", "UPDATE price_version SET ours = replace(ours, '5300', '5301')"
    ),
)
