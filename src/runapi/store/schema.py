"""The tables. A change here needs a new file in `migrations/versions`; a test compares the two.

Times are Unix or elapsed microseconds (`_us`), amounts nano- or pico-dollars; every type exists in PostgreSQL too.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s",
    }
)


def mode_check() -> CheckConstraint:
    # Of the closed sets only this one can never grow; SQLite cannot change a CHECK without rebuilding the table.
    return CheckConstraint("mode IN ('live', 'test')", name="mode")


account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_us", BigInteger, nullable=False),
    CheckConstraint("name <> ''", name="name"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False, index=True),
    Column("mode", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("on_disconnect", Text, nullable=False),
    Column("on_refused_parameter", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    mode_check(),
    CheckConstraint("length(digest) = 32", name="digest"),
)

upstream = Table(
    "upstream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("base_url", Text, nullable=False),
    Column("query", Text, nullable=False, server_default=text("''")),
    Column("dialects", Text, nullable=False, server_default="openai_chat"),  # joined by commas
    Column("auth", Text, nullable=False, server_default="bearer"),
    Column("key_ciphertext", LargeBinary, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cost_ratio_ppm", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    CheckConstraint("name <> ''", name="name"),
    CheckConstraint("cost_ratio_ppm >= 0", name="cost_ratio"),
    sqlite_autoincrement=True,  # the id of a removed upstream is not given to the next one
)

upstream_model = Table(
    "upstream_model",
    metadata,
    Column("upstream_id", Integer, ForeignKey("upstream.id", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("upstream_model", Text, nullable=False),
)

# No foreign keys: accounts and keys are never deleted, and a row written in a batch must not be refused for another.
request = Table(
    "request",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("account_id", Integer, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error_code", Text),
    Column("client_left", Boolean, nullable=False),
    Column("upstream", Text),
    Column("upstream_model", Text),
    Column("upstream_request_id", Text),
    Column("attempts", Integer, nullable=False),
    Column("first_byte_us", BigInteger),
    Column("total_us", BigInteger, nullable=False),
    Column("output_cap", BigInteger),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("usage_source", Text, nullable=False),
    Column("service_tier", Text),
    Column("cost_pico", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    Column("upstream_cost_nano", BigInteger, nullable=False),
    Column("dropped", Text, nullable=False),  # parameter names, joined by commas
    Column("upstream_error", Text),
    mode_check(),
    CheckConstraint(
        "input_tokens >= 0 AND cached_tokens >= 0 AND cache_write_tokens >= 0 AND output_tokens >= 0"
        " AND reasoning_tokens >= 0",
        name="tokens",
    ),
    CheckConstraint("cost_pico >= 0 AND cost_nano >= 0 AND upstream_cost_nano >= 0", name="cost"),
)
Index(None, request.c.account_id, request.c.at_us)
Index(None, request.c.at_us)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# The ledger. Its rules stand in runapi.core.ledger; the CHECKs here hold even against a bug there.

# The number is found by arithmetic (core.ledger.books), its lowest bit is the mode: 1 is test.
ledger_account = Table(
    "ledger_account",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account_id", Integer, ForeignKey("account.id")),  # a customer's; the house's have none
    Column("posted", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("guarded", Boolean, nullable=False),
    UniqueConstraint("account_id", "mode"),
    mode_check(),
    CheckConstraint("(id & 1) = CASE mode WHEN 'test' THEN 1 ELSE 0 END", name="number"),
    CheckConstraint("(account_id IS NULL) = (kind <> 'customer')", name="kind"),
    CheckConstraint("held >= 0", name="held"),
    CheckConstraint("NOT guarded OR posted - held >= 0", name="available"),
)

# Append-only: triggers refuse UPDATE and DELETE. Nothing is NULL, so that a row has exactly one form to be hashed.
transfer = Table(
    "transfer",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("tid", LargeBinary, nullable=False, unique=True),
    Column("mode", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit", Integer, ForeignKey("ledger_account.id"), nullable=False),
    Column("credit", Integer, ForeignKey("ledger_account.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("price_version", BigInteger, nullable=False),
    Column("cost_pico", BigInteger, nullable=False),
    Column("usage", Text, nullable=False),
    Column("usage_source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("node", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    mode_check(),
    CheckConstraint("length(tid) = 16", name="tid"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("cost_pico >= 0", name="cost"),
    CheckConstraint("debit <> credit", name="sides"),
    CheckConstraint(
        "(debit & 1) = CASE mode WHEN 'test' THEN 1 ELSE 0 END AND (debit & 1) = (credit & 1)",
        name="one_mode",
    ),
    CheckConstraint("length(hash) = 32", name="hash"),
)
IS_ENDING = "kind IN ('settle', 'void', 'expire')"
Index(
    "transfer_one_end",
    transfer.c.request_id,
    unique=True,
    sqlite_where=text(IS_ENDING),
    postgresql_where=text(IS_ENDING),
)

hold = Table(
    "hold",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("ledger_account", Integer, ForeignKey("ledger_account.id"), nullable=False),
    Column("account_id", Integer, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("price_version", BigInteger, nullable=False),
    Column("node", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("progress_pico", BigInteger, nullable=False),
    Column("usage", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("progress_pico >= 0", name="progress"),
    sqlite_with_rowid=False,
)

# One row: which transfer is the last. Locking it is what makes writers of several nodes take turns.
ledger_tail = Table(
    "ledger_tail",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint("length(hash) = 32", name="hash"),
)

# A process that writes to the ledger. Its epoch grows with each start; a batch of an older one is refused.
node = Table(
    "node",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)
