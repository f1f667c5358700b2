from __future__ import annotations

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from signer.store.sqlite import open_sqlite
from signer.store.urls import parse_url

BUSY_TIMEOUT_S = 5.0


def open_engine(url: str, *, must_exist: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the database `url` for commits that survive power loss. Every connection is its own: hold one for as long as it is used.

    must_exist: create no file. busy_timeout_s: how long to wait for whoever uses the database, and for a server that does not answer.

    Raises:
        ConfigError: the URL is malformed, of a kind that is not served, or holds a password; or the file can't be used.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return open_sqlite(parsed, must_exist=must_exist, busy_timeout_s=busy_timeout_s)
    from signer.store.postgresql import open_postgresql  # noqa: PLC0415  # its driver costs a start 0.2 s

    return open_postgresql(parsed, busy_timeout_s=busy_timeout_s)


def unhurried(connection: Connection) -> None:
    """Lets this transaction take as long as it takes; the connection is for nothing else."""
    if connection.dialect.name == "postgresql":
        from signer.store.postgresql import take_time  # noqa: PLC0415

        take_time(connection)


def told(error: SQLAlchemyError) -> str:
    """What the database said, on one line."""
    return " ".join(str(error.orig if isinstance(error, DBAPIError) else type(error).__name__).split())
