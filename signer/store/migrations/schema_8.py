"""Several daemons on one database: whose an open intent is, which signatures they took to be made, how many RPCs each has open."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer

from signer.store.migrations.schema_6.old import text


def upgrade(operations: Operations) -> None:
    """Adds all, empty: what an earlier release left open is nobody's."""
    operations.add_column("signature", Column("daemon", BigInteger))
    operations.create_table(
        "quota_grant",
        Column("subject", text(8), primary_key=True),
        Column("subject_id", text(), primary_key=True),
        Column("second", BigInteger, primary_key=True, autoincrement=False),
        Column("signatures", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    operations.create_table(
        "open_rpc",
        Column("daemon", text(), primary_key=True),
        Column("subject", text(8), primary_key=True),
        Column("subject_id", text(), primary_key=True),
        Column("rpcs", Integer, nullable=False),
        Column("told_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
