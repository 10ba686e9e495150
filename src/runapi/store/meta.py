"""Single facts about this installation, by name."""

from sqlalchemy import Connection, insert, select, update

from runapi.store.schema import meta


def read_meta(connection: Connection, name: str) -> str | None:
    """Give the value stored under `name`, or None."""
    return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()


def write_meta(connection: Connection, name: str, value: str) -> None:
    """Store `value` under `name`, in place of what stood there."""
    if connection.execute(update(meta).where(meta.c.name == name).values(value=value)).rowcount == 0:
        connection.execute(insert(meta).values(name=name, value=value))
