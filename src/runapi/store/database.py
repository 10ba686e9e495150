"""The database: one connection on one writer thread, behind an OS lock on the data folder (ADR 0001)."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from runapi.store.engines import postgres_engine, sqlite_engine
from runapi.store.faults import DatabaseUnusable, StoreBroken, StoreFailed
from runapi.store.home import DATABASE_NAME, NODE_NAME, hold_home, make_private, prepare_home
from runapi.store.migrations import bring_to_head

P = ParamSpec("P")
T = TypeVar("T")

BROKEN_CODES = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""SQLite's primary result codes after which a process must not go on: the disk failed, or the file is damaged."""


class Database:
    """All access to the data. Functions handed to it run one after the other, each in a transaction of its own.

    Under SQLite there is exactly one connection in one process: versions before 3.51.3 can corrupt the WAL when
    two connections write or checkpoint at once. Under PostgreSQL each process has one connection, which is made anew
    when it was lost; the data folder holds the secret key and belongs to one process all the same.
    """

    def __init__(
        self, home: Path, lock: int, thread: ThreadPoolExecutor, engine: Engine, connection: Connection
    ) -> None:
        """Join the parts; `Database.open` makes them."""
        self.home = home
        self._lock: int | None = lock
        self._thread = thread
        self._engine = engine
        self._connection = connection
        self._is_lost = False
        driver = engine.dialect.loaded_dbapi
        self._driver_error: type[Exception] = driver.Error
        self._driver_outages: tuple[type[Exception], ...] = (driver.OperationalError, driver.InterfaceError)

    @classmethod
    def open(cls, home: Path, database_url: str | None = None) -> "Database":
        """Open the data folder, creating it when missing, and bring its database to this version.

        Args:
            home: the data folder.
            database_url: PostgreSQL's; without one the data is in a SQLite file in the folder.

        Raises:
            HomeInUse: another process holds the folder.
            HomeUnusable: the folder or a file in it cannot be made private.
            DatabaseUnusable: the URL is not PostgreSQL's.
            NewerDatabase: a newer version of RunAPI wrote it.
            StoreFailed: the database is damaged, away, or cannot be written.
        """
        home = home.absolute()
        prepare_home(home)
        lock = hold_home(home)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runapi-store")
        try:
            engine = _make_engine(home, database_url)
            connection = thread.submit(_connect, engine).result()
        except BaseException:
            thread.shutdown()
            os.close(lock)
            raise
        database = cls(home, lock, thread, engine, connection)
        try:
            database.run_now(bring_to_head)
        except BaseException:
            database.close_now()
            raise
        return database

    @property
    def is_shared(self) -> bool:
        """Whether other processes may use the same database."""
        return self._engine.dialect.name != "sqlite"

    async def run(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call `function(connection, ...)` in one transaction on the writer thread.

        Calls run in the order in which they were made. The transaction is committed, durably, before this returns, and
        rolled back when the function raises. Cancelling the caller does not undo a call that has begun.

        Raises:
            StoreFailed: the database could not be read or written; nothing was changed (unless a PostgreSQL server was
                lost in the moment of the commit, when nobody can know).
        """
        return await asyncio.wrap_future(self.start(function, *args, **kwargs))

    def run_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `run` does, blocking: for commands, and for start-up before the loop serves anyone."""
        return self.start(function, *args, **kwargs).result()

    def start(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[T]":
        """Do what `run` does, without waiting: the future is resolved on the writer thread."""
        return self._thread.submit(self._transact, lambda: function(self._connection, *args, **kwargs))

    async def close(self) -> None:
        """Do what `close_now` does, without blocking the loop."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Finish the calls that wait, close the database and release the folder. A second call does nothing."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            self._thread.submit(self._disconnect).result()
        finally:
            self._thread.shutdown()
            os.close(lock)

    def _transact(self, call: Callable[[], T]) -> T:
        if self._is_lost:
            self._reconnect()
        try:
            with self._connection.begin():
                return call()
        except DBAPIError as fault:
            if fault.connection_invalidated or _is_outage(fault):
                raise self._failed(fault, fault.orig) from fault
            raise
        except self._driver_error as fault:  # of a statement that went past SQLAlchemy
            if isinstance(fault, self._driver_outages) or type(fault) is sqlite3.DatabaseError:
                raise self._failed(fault, fault) from fault
            raise

    def _reconnect(self) -> None:
        self._disconnect()
        self._connection = _connect(self._engine)
        self._is_lost = False

    def _disconnect(self) -> None:
        with suppress(DBAPIError, self._driver_error):  # what is lost need not be closed well
            self._connection.close()

    def _failed(self, fault: Exception, cause: BaseException | None) -> StoreFailed:
        self._is_lost = self.is_shared
        return _failed(self._engine, cause or fault)


def _make_engine(home: Path, database_url: str | None) -> Engine:
    if database_url is not None:
        return postgres_engine(database_url)
    if (home / NODE_NAME).exists():
        raise DatabaseUnusable(
            f"{home} belongs to a server with a PostgreSQL database: set RUNAPI_DATABASE_URL as it is set there."
        )
    make_private(home / DATABASE_NAME)
    return sqlite_engine(home / DATABASE_NAME)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DBAPIError as fault:
        raise _failed(engine, fault.orig or fault) from fault
    except engine.dialect.loaded_dbapi.Error as fault:  # of the statements that set the connection up
        raise _failed(engine, fault) from fault


def _is_outage(fault: DBAPIError) -> bool:
    # A plain DatabaseError is SQLite's word for a damaged file; its other subclasses blame a row or a statement.
    return isinstance(fault, OperationalError) or type(fault) is DatabaseError


def _failed(engine: Engine, cause: BaseException) -> StoreFailed:
    if engine.dialect.name != "sqlite":
        where = engine.url.render_as_string(hide_password=True)
        said = str(cause).strip().partition("\n")[0]
        return StoreFailed(
            f"The database {where} cannot be reached or refused to work: {said}. Check that PostgreSQL runs, has free "
            "disk space and lets this user in."
        )
    broken = getattr(cause, "sqlite_errorcode", 0) & 0xFF in BROKEN_CODES
    return (StoreBroken if broken else StoreFailed)(
        f"The database {engine.url.database} cannot be read or written: {cause}. "
        "Check the free space of its disk and that the file is whole and yours."
    )
