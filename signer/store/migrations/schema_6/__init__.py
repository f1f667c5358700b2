"""The first schema of migrations: whatever a database of schemas 1 to 6 lacks of it is a whole table."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import inspect

from signer.store.migrations.schema_6 import journal, keys, people, records  # noqa: F401  # put their tables on `old`
from signer.store.migrations.schema_6.old import old

_ACTIVATION = "credential_activation"


def upgrade(operations: Operations) -> None:
    """Makes the tables that are missing."""
    connection = operations.get_bind()
    had_activation = _ACTIVATION in inspect(connection).get_table_names()
    old.create_all(connection)
    if not had_activation:  # before there were SADs, a person's key could be made only where it was said that it needs none
        operations.execute("INSERT INTO credential_activation SELECT credential_id, 'none' FROM credential WHERE person_id <> ''")
