"""Recompute the whole ledger from its rows, and name everything that is not as it must be."""

import msgspec
from sqlalchemy import Connection

from runapi.core.ledger.books import Balance, Transfer
from runapi.core.ledger.replay import Fault, Replay, Seen
from runapi.store.database import Database
from runapi.store.driver import open_cursor, statement

_PAGE = 5_000
_ALL_COLUMNS = ", ".join(Transfer._fields)


class Verification(msgspec.Struct, frozen=True):
    """What a verification found. The ledger is right when `fault_count` is 0."""

    transfers: int
    tail: bytes  # the last row's hash: whoever writes it down elsewhere can tell if the end is ever cut off
    fault_count: int
    faults: tuple[Fault, ...]  # the first thousand


def verify(connection: Connection) -> Verification:
    """Check every row's hash and place, that each was allowed, and that balances, holds and tail follow from them.

    It also compares what each request's own row says it cost. Takes some ten seconds for a million rows, during
    which nothing else is written; a running server calls `verify_running`.
    """
    return _feed_rest(connection, Replay())


async def verify_running(database: Database) -> Verification:
    """Do what `verify` does in small steps, between which requests are served."""
    replay = Replay()
    while await database.run(_feed_page, replay):
        pass
    return await database.run(_feed_rest, replay)


def _feed_page(connection: Connection, replay: Replay) -> bool:
    """Check some further rows; whether there may be more."""
    cursor = open_cursor(connection)
    sql = statement(_select_page, connection.dialect.name, _PAGE)
    rows = cursor.execute(sql, (replay.seq,)).fetchall()
    replay.feed(rows)
    return len(rows) == _PAGE


def _select_page(rows: int) -> str:
    return f"SELECT {_ALL_COLUMNS} FROM transfer WHERE seq > ? ORDER BY seq LIMIT {rows}"  # noqa: S608 - our own names


def _feed_rest(connection: Connection, replay: Replay) -> Verification:
    """Check what was written since, and the balances of the same moment."""
    open_cursor(connection).execute(_LOCK[connection.dialect.name]).fetchall()
    while _feed_page(connection, replay):
        pass
    return _finish(connection, replay)


def _finish(connection: Connection, replay: Replay) -> Verification:
    cursor = open_cursor(connection)
    tail = cursor.execute("SELECT seq, hash FROM ledger_tail").fetchone()
    accounts = cursor.execute("SELECT id, posted, held, guarded FROM ledger_account").fetchall()
    holds = cursor.execute("SELECT request_id, ledger_account, amount FROM hold").fetchall()
    for request_id, said, charged in cursor.execute(_DIFFERING_ROWS).fetchall():
        replay.blame(None, f"the row of {request_id} says it cost {said}; it was charged {charged}")
    for number, _, _, guarded in accounts:
        if guarded not in {0, 1}:
            replay.blame(None, f"account {number} has guarded = {guarded}")
    faults = replay.finish(
        Seen(
            seq=tail[0] if tail else -1,
            tail=bytes(tail[1]) if tail else b"",
            balances={
                number: Balance(posted, held, bool(guarded)) for number, posted, held, guarded in accounts
            },
            holds={request_id: (number, amount) for request_id, number, amount in holds},
        )
    )
    return Verification(replay.rows, replay.tail, replay.fault_count, tuple(faults))


_LOCK = {"sqlite": "SELECT seq FROM ledger_tail", "postgresql": "SELECT seq FROM ledger_tail FOR UPDATE"}
_DIFFERING_ROWS = """
SELECT r.id, r.cost_nano, CASE t.kind WHEN 'settle' THEN t.amount ELSE 0 END
FROM transfer t JOIN request r ON r.id = t.request_id
WHERE t.kind IN ('settle', 'void', 'expire') AND r.cost_nano <> CASE t.kind WHEN 'settle' THEN t.amount ELSE 0 END
LIMIT 1000
"""
