"""The tables of people. Times are microseconds since 1970, UTC; NULL for no bound.

- `person`: `version` counts the row's changes and is the resource's etag.
- `assignment`: who has which role. `school_year` 0, and an empty class or subject: every one.
- `delegation`: who acts for whom. `class_ids` and `subject_ids` are JSON arrays, sorted; empty for all.
- `enrolment_code`: at most one a person, as SHA-256 alone; the row goes when the code is used or replaced.

Roles and delegations stay for good: what ended says who might have signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

person = Table(
    "person",
    metadata,
    Column("person_id", text(), primary_key=True),
    Column("display_name", text(), nullable=False),
    Column("email", text(), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)

assignment = Table(
    "assignment",
    metadata,
    Column("assignment_id", text(), primary_key=True),
    Column("person_id", text(), nullable=False),
    Column("role", text(24), nullable=False),
    Column("school_id", text(), nullable=False),
    Column("school_year", Integer, nullable=False),
    Column("class_id", text(), nullable=False),
    Column("subject_id", text(), nullable=False),
    Column("start_us", BigInteger),
    Column("end_us", BigInteger),
    sqlite_with_rowid=False,
)

assignment_person_index = Index("assignment_person", assignment.c.person_id)
assignment_school_index = Index("assignment_school", assignment.c.school_id, assignment.c.role)

delegation = Table(
    "delegation",
    metadata,
    Column("delegation_id", text(), primary_key=True),
    Column("from_person_id", text(), nullable=False),
    Column("to_person_id", text(), nullable=False),
    Column("role", text(24), nullable=False),
    Column("school_id", text(), nullable=False),
    Column("class_ids", text(), nullable=False),
    Column("subject_ids", text(), nullable=False),
    Column("start_us", BigInteger),
    Column("end_us", BigInteger),
    Column("reason", text(), nullable=False),
    sqlite_with_rowid=False,
)

delegation_from_index = Index("delegation_from", delegation.c.from_person_id)
delegation_to_index = Index("delegation_to", delegation.c.to_person_id)

enrolment_code = Table(
    "enrolment_code",
    metadata,
    Column("person_id", text(), primary_key=True),
    Column("code_sha256", LargeBinary, nullable=False, unique=True),
    Column("expires_us", BigInteger, nullable=False),
)
