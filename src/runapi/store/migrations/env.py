"""What Alembic runs: the migrations, on the connection and in the one transaction that it was handed."""

from alembic import context

import runapi.store.payment_schema
import runapi.store.price_schema
import runapi.store.stored_schema  # noqa: F401 - its tables belong to the metadata
from runapi.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,  # plain ALTER statements, which PostgreSQL takes as well
)
with context.begin_transaction():
    context.run_migrations()
