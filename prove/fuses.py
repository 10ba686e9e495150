"""Places at which a process can be made to die in the middle of what the product does, without the product knowing.

A place is `before` or `after`, and then one of
- `BEGIN`, `COMMIT`: of the transaction on the database's thread;
- the beginning of a statement, such as `INSERT INTO transfer`;
- `answer`: the moment in which the writer gives a batch's outcomes out;
- one of FUNCTIONS.
"""

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from runapi.store.database import Database
from runapi.store.ledger import batch
from runapi.store.ledger.writer import LedgerWriter

BLOWN = 86
"""The exit status of a process that died where it should."""


_RECOVERY = "runapi.store.ledger.recovery"
FUNCTIONS = {
    "take_seat": (_RECOVERY, "take_seat"),
    "end_orphans": (_RECOVERY, "end_orphans"),
    "count_orphans": (_RECOVERY, "count_orphans"),
    "credit_missing_play_money": (_RECOVERY, "credit_missing_play_money"),
    "check_sums": (_RECOVERY, "check_sums"),
    "add_node": (_RECOVERY, "_add_node"),
    "remember_node": (_RECOVERY, "_remember"),
    "link secret.key": ("os", "link"),  # which gives the written file its name
}


class Fuse:
    """Ends the process, as a kill would, the n-th time that its place is passed while it is armed."""

    def __init__(self, place: str, passes: int = 1) -> None:
        """Put the fuse at its place; it is not armed yet."""
        self._left = passes
        self._is_armed = False
        self._when, _, what = place.partition(" ")
        if what in {"BEGIN", "COMMIT"}:
            self._in_transactions(what)
        elif what == "answer":
            self._at(LedgerWriter, "_give")
        elif what in FUNCTIONS:
            module, name = FUNCTIONS[what]
            self._at(importlib.import_module(module), name)
        else:
            self._at_statements(what)

    def arm(self) -> None:
        """From now on it counts."""
        self._is_armed = True

    def _pass(self, when: str) -> None:
        if self._is_armed and when == self._when:
            self._left -= 1
            if self._left == 0:
                os._exit(BLOWN)

    def _at(self, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def fused(*args: Any, **kwargs: Any) -> Any:
            self._pass("before")
            result = function(*args, **kwargs)
            self._pass("after")
            return result

        setattr(owner, name, fused)

    def _in_transactions(self, what: str) -> None:
        transact: Callable[[Database, Callable[[], Any]], Any] = Database._transact

        def fused(database: Database, call: Callable[[], Any]) -> Any:
            def inside() -> Any:
                if what == "BEGIN":
                    self._pass("after")
                result = call()
                if what == "COMMIT":
                    self._pass("before")
                return result

            if what == "BEGIN":
                self._pass("before")
            result = transact(database, inside)
            if what == "COMMIT":
                self._pass("after")
            return result

        Database._transact = fused  # type: ignore[assignment, method-assign]

    def _at_statements(self, what: str) -> None:
        """Watch what goes through SQLAlchemy, and what goes past it."""

        def before(_c: Any, _u: Any, sql: str, *_: Any) -> None:
            if _begins(sql, what):
                self._pass("before")

        def after(_c: Any, _u: Any, sql: str, *_: Any) -> None:
            if _begins(sql, what):
                self._pass("after")

        event.listen(Engine, "before_cursor_execute", before)
        event.listen(Engine, "after_cursor_execute", after)
        open_cursor = vars(batch)["open_cursor"]
        vars(batch)["open_cursor"] = lambda connection: _Cursor(open_cursor(connection), self, what)


class _Cursor:
    """The driver's cursor, with a fuse."""

    def __init__(self, cursor: Any, fuse: Fuse, what: str) -> None:
        self._cursor = cursor
        self._fuse = fuse
        self._what = what

    def execute(self, sql: str, *values: Any) -> Any:
        if not _begins(sql, self._what):
            return self._cursor.execute(sql, *values)
        self._fuse._pass("before")
        result = self._cursor.execute(sql, *values)
        self._fuse._pass("after")
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _begins(sql: str, what: str) -> bool:
    return " ".join(sql.split()).startswith(what)
