"""Schema 6: clients, people and approvals. Frozen: `store` says what the columns mean."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table

from signer.store.migrations.schema_6.old import number, old, text

Table(
    "client",
    old,
    Column("client_id", text(), primary_key=True),
    Column("kind", text(24), nullable=False),
    Column("display_name", text(), nullable=False),
    Column("may_sign_digests", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "client_school",
    old,
    Column("client_id", text(), primary_key=True),
    Column("school_id", text(), primary_key=True),
    sqlite_with_rowid=False,
)
Table(
    "client_certificate",
    old,
    Column("sha256", LargeBinary, primary_key=True),
    Column("client_id", text(), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("accepted_from_us", BigInteger),
    Column("accepted_until_us", BigInteger),
    Column("revoked", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "client_call",
    old,
    Column("client_id", text(), primary_key=True),
    Column("last_call_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "school",
    old,
    Column("school_id", text(), primary_key=True),
    Column("code", text(), nullable=False),
    Column("display_name", text(), nullable=False),
    Column("weight", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "quota",
    old,
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("signatures_per_second_max", Float, nullable=False),
    Column("signatures_per_day_max", BigInteger, nullable=False),
    Column("concurrent_rpcs_max", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "usage",
    old,
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("signatures", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "person",
    old,
    Column("person_id", text(), primary_key=True),
    Column("display_name", text(), nullable=False),
    Column("email", text(), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)
_assignment = Table(
    "assignment",
    old,
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
Index("assignment_person", _assignment.c.person_id)
Index("assignment_school", _assignment.c.school_id, _assignment.c.role)
_delegation = Table(
    "delegation",
    old,
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
Index("delegation_from", _delegation.c.from_person_id)
Index("delegation_to", _delegation.c.to_person_id)
Table(
    "enrolment_code",
    old,
    Column("person_id", text(), primary_key=True),
    Column("code_sha256", LargeBinary, nullable=False, unique=True),
    Column("expires_us", BigInteger, nullable=False),
)
_approval = Table(
    "approval",
    old,
    Column("number", number(), primary_key=True),
    Column("approval_id", text(64), nullable=False, unique=True),
    Column("school_id", text(), nullable=False),
    Column("request_id", text(), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("kind", text(24), nullable=False),
    Column("subject", text(), nullable=False),
    Column("requester_person_id", text(), nullable=False),
    Column("reason", text(), nullable=False),
    Column("parameters", LargeBinary, nullable=False),
    Column("shown", text(), nullable=False),
    Column("steps", LargeBinary, nullable=False),
    Column("state", text(16), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)
Index("approval_request", _approval.c.school_id, _approval.c.request_id, unique=True)
Index("approval_school", _approval.c.school_id, _approval.c.number)
Index("approval_state", _approval.c.state, _approval.c.number)
Index("approval_subject", _approval.c.subject)
Table(
    "approval_policy",
    old,
    Column("kind", text(24), primary_key=True),
    Column("school_id", text(), primary_key=True),
    Column("steps", LargeBinary, nullable=False),
    Column("lifetime_s", Integer, nullable=False),
    Column("count_above", Integer, nullable=False),
    sqlite_with_rowid=False,
)
