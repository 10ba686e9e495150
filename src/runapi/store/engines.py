"""How each of the two databases is connected to: SQLite in the data folder, or PostgreSQL by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from runapi.store.faults import DatabaseUnusable

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",  # an operator's sqlite3 shell may be reading
    "PRAGMA wal_autocheckpoint = 4000",  # pages, 16 MB: a hot page is copied into the file once for many commits
    "PRAGMA cache_size = -16000",  # KB: the inner pages of the indexes of a large ledger stay in memory
)
MOST_PREPARED = 512  # statements that SQLite's driver keeps prepared: batches come in a few dozen sizes each

POSTGRES_SESSION = (
    "SET synchronous_commit = on",  # whatever the server's default: what was answered survives
    "SET lock_timeout = '10s'",  # another node may hold the ledger's tail, but not for long
    # A plan that was made while a table was small is kept; for every statement of ours that grows there is an index.
    "SET enable_seqscan = off",
    "SET jit = off",  # with that, it would compile each query that must read a whole table: 100 ms
    "SET idle_in_transaction_session_timeout = '10s'",  # a process that was stopped in mid-batch lets go
)
POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds; without these a lost network would hang the writer for hours
}
_POSTGRES_NAMES = ("postgresql", "postgres", "postgresql+psycopg")


def sqlite_engine(path: Path) -> Engine:
    """Make the engine for a file. Transactions begin with the write lock and a failed DDL is undone with the rest."""
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        # We begin and end transactions ourselves: the driver would not put a migration's DDL into one.
        connect_args={
            "isolation_level": None,
            "check_same_thread": True,
            "cached_statements": MOST_PREPARED,
        },
        hide_parameters=True,  # keys and prompts never stand in an error's text
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(driver_connection: Any, _record: object) -> None:
        for pragma in PRAGMAS:
            driver_connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Wait for the write lock here, never in mid-transaction. Past SQLAlchemy, which would take 13 microseconds more.
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.execute("BEGIN IMMEDIATE")

    return engine


def postgres_engine(database_url: str) -> Engine:
    """Make the engine for a PostgreSQL server.

    Raises:
        DatabaseUnusable: the URL is not one of PostgreSQL's.
    """
    # Imported here: it costs a tenth of a second, and SQLite does not need it.
    from psycopg.types.numeric import Int8BinaryDumper  # noqa: PLC0415 - see above

    engine = create_engine(
        postgres_url(database_url),
        poolclass=NullPool,
        paramstyle="format",  # so that rows can be handed over as plain tuples
        connect_args=POSTGRES_PATIENCE,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def set_session(driver_connection: Any, _record: object) -> None:
        # One type for every whole number: else each mix of small and large ones would be prepared anew.
        driver_connection.adapters.register_dumper(int, Int8BinaryDumper)
        for setting in POSTGRES_SESSION:
            driver_connection.execute(setting)
        driver_connection.commit()

    return engine


def postgres_url(database_url: str) -> URL:
    """Read the URL of a PostgreSQL database, in the form that other programs take.

    Raises:
        DatabaseUnusable: it is something else. The text does not show the URL, which may hold a password.
    """
    try:
        url = make_url(database_url)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in _POSTGRES_NAMES or not url.database:
        raise DatabaseUnusable(
            "The database URL cannot be used: it must look like postgresql://user:password@host:5432/database."
        )
    return url.set(drivername="postgresql+psycopg")
