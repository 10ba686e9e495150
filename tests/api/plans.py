"""How SQLite carries out a statement."""

from collections.abc import Callable

from sqlalchemy import event

from runapi.store.database import Database


def plan_of(database: Database, mark: str, query: Callable[[], object]) -> str:
    """The plan of the one statement with `mark` in it that `query` sends."""
    sent: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        sent.append((statement, parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        query()
    finally:
        event.remove(database._engine, "before_cursor_execute", note)
    [(statement, parameters)] = [one for one in sent if mark in one[0]]
    explain = f"EXPLAIN QUERY PLAN {statement}"
    return database.run_now(lambda connection: str(connection.exec_driver_sql(explain, parameters).all()))  # type: ignore[arg-type]
