"""The tables of top-ups, redeem codes, idempotency keys and receipts; as in `schema`, a change needs a migration."""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from runapi.store.schema import metadata, mode_check

top_up = Table(
    "top_up",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("session_ref", Text),
    Column("payment_ref", Text),
    Column("refunded_nano", BigInteger, nullable=False),
    Column("disputed_nano", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    mode_check(),
    CheckConstraint("amount_nano > 0 AND refunded_nano >= 0 AND disputed_nano >= 0", name="amounts"),
    CheckConstraint("state <> 'paid' OR payment_ref IS NOT NULL", name="payment"),
    UniqueConstraint("provider", "session_ref"),
    UniqueConstraint("provider", "payment_ref"),  # one payment pays one order
)

# What a provider told us, and what became of it. An event that was told twice is told once.
payment_event = Table(
    "payment_event",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("order_id", Text),
    Column("session_ref", Text),
    Column("payment_ref", Text),
    Column("dispute_ref", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index(None, payment_event.c.provider, payment_event.c.payment_ref)

redeem_code = Table(
    "redeem_code",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("shown", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("sold", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ends_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("redeemed_us", BigInteger),
    Column("redeemed_by", Integer, ForeignKey("account.id")),
    mode_check(),
    CheckConstraint("length(digest) = 32", name="digest"),
    CheckConstraint("amount_nano > 0", name="amount"),
    CheckConstraint("(redeemed_us IS NULL) = (redeemed_by IS NULL)", name="redeemed"),
    CheckConstraint("redeemed_us IS NULL OR revoked_us IS NULL", name="one_end"),
)

# Who was first with a key. The answer, if one is kept, stands under its request's id.
idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, primary_key=True),
    Column("key_digest", LargeBinary, primary_key=True),
    Column("body_digest", LargeBinary, nullable=False),
    Column("request_id", Text, nullable=False, index=True),
    Column("node", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False, index=True),
    mode_check(),
)

kept_answer = Table(
    "kept_answer",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)

# What a receipt needs beyond the request's row and transfers, and its leaf once its day's root was made.
receipt_source = Table(
    "receipt_source",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("ended_us", BigInteger, nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("response_sha256", LargeBinary, nullable=False),
    Column("upstream_usage", Text),
    Column("price_version", BigInteger, nullable=False),
    Column("input_pico", BigInteger, nullable=False),
    Column("output_pico", BigInteger, nullable=False),
    Column("cached_pico", BigInteger, nullable=False),
    Column("cache_write_pico", BigInteger, nullable=False),
    Column("day", Text),
    Column("position", BigInteger),
    Column("leaf", LargeBinary),
    CheckConstraint("length(request_sha256) = 32 AND length(response_sha256) = 32", name="digests"),
    CheckConstraint("(day IS NULL) = (position IS NULL) AND (day IS NULL) = (leaf IS NULL)", name="leaf"),
)
UNSEALED, SEALED = text("day IS NULL"), text("day IS NOT NULL")
Index(
    "receipt_source_unsealed",
    receipt_source.c.ended_us,
    sqlite_where=UNSEALED,
    postgresql_where=UNSEALED,
)
Index(
    "receipt_source_sealed",
    receipt_source.c.day,
    receipt_source.c.position,
    unique=True,
    sqlite_where=SEALED,
    postgresql_where=SEALED,
)

receipt_root = Table(
    "receipt_root",
    metadata,
    Column("day", Text, primary_key=True),
    Column("leaves", BigInteger, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("signature", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    CheckConstraint("length(root) = 32 AND length(previous) = 32", name="digests"),
)


def insert_unless_there(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Write a row; False, and nothing written, where one with its key is there already."""
    key = next(
        iter(table.primary_key.columns)
    )  # that a row comes back says so; a count is not kept for INSERT
    if connection.dialect.name == "postgresql":
        written = connection.execute(
            postgresql.insert(table).values(row).on_conflict_do_nothing().returning(key)
        )
    else:
        written = connection.execute(sqlite.insert(table).values(row).on_conflict_do_nothing().returning(key))
    return written.first() is not None
