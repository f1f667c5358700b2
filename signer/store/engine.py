from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from signer.errors import ConfigError
from signer.store.postgresql import open_postgresql, take_time
from signer.store.sqlite import open_sqlite

BUSY_TIMEOUT_S = 5.0
_HINT = "write sqlite:///path/to/file or postgresql://user@host/database"


class _Opener(Protocol):
    def __call__(self, url: URL, /, *, must_exist: bool, busy_timeout_s: float) -> Engine: ...


_OPENERS: dict[str, _Opener] = {"sqlite": open_sqlite, "postgresql": open_postgresql}


def open_engine(url: str, *, must_exist: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the database `url` for commits that survive power loss. Every connection is its own: hold one for as long as it is used.

    must_exist: create no file. busy_timeout_s: how long to wait for whoever uses the database, and for a server that does not answer.

    Raises:
        ConfigError: the URL is malformed, of a kind that is not served, or holds a password; or the file can't be used.
    """
    parsed = _parsed(url)
    opener = _OPENERS.get(parsed.get_backend_name())
    if opener is None:
        raise ConfigError(f"database URL of kind {parsed.drivername!r} is not served: {_HINT}")
    return opener(parsed, must_exist=must_exist, busy_timeout_s=busy_timeout_s)


def unhurried(connection: Connection) -> None:
    """Lets this transaction take as long as it takes."""
    if connection.dialect.name == "postgresql":
        take_time(connection)


def told(error: SQLAlchemyError) -> str:
    """What the database said, on one line."""
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else type(error).__name__).split())


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:  # which would show the URL, and with it what should not stand there
        raise ConfigError(f"the database URL is malformed: {_HINT}") from error
