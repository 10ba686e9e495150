"""What Alembic runs: the migrations, on the connection and in the one transaction that it was handed."""

from alembic import context

from runapi.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,  # plain ALTER statements, which PostgreSQL takes as well
)
with context.begin_transaction():
    context.run_migrations()
