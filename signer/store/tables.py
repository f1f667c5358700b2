"""The tables. Names are the journal's; types are those that SQLite and PostgreSQL share.

- `journal_entry`: append-only. `entry_index` is dense from 0; `body` is the canonical entry; `leaf_hash` and `chain_hash` are SHA-256.
- `signature`: what each `SignatureKey` has come to: one row a key, so one released signature a key.
- `material`: what is needed to return or complete a signature, by the index of the outcome that brought it; deleted after retention.
- `counter`: numbers that are handed out once, for good.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

_Index64 = BigInteger().with_variant(Integer, "sqlite")
"""64-bit on both; on SQLite INTEGER, so that a primary key is the row id itself and rows lie in the order they were appended."""

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

journal_entry = Table(
    "journal_entry",
    metadata,
    Column("entry_index", _Index64, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
)

signature = Table(
    "signature",
    metadata,
    Column("school_id", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("document_id", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("open_intent", BigInteger),  # entry_index of the intent that has no outcome yet
    Column("outcome", BigInteger),  # entry_index of the last outcome
    Column("material_sha256", LargeBinary),
    sqlite_with_rowid=False,
)

open_signature_index = Index(
    "signature_open",
    signature.c.open_intent,
    sqlite_where=signature.c.open_intent.is_not(None),
    postgresql_where=signature.c.open_intent.is_not(None),
)

parked_signature_index = Index(
    "signature_parked",
    signature.c.outcome,
    sqlite_where=signature.c.state == "parked",
    postgresql_where=signature.c.state == "parked",
)

material = Table(
    "material",
    metadata,
    Column("outcome", _Index64, primary_key=True, autoincrement=False),
    Column("stored_at_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("encoding", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

material_age_index = Index("material_stored_at", material.c.stored_at_us)

counter = Table(
    "counter",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("next_value", BigInteger, nullable=False),
)
