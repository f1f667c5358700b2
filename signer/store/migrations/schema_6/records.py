"""Schema 6: records and evidence. Frozen: `store` says what the columns mean."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table

from signer.store.migrations.schema_6.old import number, old, text

_record = Table(
    "record",
    old,
    Column("school_id", text(), primary_key=True),
    Column("record_uuid", text(36), primary_key=True),
    Column("class_id", text(), nullable=False),
    Column("school_year", Integer, nullable=False),
    Column("layout_id", text(64), nullable=False),
    Column("pupil", LargeBinary, nullable=False),
    Column("supplementary", Boolean, nullable=False),
    Column("state", text(24), nullable=False),
    Column("replaces", text(36), nullable=False),
    Column("replaced_by", text(36), nullable=False),
    Column("approval_id", text(64), nullable=False),
    Column("approval_ends_us", BigInteger),
    sqlite_with_rowid=False,
)
Index("record_class", _record.c.school_id, _record.c.school_year, _record.c.class_id, _record.c.record_uuid)
Table(
    "record_event",
    old,
    Column("school_id", text(), primary_key=True),
    Column("record_uuid", text(36), primary_key=True),
    Column("journal_entry", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("kind", text(24), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("slot", text(16), nullable=False),
    Column("subject_id", text(), nullable=False),
    Column("person_id", text(), nullable=False),
    Column("role", text(24), nullable=False),
    Column("acting_for", text(), nullable=False),
    Column("authorization_id", text(64), nullable=False),
    Column("approval_id", text(64), nullable=False),
    Column("intent_entry", BigInteger),
    sqlite_with_rowid=False,
)
Table(
    "calendar",
    old,
    Column("school_id", text(), primary_key=True),
    Column("school_year", Integer, primary_key=True, autoincrement=False),
    Column("release_by_us", BigInteger, nullable=False),
    Column("lock_us", BigInteger, nullable=False),
    Column("supplementary_lock_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_evidence_record = Table(
    "evidence_record",
    old,
    Column("number", number(), primary_key=True),
    Column("record_id", text(64), nullable=False, unique=True),
    Column("school_id", text(), nullable=False),
    Column("request_id", text(), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("documents", Integer, nullable=False),
    Column("digest_algorithm", text(16), nullable=False),
    Column("first_time_us", BigInteger, nullable=False),
    Column("latest_time_us", BigInteger, nullable=False),
    Column("renew_before_us", BigInteger, nullable=False),
    Column("chains", Integer, nullable=False),
    Column("timestamps", Integer, nullable=False),
)
Index("evidence_record_due", _evidence_record.c.renew_before_us)
Index("evidence_record_request", _evidence_record.c.school_id, _evidence_record.c.request_id, _evidence_record.c.fingerprint, unique=True)
Index("evidence_record_school", _evidence_record.c.school_id, _evidence_record.c.number)
Table(
    "evidence_document",
    old,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("document_id", text(), primary_key=True),
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "evidence_chain",
    old,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("digest_algorithm", text(16), nullable=False),
    Column("leaves", LargeBinary, nullable=False),
)
Table(
    "evidence_timestamp",
    old,
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("timestamp", Integer, primary_key=True, autoincrement=False),
    Column("chain", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
Table(
    "evidence_renewal",
    old,
    Column("school_id", text(), primary_key=True),
    Column("request_id", text(), primary_key=True),
    Column("record", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
