"""PostgreSQL 15 or later, by psycopg 3.

- A commit is on the server's disk, whatever the role's defaults say: `synchronous_commit` is never off, and a server with `fsync` off is
  refused.
- Nobody waits for ever: the server ends statements, waits for locks and idle transactions after the busy timeout, and where the server
  itself stands still the client does (`_Patient`). What holds a lock and is gone is noticed by keepalives, on both sides.
- A password never stands in a URL: it comes from libpq's own files (`passfile`, PGPASSFILE), from a file that holds nothing else
  (`password_file`), or none is needed (a socket and peer, a client certificate).
- Who writes holds an advisory lock from the first statement on: at any moment one daemon writes, and sees all that was written before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.errors import _WaitTimeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from signer.errors import ConfigError
from signer.store.access import Access, access_of
from signer.store.statements import run_text
from signer.store.urls import PASSWORD_FILE

WRITER_LOCK: Final = 0x7369676E6572  # "signer"
"""The advisory lock of whoever writes; of its database alone."""
_VERSION_MIN: Final = 150_000
_CONNECT_S_MIN: Final = 2
_LOCK_FACTOR: Final = 0.6
_STATEMENT_FACTOR: Final = 0.8
"""The server's own limits are met before the client's, and a lock's before a statement's: what is met first says most."""
_IDLE_FACTOR: Final = 2
"""Who stands still with the lock in hand keeps it longer than others wait for it, so that a slow one is not taken for a dead one."""
_KEEPALIVES: Final = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_DEFAULTS: Final = {"application_name": "signer", "target_session_attrs": "read-write", **_KEEPALIVES}
_SESSION: Final = """SELECT
    set_config('statement_timeout', %(timeout)s, false), set_config('lock_timeout', %(lock)s, false),
    set_config('idle_in_transaction_session_timeout', %(idle)s, false),
    set_config('idle_session_timeout', '0', false), set_config('tcp_keepalives_idle', '5', false),
    set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false),
    set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
        ELSE current_setting('synchronous_commit') END, false),
    current_setting('fsync'), current_setting('server_encoding'), current_setting('server_version_num')::int"""


def open_postgresql(url: URL, *, busy_timeout_s: float) -> Engine:
    """The engine of a server's database. Nothing is connected yet; a connection raises ConfigError where the server can't serve us."""
    url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        creator=_connector(url, busy_timeout_s),
        poolclass=NullPool,
        paramstyle="format",  # positional, as ManyRows needs it
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin)
    return engine


def take_time(connection: Connection) -> None:
    """Neither side ends the statements of this transaction; the connection is for nothing else."""
    run_text(connection, "SET LOCAL statement_timeout = 0")
    raw: Any = connection.connection.driver_connection
    raw.patience_s = 0.0


class _Patient(psycopg.Connection[Any]):
    """Waits so long for an answer, then is closed: in which state the server left the work is unknown."""

    patience_s: float = 0.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As the base class; OperationalError when no answer came in time."""
        try:
            return super().wait(gen, interval, self.patience_s or None if timeout is None else timeout)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the database server did not answer within {self.patience_s:g} s") from error
        except psycopg.Error as error:
            if error.diag.message_detail:  # which shows values
                error.args = (error.diag.message_primary,)
            raise

    def rollback(self) -> None:
        """As the base class; nothing where the connection is closed: with it the server has rolled back."""
        if not self.closed:
            super().rollback()


def _connector(url: URL, busy_timeout_s: float) -> Callable[[], psycopg.Connection[Any]]:
    query = dict(url.query)
    password_file = query.pop(PASSWORD_FILE, None)
    dialect: Any = url.get_dialect()()
    given: dict[str, Any] = dialect.create_connect_args(url.set(query=query))[1]
    parameters = {**_DEFAULTS, "connect_timeout": max(_CONNECT_S_MIN, round(busy_timeout_s)), **given}
    factors = {"lock": _LOCK_FACTOR, "timeout": _STATEMENT_FACTOR, "idle": _IDLE_FACTOR}
    timeouts = {name: _ms(factor * busy_timeout_s) for name, factor in factors.items()}

    def connect() -> psycopg.Connection[Any]:
        secret: dict[str, Any] = {} if password_file is None else {"password": _password(Path(str(password_file)))}
        connection = _Patient.connect(**parameters, **secret)
        connection.patience_s = busy_timeout_s
        try:
            _configure(connection, timeouts)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _ms(timeout_s: float) -> str:
    return f"{max(1, round(timeout_s * 1000))}ms"


def _password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the file of the database's password, {file}, can't be read: {why}") from error


def _configure(connection: psycopg.Connection[Any], timeouts: dict[str, str]) -> None:
    connection.autocommit = True
    row = connection.execute(_SESSION, timeouts).fetchone()
    connection.autocommit = False
    fsync, encoding, version = row[-3:] if row else ("", "", 0)
    if version < _VERSION_MIN:
        raise ConfigError(f"the database server is PostgreSQL {version // 10_000}: 15 or later is needed")
    if encoding != "UTF8":
        raise ConfigError(f"the database is encoded as {encoding}: create it with ENCODING 'UTF8'")
    if fsync != "on":
        raise ConfigError("the database server runs with fsync = off, so a commit is lost with its power: turn it on")


def _begin(connection: Connection) -> None:
    """A writer must not look at one moment's state: that moment would be before it got the lock."""
    access = access_of(connection)
    if access is Access.READ:
        raw: Any = connection.connection.driver_connection
        raw.read_only, raw.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
    elif access is Access.WRITE:
        run_text(connection, f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
