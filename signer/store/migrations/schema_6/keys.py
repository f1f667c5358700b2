"""Schema 6: keys, and what their holders allow. Frozen: `store` says what the columns mean."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table
from sqlalchemy import text as where

from signer.store.migrations.schema_6.old import old, text

_credential = Table(
    "credential",
    old,
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
    Column("not_after_us", BigInteger),
    Column("renews", text(), nullable=False),
    Column("renewed_by", text(), nullable=False),
    Column("usable_until_us", BigInteger),
    sqlite_with_rowid=False,
)
Index("credential_not_after", _credential.c.not_after_us)
Index("credential_public_key", _credential.c.public_key_sha256)
Index("credential_school", _credential.c.school_id, _credential.c.credential_id)
Table(
    "credential_activation",
    old,
    Column("credential_id", text(), primary_key=True),
    Column("mode", text(8), nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "person_factor",
    old,
    Column("person_id", text(), primary_key=True),
    Column("pin", LargeBinary, nullable=False),
    Column("totp_seed", LargeBinary, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_factor_tries = Table(
    "factor_tries",
    old,
    Column("person_id", text(), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("factor_tries_last", _factor_tries.c.last_us)
_passkey = Table(
    "passkey",
    old,
    Column("passkey_id", LargeBinary, primary_key=True),
    Column("person_id", text(), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("label", text(), nullable=False),
    sqlite_with_rowid=False,
)
Index("passkey_person", _passkey.c.person_id)
Table(
    "spent_challenge",
    old,
    Column("challenge_id", text(), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_signing_authorization = Table(
    "signing_authorization",
    old,
    Column("authorization_id", text(), primary_key=True),
    Column("school_id", text(), nullable=False),
    Column("credential_id", text(), nullable=False),
    Column("person_id", text(), nullable=False),
    Column("client_id", text(), nullable=False),
    Column("state", text(12), nullable=False),
    Column("request_id", text(), nullable=False),
    Column("target", LargeBinary, nullable=False),
    Column("target_sha256", LargeBinary, nullable=False),
    Column("shown_sha256", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("decided_us", BigInteger),
    Column("expires_us", BigInteger, nullable=False),
    Column("lifetime_us", BigInteger, nullable=False),
    Column("spent_by", text(), nullable=False),
    Column("factors", text(), nullable=False),
    sqlite_with_rowid=False,
)
Index("signing_authorization_person", _signing_authorization.c.person_id, _signing_authorization.c.created_us)
Index(
    "signing_authorization_request",
    _signing_authorization.c.school_id,
    _signing_authorization.c.request_id,
    unique=True,
    sqlite_where=where("request_id != ''"),
    postgresql_where=where("request_id != ''"),
)
Index("signing_authorization_school", _signing_authorization.c.school_id, _signing_authorization.c.created_us)
Table(
    "signing_authorization_list",
    old,
    Column("authorization_id", text(), primary_key=True),
    Column("entry_bytes", Integer, nullable=False),
    Column("entries", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "signing_authorization_shown",
    old,
    Column("authorization_id", text(), primary_key=True),
    Column("items", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "signing_authorization_use",
    old,
    Column("authorization_id", text(), primary_key=True),
    Column("entry", LargeBinary, primary_key=True),
    Column("document_id", text(), nullable=False),
    sqlite_with_rowid=False,
)
