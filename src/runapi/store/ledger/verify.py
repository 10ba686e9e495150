"""Recompute the whole ledger from its rows, and name everything that is not as it must be."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from runapi.core.ledger.books import ENDINGS, MODES, Balance, Transfer
from runapi.core.ledger.charges import Charges, RequestSide
from runapi.core.ledger.faults import Area, Fault, Faults
from runapi.core.ledger.replay import Replay, Seen
from runapi.core.pricing import PriceTable
from runapi.store.database import Database
from runapi.store.driver import fill_up, marks, open_cursor, statement
from runapi.store.schema import IS_ENDING

_PAGE = 5_000
_STEP = 1_000  # rows between which a running server's requests are served
_ENDINGS_PAGE = 50_000
_MOST_LISTED = 512
_ALL_COLUMNS = ", ".join(Transfer._fields)
_read_table = msgspec.json.Decoder(PriceTable).decode


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found. The ledger is right when `fault_count` is 0."""

    transfers: int
    seq: int  # of the last row
    tail: bytes  # the last row's hash: whoever writes it down elsewhere can tell if the end is ever cut off
    fault_count: int
    faults: tuple[Fault, ...]  # the first thousand
    checked: Mapping[Area, int]  # how many rows, charges, accounts, ... were looked at
    found: Mapping[Area, int]  # how many faults are where; areas without any are left out


def verify(connection: Connection) -> Verification:
    """Check every row's hash and place, that each was allowed, and that balances, holds and tail follow from them.

    Each charge is worked out again from its usage and its pinned price, and compared with the request's own row. Takes
    some fifteen seconds for a million rows, during which nothing else is written; a running server calls `verify_running`.
    """
    verifier = _Verifier()
    for after in verifier.ending_pages():
        verifier.check_endings(connection, after)
    return verifier.finish(connection)


async def verify_running(database: Database) -> Verification:
    """Do what `verify` does in small steps, between which requests are served.

    Only reading happens on the database's thread; the checks are made on another.
    """
    verifier = _Verifier()
    while page := await database.run(verifier.read, _STEP):
        await asyncio.to_thread(verifier.feed, page)
    for after in verifier.ending_pages():
        await database.run(verifier.check_endings, after)
    return await database.run(verifier.finish)


class _Page(NamedTuple):
    """Rows, and those of the requests that end in them."""

    rows: Sequence[Sequence[Any]]
    requests: Mapping[str, RequestSide]


class _Verifier:
    """One pass over the books: pages are read and fed in turn, then the rest is compared."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._replay = Replay(self._faults)
        self._prices: dict[tuple[int, str], PriceTable] = {}
        self._charges = Charges(self._faults, self._prices)
        self._versions: set[int] = set()  # those whose prices were read
        self._next_ending: str | None = ""

    def read(self, connection: Connection, most: int) -> _Page | None:
        """Read some further rows; None when there are none."""
        sql = statement(_select_page, connection.dialect.name, most)
        rows = _fetch(connection, sql, (self._replay.seq,))
        if not rows:
            return None
        endings = [row for row in rows if row[3] in ENDINGS]
        if not self._versions.issuperset(row[8] for row in endings):
            self._read_prices(connection)
            self._versions.update(row[8] for row in endings)
        return _Page(rows, _read_requests(connection, [row[7] for row in endings]))

    def feed(self, page: _Page) -> None:
        """Check the rows that `read` gave."""
        self._replay.feed(page.rows)
        self._charges.feed(page.rows, page.requests)

    def ending_pages(self) -> Iterator[str]:
        """Where each call of `check_endings` begins."""
        while self._next_ending is not None:
            yield self._next_ending

    def check_endings(self, connection: Connection, after: str) -> None:
        """Check that each request ended once, for some whose ids come after `after`.

        A unique index forbids anything else; it may have been dropped.
        """
        sql = statement(_select_endings, connection.dialect.name, _ENDINGS_PAGE)
        found = _fetch(connection, sql, (after,))
        for request_id, times in found:
            if times > 1:
                self._faults.blame(Area.REQUESTS, None, f"{request_id} ended {times} times")
        more = len(found) == _ENDINGS_PAGE and _can_be_asked_for(found[-1][0])
        self._next_ending = found[-1][0] if more else None

    def finish(self, connection: Connection) -> Verification:
        """Check what was written since, and the balances and holds of the same moment."""
        _fetch(connection, _LOCK[connection.dialect.name])
        while page := self.read(connection, _PAGE):
            self.feed(page)
        seen = self._read_seen(connection)
        self._replay.finish(seen)
        return Verification(
            transfers=self._replay.rows,
            seq=self._replay.seq,
            tail=self._replay.tail,
            fault_count=self._faults.count,
            faults=tuple(self._faults.kept),
            checked={
                Area.CHAIN: self._replay.rows,
                Area.RULES: self._replay.rows,
                Area.PRICES: self._charges.priced,
                Area.REQUESTS: self._charges.compared,
                Area.BALANCES: len(seen.balances),
                Area.HOLDS: len(seen.holds),
                Area.SUMS: len(MODES),
            },
            found=dict(self._faults.counts),
        )

    def _read_seen(self, connection: Connection) -> Seen:
        """Read what stands beside the rows."""
        tail = _fetch(connection, "SELECT seq, hash FROM ledger_tail")
        balances = {}
        for number, posted, held, guarded in _fetch(
            connection, "SELECT id, posted, held, guarded FROM ledger_account"
        ):
            if type(posted) is not int or type(held) is not int or guarded not in {0, 1}:
                said = f"account {number} has posted = {posted}, held = {held}, guarded = {guarded}"
                self._faults.blame(Area.BALANCES, None, said)
            else:
                balances[number] = Balance(posted, held, bool(guarded))
        holds = _fetch(connection, "SELECT request_id, ledger_account, amount FROM hold")
        return Seen(
            seq=tail[0][0] if tail else -1,
            tail=bytes(tail[0][1]) if tail and type(tail[0][1]) is bytes else b"",
            balances=balances,
            holds={request_id: (number, amount) for request_id, number, amount in holds},
        )

    def _read_prices(self, connection: Connection) -> None:
        """Read every published price: a running server may publish while this reads on."""
        for version, model, ours in _fetch(connection, "SELECT version, model, ours FROM price_version"):
            if (version, model) not in self._prices:
                try:
                    self._prices[version, model] = _read_table(ours)
                except (msgspec.DecodeError, TypeError, UnicodeError):
                    said = f"the price of {model} in version {version} cannot be read"
                    self._faults.blame(Area.PRICES, None, said)


def _read_requests(connection: Connection, request_ids: Sequence[str]) -> dict[str, RequestSide]:
    """Read what the rows of these requests say of their charge."""
    asked = [request_id for request_id in request_ids if _can_be_asked_for(request_id)]
    found = {}
    for begin in range(0, len(asked), _MOST_LISTED):
        listed = fill_up(asked[begin : begin + _MOST_LISTED])
        sql = statement(_select_requests, connection.dialect.name, len(listed))
        for request_id, *side in _fetch(connection, sql, listed):
            found[request_id] = RequestSide(*side)
    return found


def _can_be_asked_for(request_id: object) -> bool:
    """Whether it can be a request's id: what is no text of ours, a database may not even take as a value."""
    return type(request_id) is str and request_id.isascii()


def _fetch(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Read all rows. Text in which a bit fell over may be no UTF-8; it is read all the same, so that its row is named."""
    cursor = open_cursor(connection)
    try:
        return list(cursor.execute(sql, values).fetchall())
    except sqlite3.OperationalError as fault:
        if "UTF-8" not in str(fault):
            raise
    driver_connection = cursor.connection
    driver_connection.text_factory = _decode_anything
    try:
        return list(driver_connection.execute(sql, values).fetchall())
    finally:
        driver_connection.text_factory = str


def _decode_anything(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _select_page(rows: int) -> str:
    return f"SELECT {_ALL_COLUMNS} FROM transfer WHERE seq > ? ORDER BY seq LIMIT {rows}"  # noqa: S608 - our own names


def _select_requests(rows: int) -> str:
    return (
        "SELECT id, model, service_tier, cost_pico, cost_nano, input_tokens, cached_tokens, cache_write_tokens, "  # noqa: S608 - as above
        f"output_tokens, reasoning_tokens FROM request WHERE id IN {marks(rows, 1)}"
    )


def _select_endings(rows: int) -> str:
    return (
        f"SELECT request_id, count(*) FROM transfer WHERE {IS_ENDING} AND request_id > ? "  # noqa: S608 - as above
        f"GROUP BY request_id ORDER BY request_id LIMIT {rows}"
    )


_LOCK = {"sqlite": "SELECT seq FROM ledger_tail", "postgresql": "SELECT seq FROM ledger_tail FOR UPDATE"}
