"""Where a database is, as the configuration says it. Nothing is opened here, and no driver loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from signer.errors import ConfigError

HINT: Final = "write sqlite:///path/to/file or postgresql://user@host/database"
PASSWORD_FILE: Final = "password_file"
"""Our own parameter of a URL: libpq's passfile must be closed to groups, which a mounted secret is not."""
_KINDS: Final = ("sqlite", "postgresql")
_SECRETS: Final = frozenset({"password", "sslpassword", "oauth_client_secret"})


def parse_url(url: str) -> URL:
    """ConfigError when it is malformed, of a kind that is not served, or holds a password; the error does not show it."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:  # which would show the URL, and with it what should not stand there
        raise ConfigError(f"the database URL is malformed: {HINT}") from error
    if parsed.get_backend_name() not in _KINDS:
        raise ConfigError(f"database URL of kind {parsed.drivername!r} is not served: {HINT}")
    if parsed.password is not None or _SECRETS & set(parsed.query):
        raise ConfigError(
            "the database URL holds a password: take it out, and name a file that holds it with password_file, or use libpq's passfile"
        )
    return parsed


def with_password_file(url: str, file: Path) -> str:
    """The same, with the file that holds its password; as it is where it is no server's, or can't be used."""
    try:
        parsed = parse_url(url)
    except ConfigError:
        return url
    return str(parsed.update_query_dict({PASSWORD_FILE: str(file)})) if parsed.get_backend_name() == "postgresql" else url
