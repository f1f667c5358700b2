"""The tables of what holders allow, and of what proves that it is they. Times are microseconds since 1970, UTC.

- `person_factor`: PIN (argon2id) and TOTP seed, both sealed with a key that is not in the database. `totp_step`: the last one taken.
- `factor_tries`: wrong tries by person id, of ids that nobody has as well, so that their answers don't differ.
- `passkey`: WebAuthn authenticators: public keys, no secret.
- `spent_challenge`: challenges that were answered, until they would have expired.
- `credential_activation`: which people's keys need a SAD and which sign without; set when the key is made, for good.
- `signing_authorization`: one row each; `target` is sealed. `signing_authorization_list`: entries of lists that came whole.
  `signing_authorization_shown`: the lines shown on the page, sealed, gone at the decision.
- `signing_authorization_use`: which entry was signed as which document: one row each, so that no entry is signed twice.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from signer.store.tables import metadata, text

person_factor = Table(
    "person_factor",
    metadata,
    Column("person_id", text(), primary_key=True),
    Column("pin", LargeBinary, nullable=False),
    Column("totp_seed", LargeBinary, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

factor_tries = Table(
    "factor_tries",
    metadata,
    Column("person_id", text(), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

factor_tries_age_index = Index("factor_tries_last", factor_tries.c.last_us)

passkey = Table(
    "passkey",
    metadata,
    Column("passkey_id", LargeBinary, primary_key=True),
    Column("person_id", text(), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("label", text(), nullable=False),
    sqlite_with_rowid=False,
)

passkey_person_index = Index("passkey_person", passkey.c.person_id)

spent_challenge = Table(
    "spent_challenge",
    metadata,
    Column("challenge_id", text(), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

credential_activation = Table(
    "credential_activation",
    metadata,
    Column("credential_id", text(), primary_key=True),
    Column("mode", text(8), nullable=False),
    sqlite_with_rowid=False,
)

signing_authorization = Table(
    "signing_authorization",
    metadata,
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

authorization_school_index = Index("signing_authorization_school", signing_authorization.c.school_id, signing_authorization.c.created_us)
authorization_person_index = Index("signing_authorization_person", signing_authorization.c.person_id, signing_authorization.c.created_us)
authorization_request_index = Index(
    "signing_authorization_request",
    signing_authorization.c.school_id,
    signing_authorization.c.request_id,
    unique=True,
    sqlite_where=signing_authorization.c.request_id != "",
    postgresql_where=signing_authorization.c.request_id != "",
)

signing_authorization_list = Table(
    "signing_authorization_list",
    metadata,
    Column("authorization_id", text(), primary_key=True),
    Column("entry_bytes", Integer, nullable=False),
    Column("entries", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

signing_authorization_shown = Table(
    "signing_authorization_shown",
    metadata,
    Column("authorization_id", text(), primary_key=True),
    Column("items", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

signing_authorization_use = Table(
    "signing_authorization_use",
    metadata,
    Column("authorization_id", text(), primary_key=True),
    Column("entry", LargeBinary, primary_key=True),
    Column("document_id", text(), nullable=False),
    sqlite_with_rowid=False,
)
