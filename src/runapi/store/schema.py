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


def _mode_check() -> CheckConstraint:
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
    _mode_check(),
    CheckConstraint("length(digest) = 32", name="digest"),
)

upstream = Table(
    "upstream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("base_url", Text, nullable=False),
    Column("dialect", Text, nullable=False, server_default="openai-chat"),
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
    _mode_check(),
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
