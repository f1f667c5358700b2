from __future__ import annotations

from sqlalchemy import Engine, insert, inspect, select, update
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
from signer.store.tables import metadata, schema_version

SCHEMA_VERSION = 7
_ONLY_TABLES_ADDED_SINCE = 1
"""A database of this version or a later one lacks nothing but tables: they are made, and what it holds stays as it is."""


def prepare_schema(engine: Engine) -> None:
    """Create the tables in an empty database, and those that an older one lacks; accept one of our version.

    Raises:
        ConfigError: the database is of another version, or not ours. It was not changed.
        JournalUnavailable: it is locked, or its disk is full.
    """
    try:
        with engine.connect().execution_options(**WRITER) as connection, connection.begin():
            tables = inspect(connection).get_table_names()
            if not tables:
                metadata.create_all(connection)
                install(connection)
                connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
                return
            if schema_version.name not in tables:
                raise ConfigError(f"database {engine.url.database} was made by another program")
            found = connection.execute(select(schema_version.c.version)).scalar_one()
            _refuse_other_version(found, engine.url.database)
            if found < SCHEMA_VERSION:
                metadata.create_all(connection)
                install(connection)
                connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
    except OperationalError as error:
        raise JournalUnavailable(f"database {engine.url.database} can't be written: {error.orig}", retry_after_s=1.0) from error
    except DatabaseError as error:
        raise ConfigError(f"{engine.url.database} is not a sound database of ours: {error.orig}") from error


def _refuse_other_version(found: int, path: str | None) -> None:
    if found > SCHEMA_VERSION:
        raise ConfigError(f"database {path} has schema {found}, newer than this release's {SCHEMA_VERSION}: run a newer signer")
    if found < _ONLY_TABLES_ADDED_SINCE:
        raise ConfigError(f"database {path} has schema {found}, older than this release's {SCHEMA_VERSION}: migrate it first")
