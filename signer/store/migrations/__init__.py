"""From each released schema to the next one: a file a step, with `upgrade(operations)` over alembic's operations.

Rules of the room:
- A step never changes once it was released, and uses no table of `store`: those are of today.
- All steps that a database lacks run in one transaction, beside nobody else who writes; a step that fails leaves the database as it was.
- Which schema a database has stands where every release looked for it, in `schema_version`, so that an older one refuses a newer.
- A new database is made from the tables of today; a test holds both ways against each other, on both databases.
- On SQLite a column can be added, and little else be changed: `operations.batch_alter_table` makes the table anew.
"""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from signer.store.migrations import schema_6, schema_7, schema_8, schema_9

_STEPS = ((6, schema_6.upgrade), (7, schema_7.upgrade), (8, schema_8.upgrade), (9, schema_9.upgrade))


def migrate(connection: Connection, found: int) -> None:
    """Takes a database of schema `found` to the last one, in the connection's transaction."""
    operations = Operations(MigrationContext.configure(connection))
    for version, upgrade in _STEPS:
        if found < version:
            upgrade(operations)
