from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from signer.errors import ConfigError
from signer.store.statements import run_text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_S = 5.0
WRITER_BEGIN = {"store_begin": "BEGIN IMMEDIATE"}
"""Execution options of a connection that writes: it takes SQLite's write lock at the start, never half-way."""

_FILE_MODE = 0o600
_CACHED_STATEMENTS = 256
_WAL_BYTES_KEPT = 64 * 1024 * 1024


def open_engine(url: str, *, must_exist: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the database `url` (`sqlite:///path`) for commits that survive power loss.

    A missing file is created with mode 0600 unless `must_exist`; a file open to others is closed to them. Every connection is its own:
    hold one for as long as it is used.

    Raises:
        ConfigError: the URL is malformed or of a kind this release doesn't serve, or the file or its directory can't be used.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"database URL {url!r} is malformed; write sqlite:///path/to/file") from error
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"database URL of kind {parsed.drivername!r} is not served by this release; write sqlite:///path/to/file")
    _guard_file(database_path(parsed), must_exist=must_exist)
    engine = create_engine(
        parsed, poolclass=NullPool, connect_args={"timeout": busy_timeout_s, "cached_statements": _CACHED_STATEMENTS}, hide_parameters=True
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def database_path(url: URL) -> Path:
    """The file of an SQLite URL.

    Raises:
        ConfigError: it names none (an in-memory database forgets, a journal must not).
    """
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("the database needs a file: write sqlite:///path/to/file")
    return Path(url.database)


def _guard_file(path: Path, *, must_exist: bool) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"directory {path.parent} of the database does not exist: create it, owned by the user that runs signer")
    if must_exist and not path.is_file():
        raise ConfigError(f"database {path} does not exist")
    try:
        descriptor = os.open(path, os.O_RDWR | (0 if must_exist else os.O_CREAT), _FILE_MODE)
    except OSError as error:
        raise ConfigError(f"database {path} can't be opened for writing: {error.strerror}") from error
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_FILE_MODE:
            os.fchmod(descriptor, _FILE_MODE)
    except OSError as error:
        raise ConfigError(f"database {path} is open to others and can't be closed to them: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"journal_size_limit={_WAL_BYTES_KEPT}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    run_text(connection, connection.get_execution_options().get("store_begin", "BEGIN"))
