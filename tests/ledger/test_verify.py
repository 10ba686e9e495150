"""`verify` finds whatever was changed behind the ledger's back, and nothing where nothing was."""
# ruff: noqa: S608 - the names put into SQL are the test's own

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ledger.filled import fill, hold, record, settle, write
from runapi.core.ledger.books import FIRST_HASH, Transfer
from runapi.core.ledger.chain import row_hash
from runapi.store.database import Database
from runapi.store.ledger.verify import Verification, verify, verify_running

MUTATIONS = int(os.environ.get("RUNAPI_TEST_LEDGER_MUTATIONS", "600"))


def disarm(connection: Connection) -> None:
    """Take the triggers away, as somebody with the database's file can."""
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER transfer_no_{verb}"))
    else:
        connection.execute(text("ALTER TABLE transfer DISABLE TRIGGER transfer_no_edit"))


class Undone(Exception):  # noqa: N818 - no error
    """Rolls a transaction back."""


def found_after(database: Database, change: Callable[[Connection], None]) -> Verification:
    """What verification says of the books with a change, which is then undone."""
    found: list[Verification] = []

    def change_and_look(connection: Connection) -> None:
        disarm(connection)
        change(connection)
        found.append(verify(connection))
        raise Undone

    with pytest.raises(Undone):
        database.run_now(change_and_look)
    return found[0]


def executes(sql: str) -> Callable[[Connection], None]:
    def change(connection: Connection) -> None:
        assert connection.execute(text(sql)).rowcount == 1

    return change


def test_untouched_books_have_no_fault(database: Database) -> None:
    fill(database)
    found = database.run_now(verify)
    assert (found.fault_count, found.faults) == (0, ())
    assert found.transfers > 150


async def test_running_server_verifies_in_steps(database: Database) -> None:
    fill(database)
    assert await verify_running(database) == database.run_now(verify)


@pytest.mark.parametrize("verb", ["UPDATE transfer SET amount = amount + 1", "DELETE FROM transfer"])
def test_rows_cannot_be_changed_or_deleted(database: Database, verb: str) -> None:
    fill(database, 5)

    def edit(connection: Connection) -> None:
        connection.execute(text(f"{verb} WHERE seq = 3"))

    with pytest.raises(DBAPIError, match="append-only"):
        database.run_now(edit)
    assert database.run_now(verify).fault_count == 0


MUST_BE_FOUND = {
    "an edited amount": ("UPDATE transfer SET amount = amount + 1 WHERE seq = 20", r"row before.*changed"),
    "a redirected payment": ("UPDATE transfer SET credit = 20 WHERE seq = 2", "changed"),
    "an edited reason": ("UPDATE transfer SET reason = reason || ' ' WHERE seq = 20", "changed"),
    "an edited cost": ("UPDATE transfer SET cost_pico = cost_pico + 1 WHERE seq = 20", "changed"),
    "a deleted row": ("DELETE FROM transfer WHERE seq = 20", "row 20 is missing"),
    "the deleted first row": ("DELETE FROM transfer WHERE seq = 1", "row 1 is missing"),
    "the deleted last row": (
        "DELETE FROM transfer WHERE seq = (SELECT max(seq) FROM transfer)",
        "the tail names row",
    ),
    "an edited balance": (
        "UPDATE ledger_account SET posted = posted + 1 WHERE id = 18",
        "account 18 says posted",
    ),
    "a lifted hold": (
        "UPDATE ledger_account SET held = 0 WHERE id = 18",
        "account 18 says posted .*, held 0",
    ),
    "a thawed account": (
        "UPDATE ledger_account SET guarded = true, posted = held WHERE id = 22",
        "account 22 is guarded",
    ),
    "an unguarded account": (
        "UPDATE ledger_account SET guarded = false WHERE id = 18",
        "account 18 is not guarded",
    ),
    "a deleted hold": (
        "DELETE FROM hold WHERE request_id = (SELECT min(request_id) FROM hold)",
        r"the open hold of req_\w+ is missing",
    ),
    "a smaller hold": (
        "UPDATE hold SET amount = amount - 1 WHERE request_id = (SELECT min(request_id) FROM hold)",
        "its rows say",
    ),
    "an edited tail": ("UPDATE ledger_tail SET seq = seq + 1", "the tail names row"),
    "a deleted tail": ("DELETE FROM ledger_tail", "the tail names row -1"),
    "an edited request row": (
        "UPDATE request SET cost_nano = cost_nano + 1 WHERE id = (SELECT min(id) FROM request)",
        "says it cost",
    ),
}


@pytest.mark.parametrize("change", MUST_BE_FOUND)
def test_change_is_found_and_named(database: Database, change: str) -> None:
    sql, told = MUST_BE_FOUND[change]
    fill(database)
    found = found_after(database, executes(sql))
    assert any(re.search(told, fault.text) for fault in found.faults), found.faults
    assert database.run_now(verify).fault_count == 0  # the change was undone


def rehash_from(connection: Connection, seq: int) -> None:
    """Seal the rows anew, as a forger would who knows the chain: only what they say can give them away."""
    rows = [tuple(row) for row in connection.execute(text("SELECT * FROM transfer ORDER BY seq"))]
    previous = FIRST_HASH
    for row in rows:
        sealed = row_hash(previous, row)
        if row[0] >= seq:
            connection.execute(
                text("UPDATE transfer SET hash = :h WHERE seq = :s"), {"h": sealed, "s": row[0]}
            )
        previous = sealed
    connection.execute(text("UPDATE ledger_tail SET hash = :h"), {"h": previous})


FORGERIES = {
    "a charge above the hold": (
        "UPDATE transfer SET amount = 10000, cost_pico = 10000000 WHERE seq = :settle",
        "it charges",
    ),
    "a charge below the cost": ("UPDATE transfer SET amount = amount - 1 WHERE seq = :settle", "it charges"),
    "a larger payment": ("UPDATE transfer SET amount = amount + 1 WHERE seq = 2", "account 18 says posted"),
    "a payment to test mode": (
        "UPDATE transfer SET credit = 19, debit = 3, mode = 'test' WHERE seq = 2",
        "posted",
    ),
    "a payment out of revenue": ("UPDATE transfer SET debit = 4 WHERE seq = 2", "a topup goes from revenue"),
    "a refund made a promotion": (
        "UPDATE transfer SET kind = 'promo' WHERE kind = 'refund'",
        "a promo goes from customer",
    ),
    "an unknown kind": ("UPDATE transfer SET kind = 'gift' WHERE seq = 2", "a gift goes from"),
    "a smaller release": (
        "UPDATE transfer SET amount = amount - 1 WHERE seq = (SELECT min(seq) FROM transfer WHERE kind = 'void')",
        "it releases",
    ),
    "a hold of a request that ended": (
        "UPDATE transfer SET request_id = 'x' WHERE seq = :settle",
        "has no open hold",
    ),
    "an uncalled-for write-off": (
        "UPDATE transfer SET reason = 'forgotten' WHERE seq = (SELECT min(seq) FROM transfer WHERE kind = 'write_off')",
        "that nothing called for",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgery_with_right_hashes_is_found(database: Database, forgery: str) -> None:
    sql, told = FORGERIES[forgery]
    fill(database)

    def forge(connection: Connection) -> None:
        query = "SELECT seq FROM transfer WHERE kind = 'settle' AND amount > 100 ORDER BY seq LIMIT 1"
        settled = connection.execute(text(query)).scalar_one()
        connection.execute(text(sql.replace(":settle", str(settled))))
        rehash_from(connection, 1)

    found = found_after(database, forge)
    assert any(told in fault.text for fault in found.faults), found.faults


def mutate(connection: Connection, chance: Random) -> str:
    """Change one value somewhere in the ledger's tables, or delete a row; say what."""
    table, key = chance.choice(
        [("transfer", "seq")] * 6 + [("ledger_account", "id"), ("hold", "request_id"), ("ledger_tail", "id")]
    )
    keys = [row[0] for row in connection.execute(text(f"SELECT {key} FROM {table} ORDER BY {key}"))]
    chosen = chance.choice(keys)
    if chance.random() < 0.2 and table != "ledger_account":
        connection.execute(text(f"DELETE FROM {table} WHERE {key} = :k"), {"k": chosen})
        return f"deleted {table} {chosen}"
    columns = {
        "transfer": list(Transfer._fields),
        "ledger_account": ["posted", "held", "guarded"],
        "hold": ["amount", "ledger_account", "request_id"],
        "ledger_tail": ["seq", "hash"],
    }
    column = chance.choice(columns[table])
    was = connection.execute(
        text(f"SELECT {column} FROM {table} WHERE {key} = :k"), {"k": chosen}
    ).scalar_one()
    now = altered(was, chance)
    sql = text(f"UPDATE {table} SET {column} = :v WHERE {key} = :k")
    connection.execute(sql, {"v": now, "k": chosen})
    return f"{table} {chosen}: {column} {was!r} -> {now!r}"


def altered(was: Any, chance: Random) -> Any:
    """One bit or character different."""
    if isinstance(was, bytes):
        place = chance.randrange(len(was))
        return was[:place] + bytes([was[place] ^ 1 << chance.randrange(8)]) + was[place + 1 :]
    if isinstance(was, int):
        return was ^ 1 << chance.randrange(40)
    place = chance.randrange(len(was) + 1)
    return was[:place] + chance.choice("x0 é") + was[place:]


def test_every_random_mutation_is_found(home: Path) -> None:
    """On SQLite with its constraints off: a bit flips in the file, not through SQL."""
    database = Database.open(home)
    fill(database, 40)
    unchecked = ("PRAGMA ignore_check_constraints = ON", "PRAGMA foreign_keys = OFF")
    for pragma in unchecked:  # outside a transaction, where alone they count
        database._thread.submit(database._connection.connection.driver_connection.execute, pragma).result()
    chance, missed, tried = Random(20), [], 0
    while tried < MUTATIONS:
        done: list[str] = []

        def change(connection: Connection) -> None:
            done.append(mutate(connection, chance))  # noqa: B023 - called at once

        try:
            found = found_after(database, change)
        except DBAPIError:  # two rows with one number: that cannot even be stored
            continue
        tried += 1
        if found.fault_count == 0:
            missed.append(done[0])
    database.close_now()
    assert missed == []


def test_fault_in_the_middle_is_one_fault_and_not_one_of_every_later_row(database: Database) -> None:
    fill(database)
    found = found_after(database, executes("UPDATE transfer SET reference = 'x' WHERE seq = 20"))
    assert [fault.seq for fault in found.faults] == [20]


def test_row_of_a_request_whose_cost_was_over_its_hold_says_what_was_charged(database: Database) -> None:
    seat = fill(database, 2)
    asked = hold("req_over", 1, 100)
    write(database, [asked, settle("req_over", 150, record(asked, 150))], seat)

    def cost(connection: Connection) -> Any:
        return connection.execute(text("SELECT cost_nano FROM request WHERE id = 'req_over'")).scalar()

    assert database.run_now(cost) == 100
    assert database.run_now(verify).fault_count == 0
