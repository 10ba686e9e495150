"""The tables of published prices and of keys' limits; see `schema`."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, Table, Text

from runapi.store.schema import metadata

# Both price tables are append-only: triggers refuse UPDATE and DELETE (migration 0003).
price_list = Table(
    "price_list",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("published_us", BigInteger, nullable=False),
    CheckConstraint("version > 0", name="version"),
)

price_version = Table(
    "price_version",
    metadata,
    Column("version", Integer, ForeignKey("price_list.version"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("ours", Text, nullable=False),  # a PriceTable as JSON, pico-dollars per token
    Column("official", Text, nullable=False),
    CheckConstraint("model <> ''", name="model"),
)

key_limit = Table(
    "key_limit",
    metadata,
    Column("key_id", Integer, ForeignKey("api_key.id"), primary_key=True),
    Column("spend_day_nano", BigInteger),
    Column("spend_week_nano", BigInteger),
    Column("spend_month_nano", BigInteger),
    Column("spend_total_nano", BigInteger),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Column("concurrent", BigInteger),
    Column("models", Text),  # a JSON list
    Column("networks", Text),  # a JSON list
    Column("expires_us", BigInteger),
    CheckConstraint(
        "spend_day_nano >= 0 AND spend_week_nano >= 0 AND spend_month_nano >= 0 AND spend_total_nano >= 0",
        name="spend",
    ),
    CheckConstraint("requests_per_minute > 0 AND tokens_per_minute > 0 AND concurrent > 0", name="rate"),
)
