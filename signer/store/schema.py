from __future__ import annotations

from sqlalchemy import Connection, Engine, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError, OperationalError

from signer.errors import ConfigError, JournalUnavailable
from signer.store import (  # noqa: F401  # put their tables on the shared metadata
    activation_tables,
    approval_tables,
    client_tables,
    log_tables,
    people_tables,
    record_tables,
    segment_tables,
)
from signer.store.access import WRITER
from signer.store.append_only import install
from signer.store.engine import told, unhurried
from signer.store.tables import metadata, schema_version

SCHEMA_VERSION = 9
_OLDEST = 1


def prepare_schema(engine: Engine) -> None:
    """Create the tables in an empty database, migrate an older one, accept one of our version; of several daemons at once one does.

    Raises:
        ConfigError: the database is of another version, or not ours. It was not changed.
        JournalUnavailable: it is locked, its disk is full, or its server does not answer.
    """
    name = engine.url.database
    try:
        with engine.connect().execution_options(**WRITER) as connection, connection.begin():
            if not inspect(connection).has_table(schema_version.name):
                _create(connection, name)
                return
            found = connection.execute(select(schema_version.c.version)).scalar_one()
            if found > SCHEMA_VERSION:
                raise ConfigError(f"database {name} has schema {found}, newer than this release's {SCHEMA_VERSION}: run a newer signer")
            if found < _OLDEST:
                raise ConfigError(f"database {name} has schema {found}, which no release of signer had")
            if found < SCHEMA_VERSION:
                _migrate(connection, found)
    except OperationalError as error:
        raise JournalUnavailable(f"database {name} can't be used: {told(error)}", retry_after_s=1.0) from error
    except DatabaseError as error:
        raise ConfigError(f"{name} is not a sound database of ours: {told(error)}") from error


def _create(connection: Connection, name: str | None) -> None:
    if inspect(connection).get_table_names():
        raise ConfigError(f"database {name} was made by another program")
    metadata.create_all(connection, checkfirst=False)
    install(connection)
    connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))


def _migrate(connection: Connection, found: int) -> None:
    from signer.store.migrations import migrate  # noqa: PLC0415  # alembic costs a start 0.1 s, and most starts need none

    unhurried(connection)
    migrate(connection, found)
    install(connection)
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
