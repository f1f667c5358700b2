"""The tables. Names are the journal's; types are those that SQLite and PostgreSQL share.

- `journal_entry`: append-only. `entry_index` is dense from 0; `body` is the canonical entry; `leaf_hash` and `chain_hash` are SHA-256.
- `signature`: what each `SignatureKey` has come to: one row a key, so one released signature a key.
- `material`: what is needed to return or complete a signature, by the index of the outcome that brought it; deleted after retention.
- `shared_run`: bytes that much material has in common, such as a visible signature's font and image, by SHA-256.
- `counter`: numbers that are handed out once, for good.
- `credential`: the keys that the appliance generated, each with its certificate; wrapped ones with their encrypted private key. Rows stay
  for good, without the key once it is destroyed.
- `image`: signature images and seals that operators keep for visible signatures, as PNG.
- `evidence_…`: evidence records in parts (RFC 4998): a record, the ids of its documents, and for each ArchiveTimeStampChain the leaves of
  its hash tree, joined in the documents' order, with its TimeStampTokens. A document costs its id, some 10 bytes, and a digest a chain.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()


def text(length: int | None = None) -> String:
    """Of text that is sorted by its bytes (UTF-8), on both: pages go on where the last one ended, whatever language a cluster speaks."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


_Index64 = BigInteger().with_variant(Integer, "sqlite")
"""64-bit on both; on SQLite INTEGER, so that a primary key is the row id itself and rows lie in the order they were appended."""

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

journal_entry = Table(
    "journal_entry",
    metadata,
    Column("entry_index", _Index64, primary_key=True, autoincrement=False),
    Column("kind", text(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
)

signature = Table(
    "signature",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("request_id", text(), primary_key=True),
    Column("document_id", text(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("state", text(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("open_intent", BigInteger),  # entry_index of the intent that has no outcome yet
    Column("outcome", BigInteger),  # entry_index of the last outcome
    Column("material_sha256", LargeBinary),
    Column("daemon", BigInteger),  # whose the open intent is (`sharing`)
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

shared_run = Table(
    "shared_run",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("needed_at_us", BigInteger, nullable=False),  # microseconds since 1970, UTC; to the hour
    Column("content", LargeBinary, nullable=False),
)

counter = Table(
    "counter",
    metadata,
    Column("name", text(64), primary_key=True),
    Column("next_value", BigInteger, nullable=False),
)

credential = Table(
    "credential",
    metadata,
    Column("credential_id", text(), primary_key=True),
    Column("school_id", text(), nullable=False),
    Column("person_id", text(), nullable=False),
    Column("token_name", text(), nullable=False),
    Column("storage", text(16), nullable=False),
    Column("key_kind", text(16), nullable=False),
    Column("key_id", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("public_key_sha256", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Column("state", text(24), nullable=False),
    Column("display_name", text(), nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("not_after_us", BigInteger),  # microseconds since 1970, UTC
    Column("renews", text(), nullable=False),
    Column("renewed_by", text(), nullable=False),
    Column("usable_until_us", BigInteger),
    sqlite_with_rowid=False,
)

credential_school_index = Index("credential_school", credential.c.school_id, credential.c.credential_id)
credential_key_index = Index("credential_public_key", credential.c.public_key_sha256)
credential_end_index = Index("credential_not_after", credential.c.not_after_us)

evidence_record = Table(
    "evidence_record",
    metadata,
    Column("number", _Index64, primary_key=True),  # the newest has the highest
    Column("record_id", text(64), nullable=False, unique=True),
    Column("school_id", text(), nullable=False),
    Column("request_id", text(), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # of the documents' ids and digests
    Column("documents", Integer, nullable=False),
    Column("digest_algorithm", text(16), nullable=False),  # of the last chain
    Column("first_time_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("latest_time_us", BigInteger, nullable=False),
    Column("renew_before_us", BigInteger, nullable=False),
    Column("chains", Integer, nullable=False),
    Column("timestamps", Integer, nullable=False),  # in all chains
)

evidence_school_index = Index("evidence_record_school", evidence_record.c.school_id, evidence_record.c.number)
evidence_request_index = Index(
    "evidence_record_request", evidence_record.c.school_id, evidence_record.c.request_id, evidence_record.c.fingerprint, unique=True
)
evidence_due_index = Index("evidence_record_due", evidence_record.c.renew_before_us)

evidence_document = Table(
    "evidence_document",
    metadata,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("document_id", text(), primary_key=True),
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)

evidence_chain = Table(
    "evidence_chain",
    metadata,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("digest_algorithm", text(16), nullable=False),
    Column("leaves", LargeBinary, nullable=False),
)

evidence_timestamp = Table(
    "evidence_timestamp",
    metadata,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("timestamp", Integer, primary_key=True, autoincrement=False),
    Column("chain", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

evidence_renewal = Table(
    "evidence_renewal",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("request_id", text(), primary_key=True),
    Column("record", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

image = Table(
    "image",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("image_id", text(), primary_key=True),
    Column("credential_id", text(), nullable=False),
    Column("style", text(16), nullable=False),
    Column("width_pt", Float, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("png", LargeBinary, nullable=False),
)
