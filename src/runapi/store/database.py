"""The database: one connection on one writer thread, behind an OS lock on the data folder (ADR 0001)."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from runapi.store.faults import StoreFailed
from runapi.store.home import DATABASE_NAME, hold_home, make_private, prepare_home
from runapi.store.migrations import bring_to_head

P = ParamSpec("P")
T = TypeVar("T")

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",  # an operator's sqlite3 shell may be reading
)


class Database:
    """All access to the data. Functions handed to it run one after the other, each in a transaction of its own.

    Under SQLite there is exactly one connection in one process: versions before 3.51.3 can corrupt the WAL when
    two connections write or checkpoint at once.
    """

    def __init__(self, home: Path, lock: int, thread: ThreadPoolExecutor, connection: Connection) -> None:
        """Join the parts; `Database.open` makes them."""
        self.home = home
        self._lock: int | None = lock
        self._thread = thread
        self._connection = connection

    @classmethod
    def open(cls, home: Path) -> "Database":
        """Open the data folder, creating it when missing, and bring its database to this version.

        Raises:
            HomeInUse: another process holds the folder.
            HomeUnusable: the folder or a file in it cannot be made private.
            NewerDatabase: a newer version of RunAPI wrote it.
            StoreFailed: the file is damaged or cannot be written.
        """
        home = home.absolute()
        prepare_home(home)
        lock = hold_home(home)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runapi-store")
        try:
            make_private(home / DATABASE_NAME)
            connection = thread.submit(_connect, home / DATABASE_NAME).result()
        except BaseException:
            thread.shutdown()
            os.close(lock)
            raise
        database = cls(home, lock, thread, connection)
        try:
            database.run_now(bring_to_head)
        except BaseException:
            database.close_now()
            raise
        return database

    async def run(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call `function(connection, ...)` in one transaction on the writer thread.

        Calls run in the order in which they were made. The transaction is committed, durably, before this returns, and
        rolled back when the function raises. Cancelling the caller does not undo a call that has begun.

        Raises:
            StoreFailed: the database could not be read or written; nothing was changed.
        """
        return await asyncio.wrap_future(self._submit(function, *args, **kwargs))

    def run_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `run` does, blocking: for commands, and for start-up before the loop serves anyone."""
        return self._submit(function, *args, **kwargs).result()

    async def close(self) -> None:
        """Do what `close_now` does, without blocking the loop."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Finish the calls that wait, close the file and release the folder. A second call does nothing."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            self._thread.submit(self._connection.close).result()
        finally:
            self._thread.shutdown()
            os.close(lock)

    def _submit(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[T]":
        return self._thread.submit(self._transact, lambda: function(self._connection, *args, **kwargs))

    def _transact(self, call: Callable[[], T]) -> T:
        try:
            with self._connection.begin():
                return call()
        except DBAPIError as fault:
            if _is_outage(fault):
                raise _failed(self.home / DATABASE_NAME, fault) from fault
            raise


def _connect(path: Path) -> Connection:
    try:
        return _make_engine(path).connect()
    except DBAPIError as fault:
        raise _failed(path, fault) from fault


def _make_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        # We begin and end transactions ourselves: the driver would not put a migration's DDL into one.
        connect_args={"isolation_level": None, "check_same_thread": True},
        hide_parameters=True,  # keys and prompts never stand in an error's text
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(driver_connection: object, _record: object) -> None:
        for pragma in PRAGMAS:
            driver_connection.execute(pragma)  # type: ignore[attr-defined]  # a sqlite3.Connection

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE"
        )  # wait for the write lock here, never in mid-transaction

    return engine


def _is_outage(fault: DBAPIError) -> bool:
    # A plain DatabaseError is SQLite's word for a damaged file; its other subclasses blame a row or a statement.
    return isinstance(fault, OperationalError) or type(fault) is DatabaseError


def _failed(path: Path, fault: DBAPIError) -> StoreFailed:
    return StoreFailed(
        f"The database {path} cannot be read or written: {fault.orig}. "
        "Check the free space of its disk and that the file is whole and yours."
    )
