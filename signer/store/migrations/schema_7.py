"""Archived segments of the log: their tables; what guards them is put in place after every migration (`append_only`)."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, LargeBinary

from signer.store.migrations.schema_6.old import number, text


def upgrade(operations: Operations) -> None:
    """Adds them."""
    operations.create_table(
        "log_segment",
        Column("first_index", BigInteger, primary_key=True, autoincrement=False),
        Column("entries", Integer, nullable=False),
        Column("root", LargeBinary, nullable=False),
        Column("chain_hash", LargeBinary, nullable=False),
        Column("start_us", BigInteger, nullable=False),
        Column("end_us", BigInteger, nullable=False),
        Column("archived_us", BigInteger, nullable=False),
        Column("file_sha256", LargeBinary, nullable=False),
        Column("file_bytes", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    operations.create_table(
        "log_portion",
        Column("number", number(), primary_key=True, autoincrement=False),
        Column("leaves", LargeBinary, nullable=False),
        Column("kinds", text(), nullable=False),
        Column("members", LargeBinary, nullable=False),
    )
