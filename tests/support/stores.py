"""An empty database for a test of the journal, of either kind: tests that take `store` run on both."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, Executable, text

from signer.store import open_engine, prepare_schema
from signer.store.postgresql import WRITER_LOCK
from signer.store.tables import metadata
from tests.support.postgres import Cluster, Database


class Store(Protocol):
    """url: as the configuration has it. busy_timeout_s: short, for tests in which somebody else keeps the database.

    examples: how many a property is tried with; what costs a file milliseconds costs a server ten times that. shelf: a folder for what a
    test run keeps beside databases of this kind.
    """

    @property
    def shelf(self) -> Path: ...

    @property
    def url(self) -> str: ...

    @property
    def busy_timeout_s(self) -> float: ...

    @property
    def examples(self) -> int: ...

    def empty(self) -> None:
        """As new."""

    def kept(self, name: str, make: Callable[[], None]) -> None:
        """What `make` brings here: done once a test run, and copied after that. Nobody is connected before or after."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Another process writes while the block runs."""

    def as_owner(self) -> contextlib.AbstractContextManager[Connection]:
        """What the database's owner can do, past its guards: in a transaction that the block's end commits, unless it was rolled back."""

    def tamper(self, *statements: str | Executable) -> None:
        """Does these as the database's owner."""

    def content(self) -> bytes:
        """All that it holds, as far as somebody can see who has it: a file's bytes, a server's rows."""


def _run(connection: Connection, statements: tuple[str | Executable, ...]) -> None:
    for statement in statements:
        connection.execute(text(statement) if isinstance(statement, str) else statement)


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """A file."""

    path: Path
    shelf: Path
    busy_timeout_s: float = 0.05
    examples: int = 100

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def empty(self) -> None:
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()

    def kept(self, name: str, make: Callable[[], None]) -> None:
        original = self.shelf / f"{name}.db"
        if not original.exists():
            make()
            with contextlib.closing(sqlite3.connect(self.path)) as made, contextlib.closing(sqlite3.connect(original)) as copy:
                made.backup(copy)
        self.empty()
        shutil.copyfile(original, self.path)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextlib.contextmanager
    def as_owner(self) -> Iterator[Connection]:
        """Whose hand the guards do not survive."""
        with open_engine(self.url, must_exist=True).connect() as connection:
            for (trigger,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            yield connection
            connection.commit()

    def tamper(self, *statements: str | Executable) -> None:
        with self.as_owner() as connection:
            _run(connection, statements)

    def content(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.path.parent.glob(f"{self.path.name}*"))


_EMPTY: Final = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP; END $$"""
_KEEP: Final = """DO $$ DECLARE name text; BEGIN
    CREATE SCHEMA "{kept}";
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version' LOOP
        EXECUTE format('CREATE TABLE "{kept}".%I AS TABLE public.%I', name, name);
    END LOOP; END $$"""
_RESTORE: Final = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{kept}' LOOP
        EXECUTE format('INSERT INTO public.%I SELECT * FROM "{kept}".%I', name, name);
    END LOOP; END $$"""
_OTHERS: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_PAST_GUARDS: Final = "SET LOCAL session_replication_role = replica"
_OWNER_PATIENCE_S: Final = 60.0


class PostgresStore:
    """A database of a cluster, made once and emptied for each test: that takes some milliseconds, a new one half a second."""

    busy_timeout_s = 2.0
    examples = 10

    def __init__(self, cluster: Cluster, shelf: Path) -> None:
        self.cluster = cluster
        self.shelf = shelf
        self.database: Database = cluster.database()
        self.url = self.database.url
        prepare_schema(open_engine(self.url))
        self._owner: Engine = open_engine(self.database.owner_url, busy_timeout_s=_OWNER_PATIENCE_S)
        self._known: set[str] = set()

    def empty(self) -> None:
        """As new; whoever is still connected is not any more."""
        self.tamper(_OTHERS, _EMPTY)

    def kept(self, name: str, make: Callable[[], None]) -> None:
        """In a schema of its own."""
        if name not in self._known:
            make()
            self.tamper(_KEEP.format(kept=name))
            self._known.add(name)
        self.tamper(_OTHERS, _EMPTY, _RESTORE.format(kept=name))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self._owner.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({WRITER_LOCK})")
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({WRITER_LOCK})")

    @contextlib.contextmanager
    def as_owner(self) -> Iterator[Connection]:
        with self._owner.connect() as connection:
            connection.exec_driver_sql(_PAST_GUARDS)
            yield connection
            connection.commit()

    def tamper(self, *statements: str | Executable) -> None:
        with self.as_owner() as connection:
            _run(connection, statements)

    def content(self) -> bytes:
        with self._owner.connect() as connection:
            rows = [tuple(row) for table in metadata.sorted_tables for row in connection.execute(table.select())]
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
