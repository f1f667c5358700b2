"""The tables of archived segments: what stays of entries whose bodies were moved into a file.

- `log_segment`: one row a file: which entries it has, their root and the chain hash after the last, the file's SHA-256 and size. It is
  written when the file is, before anything is taken out.
- `log_portion`: one row for 256 entries that were taken out of `journal_entry`: their leaf hashes, one after the other, so that every
  proof goes on; how many there are of each kind; and the members that answers about signatures need for good (zlib over JSON).
  A portion is of a segment that is in `log_segment`, and entries leave `journal_entry` only in the commit that brings their portion
  (`append_only`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

PORTION_ENTRIES = 256

log_segment = Table(
    "log_segment",
    metadata,
    Column("first_index", BigInteger, primary_key=True, autoincrement=False),
    Column("entries", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("start_us", BigInteger, nullable=False),  # microseconds since 1970, UTC: when its first and last entry were written
    Column("end_us", BigInteger, nullable=False),
    Column("archived_us", BigInteger, nullable=False),
    Column("file_sha256", LargeBinary, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

log_portion = Table(
    "log_portion",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("leaves", LargeBinary, nullable=False),
    Column("kinds", text(), nullable=False),  # JSON: how many entries of each kind
    Column("members", LargeBinary, nullable=False),
)
