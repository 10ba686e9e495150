"""The tables of answers that are kept; as in `schema`, a change needs a migration."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

from runapi.store.schema import metadata, mode_check

stored_response = Table(
    "stored_response",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("upstream", Text),
    Column("body", LargeBinary, nullable=False),
    Column("items", LargeBinary, nullable=False),
    mode_check(),
    CheckConstraint("size_bytes > 0", name="size"),
)
Index(
    "stored_response_sizes",  # an account's are added up without a look at the rows
    *(stored_response.c[name] for name in ("account_id", "mode", "at_us", "size_bytes")),
)

# In which answer an item stands, for requests that name it by its id alone.
stored_item = Table(
    "stored_item",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("mode", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("response_id", Text, nullable=False),
    mode_check(),
)
Index(None, stored_item.c.account_id, stored_item.c.mode, stored_item.c.response_id)
