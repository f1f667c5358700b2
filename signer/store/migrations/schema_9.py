"""What a school teaches."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import Column, String


def upgrade(operations: Operations) -> None:
    """Adds it: of schools that are there already nobody said."""
    text = String(24).with_variant(String(24, collation="C"), "postgresql")
    operations.add_column("school", Column("tier", text, nullable=False, server_default="unknown"))
