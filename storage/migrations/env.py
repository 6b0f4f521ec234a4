"""Alembic's entry: runs the migrations on the connection that `storage.migrate` hands over, in one transaction."""

from alembic import context

from storage.migrate import include_name
from storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=include_name,
    compare_server_default=False,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
