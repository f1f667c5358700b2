"""Schema 6: the journal and its log. Frozen: `store` says what the columns mean."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table
from sqlalchemy import text as where

from signer.store.migrations.schema_6.old import number, old, text

Table(
    "schema_version",
    old,
    Column("version", Integer, primary_key=True, autoincrement=False),
)
Table(
    "journal_entry",
    old,
    Column("entry_index", number(), primary_key=True, autoincrement=False),
    Column("kind", text(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
)
_signature = Table(
    "signature",
    old,
    Column("school_id", text(), primary_key=True),
    Column("request_id", text(), primary_key=True),
    Column("document_id", text(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("state", text(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("open_intent", BigInteger),
    Column("outcome", BigInteger),
    Column("material_sha256", LargeBinary),
    sqlite_with_rowid=False,
)
Index(
    "signature_open",
    _signature.c.open_intent,
    sqlite_where=where("open_intent IS NOT NULL"),
    postgresql_where=where("open_intent IS NOT NULL"),
)
Index("signature_parked", _signature.c.outcome, sqlite_where=where("state = 'parked'"), postgresql_where=where("state = 'parked'"))
_material = Table(
    "material",
    old,
    Column("outcome", number(), primary_key=True, autoincrement=False),
    Column("stored_at_us", BigInteger, nullable=False),
    Column("encoding", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
Index("material_stored_at", _material.c.stored_at_us)
Table(
    "shared_run",
    old,
    Column("sha256", LargeBinary, primary_key=True),
    Column("needed_at_us", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
Table(
    "counter",
    old,
    Column("name", text(64), primary_key=True),
    Column("next_value", BigInteger, nullable=False),
)
Table(
    "log_node",
    old,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "checkpoint",
    old,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
    Column("note", text(), nullable=False),
    Column("cms", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "image",
    old,
    Column("school_id", text(), primary_key=True),
    Column("image_id", text(), primary_key=True),
    Column("credential_id", text(), nullable=False),
    Column("style", text(16), nullable=False),
    Column("width_pt", Float, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("png", LargeBinary, nullable=False),
)
