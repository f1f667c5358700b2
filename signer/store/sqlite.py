"""SQLite 3: one file, WAL, synchronous=FULL, so that a commit survives power loss."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from signer.errors import ConfigError
from signer.store.access import Access, access_of
from signer.store.statements import run_text

_FILE_MODE = 0o600
_CACHED_STATEMENTS = 256
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_BEGIN = {Access.READ: "BEGIN", Access.WRITE: "BEGIN IMMEDIATE"}
"""Who writes takes the write lock at the start, never half-way."""


def open_sqlite(url: URL, *, must_exist: bool, busy_timeout_s: float) -> Engine:
    """The engine of a database file, created with mode 0600 unless `must_exist`; one open to others is closed to them. ConfigError."""
    _guard_file(database_path(url), must_exist=must_exist)
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"timeout": busy_timeout_s, "cached_statements": _CACHED_STATEMENTS}, hide_parameters=True
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
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
    """By its name alone.

    Closing any descriptor of a file drops the locks that this process holds on it (fcntl(2)), SQLite's as well: the next program to close
    the database would think itself the last, and remove the write-ahead log from under the writer.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"directory {path.parent} of the database does not exist: create it, owned by the user that runs signer")
    if must_exist and not path.is_file():
        raise ConfigError(f"database {path} does not exist")
    if not must_exist:
        _create(path)
    if not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError(f"database {path} can't be opened for writing: its file, or the file system, is not open to this user")
    try:
        if stat.S_IMODE(path.stat().st_mode) & ~_FILE_MODE:
            path.chmod(_FILE_MODE)
    except OSError as error:
        raise ConfigError(f"database {path} is open to others and can't be closed to them: {error.strerror}") from error


def _create(path: Path) -> None:
    """Nothing if it is there: nobody has locked what was not."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(f"database {path} can't be opened for writing: {error.strerror}") from error


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin does
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"journal_size_limit={_WAL_BYTES_KEPT}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin(connection: Connection) -> None:
    run_text(connection, _BEGIN.get(access_of(connection), "BEGIN"))
