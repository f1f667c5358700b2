"""The tables of the journal's Merkle log (RFC 9162), beside `journal_entry`, whose `leaf_hash` are its leaves.

- `log_node`: roots of perfect subtrees, at every eighth height only: one row for 256 entries, one for 65,536 …; what stands between is
  computed from 256 of them at most.
- `checkpoint`: size and root of the log at a time, signed: the note as it was published, and the CMS over its text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

log_node = Table(
    "log_node",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("note", text(), nullable=False),
    Column("cms", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
