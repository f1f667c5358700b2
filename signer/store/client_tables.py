"""The tables of clients, schools and quotas.

- `client`, `client_school`, `client_certificate`: callers that operators keep beside those of the configuration. A certificate is one
  client's.
- `client_call`: when a client last called, to the minute; lost with a crash, and never read but to be shown.
- `school`: schools that operators keep: their MA_TRUONG, weight, tier, and whether they are disabled.
- `quota`: what a client or school may use; `usage`: how many signatures it made on a day of Vietnam (days since 1970), added to in batches.
- `quota_grant`: signatures that daemons on one PostgreSQL took to be made, by second since 1970, of the last minute. `open_rpc`: how many
  RPCs each of them has open.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

client = Table(
    "client",
    metadata,
    Column("client_id", text(), primary_key=True),
    Column("kind", text(24), nullable=False),
    Column("display_name", text(), nullable=False),
    Column("may_sign_digests", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)

client_school = Table(
    "client_school",
    metadata,
    Column("client_id", text(), primary_key=True),
    Column("school_id", text(), primary_key=True),
    sqlite_with_rowid=False,
)

client_certificate = Table(
    "client_certificate",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("client_id", text(), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("accepted_from_us", BigInteger),  # microseconds since 1970, UTC
    Column("accepted_until_us", BigInteger),
    Column("revoked", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

client_call = Table(
    "client_call",
    metadata,
    Column("client_id", text(), primary_key=True),
    Column("last_call_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    sqlite_with_rowid=False,
)

school = Table(
    "school",
    metadata,
    Column("school_id", text(), primary_key=True),
    Column("code", text(), nullable=False),
    Column("display_name", text(), nullable=False),
    Column("weight", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("tier", text(24), nullable=False, server_default="unknown"),
    sqlite_with_rowid=False,
)

quota = Table(
    "quota",
    metadata,
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("signatures_per_second_max", Float, nullable=False),
    Column("signatures_per_day_max", BigInteger, nullable=False),
    Column("concurrent_rpcs_max", Integer, nullable=False),
    sqlite_with_rowid=False,
)

usage = Table(
    "usage",
    metadata,
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("signatures", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

quota_grant = Table(
    "quota_grant",
    metadata,
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("second", BigInteger, primary_key=True, autoincrement=False),
    Column("signatures", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

open_rpc = Table(
    "open_rpc",
    metadata,
    Column("daemon", text(), primary_key=True),
    Column("subject", text(8), primary_key=True),
    Column("subject_id", text(), primary_key=True),
    Column("rpcs", Integer, nullable=False),
    Column("told_us", BigInteger, nullable=False),  # microseconds since 1970, UTC
    sqlite_with_rowid=False,
)
