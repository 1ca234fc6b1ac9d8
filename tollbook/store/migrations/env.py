"""Run by Alembic. The connection comes from `tollbook.store.schema`, in a transaction that holds the upgrade's lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():  # nothing, because there is one: all migrations or none
    context.run_migrations()
