"""Bring a database to the schema of this version."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from runapi.store.faults import NewerDatabase

HEAD = "0008"
"""The newest file in `versions`. It stands here so that an ordinary start need not import Alembic."""

FOLDER = Path(__file__).parent

_ONE_AT_A_TIME = 0x52554E415049  # the number of PostgreSQL's lock: any that nobody else takes


def bring_to_head(connection: Connection) -> None:
    """Run the migrations that the database lacks, all in the caller's transaction.

    Raises:
        NewerDatabase: its version is not known here.
    """
    found = read_version(connection)
    if found != HEAD and connection.dialect.name == "postgresql":  # another process may be at it
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ONE_AT_A_TIME})
        found = read_version(connection)
    if found != HEAD:
        _upgrade(connection, found)


def read_version(connection: Connection) -> str | None:
    """Give the version of the database's schema, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, found: str | None) -> None:
    # Imported here: only a first start and an update need it, and it costs a tenth of a second.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise NewerDatabase(
            f"The database was written by a newer version of RunAPI (schema {found}; this one knows up to {HEAD}). "
            "Install that version, or restore a backup from before the update."
        )
    command.upgrade(config, "head")
