"""The tables of records: what is known of each, what happened to it, and when school years lock.

- `record`: one row a record of a school: identifiers and state. `pupil` tells two pupils' records of one UUID apart (`records.reading`).
- `record_event`: append-only; who did it stands in the journal's entries that it names, beside what is asked for most often.
- `calendar`: a school year's dates; an empty school_id is the Department's.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

record = Table(
    "record",
    metadata,
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
    Column("approval_ends_us", BigInteger),  # microseconds since 1970, UTC
    sqlite_with_rowid=False,
)

record_class_index = Index("record_class", record.c.school_id, record.c.school_year, record.c.class_id, record.c.record_uuid)

record_event = Table(
    "record_event",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("record_uuid", text(36), primary_key=True),
    Column("journal_entry", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),  # of what one entry brought
    Column("kind", text(24), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("slot", text(16), nullable=False),  # of SIGNED; empty for others
    Column("subject_id", text(), nullable=False),
    Column("person_id", text(), nullable=False),
    Column("role", text(24), nullable=False),
    Column("acting_for", text(), nullable=False),
    Column("authorization_id", text(64), nullable=False),
    Column("approval_id", text(64), nullable=False),
    Column("intent_entry", BigInteger),  # of SIGNED
    sqlite_with_rowid=False,
)

calendar = Table(
    "calendar",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("school_year", Integer, primary_key=True, autoincrement=False),
    Column("release_by_us", BigInteger, nullable=False),
    Column("lock_us", BigInteger, nullable=False),
    Column("supplementary_lock_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
