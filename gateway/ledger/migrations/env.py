"""Run by Alembic: migrates over the connection that `engine.migrate` opened."""

from alembic import context

from gateway.ledger.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite rolls back DDL too, once the driver leaves transactions to us.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
