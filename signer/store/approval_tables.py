"""The tables of approvals (four eyes) and of their policies.

- `approval`: one row an approval. `parameters` and `steps` are JSON; `shown` is what deciders see beside them, emptied with the decision.
- `approval_policy`: those that somebody has set; an empty school_id is for every school without one of its own.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

_Number = BigInteger().with_variant(Integer, "sqlite")

approval = Table(
    "approval",
    metadata,
    Column("number", _Number, primary_key=True),  # the newest has the highest
    Column("approval_id", text(64), nullable=False, unique=True),
    Column("school_id", text(), nullable=False),
    Column("request_id", text(), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # of what was asked for
    Column("kind", text(24), nullable=False),
    Column("subject", text(), nullable=False),
    Column("requester_person_id", text(), nullable=False),
    Column("reason", text(), nullable=False),
    Column("parameters", LargeBinary, nullable=False),
    Column("shown", text(), nullable=False),
    Column("steps", LargeBinary, nullable=False),
    Column("state", text(16), nullable=False),
    Column("created_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("expires_us", BigInteger, nullable=False),
)

approval_request_index = Index("approval_request", approval.c.school_id, approval.c.request_id, unique=True)
approval_school_index = Index("approval_school", approval.c.school_id, approval.c.number)
approval_state_index = Index("approval_state", approval.c.state, approval.c.number)
approval_subject_index = Index("approval_subject", approval.c.subject)

approval_policy = Table(
    "approval_policy",
    metadata,
    Column("kind", text(24), primary_key=True),
    Column("school_id", text(), primary_key=True),
    Column("steps", LargeBinary, nullable=False),
    Column("lifetime_s", Integer, nullable=False),
    Column("count_above", Integer, nullable=False),
    sqlite_with_rowid=False,
)
