"""Several daemons on one database: whose an open intent is."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column


def upgrade(operations: Operations) -> None:
    """Adds it, empty: what an earlier release left open is nobody's."""
    operations.add_column("signature", Column("daemon", BigInteger))
