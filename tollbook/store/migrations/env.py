"""Run by Alembic. The connection comes from `tollbook.store.schema`, which holds the advisory lock on it."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
