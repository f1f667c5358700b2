"""An empty database for a test of the journal, of either kind: tests that take `store` run on both."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from signer.store import open_engine, prepare_schema
from signer.store.postgresql import WRITER_LOCK
from tests.support.postgres import Cluster, Database


class Store(Protocol):
    """url: as the configuration has it. busy_timeout_s: short, for tests in which somebody else keeps the database."""

    @property
    def url(self) -> str: ...

    @property
    def busy_timeout_s(self) -> float: ...

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Another process writes while the block runs."""

    def tamper(self, statement: str) -> None:
        """Does what the database's owner can do, past its guards."""


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """A file."""

    path: Path
    busy_timeout_s: float = 0.05

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def tamper(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute(statement)


_EMPTY = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP; END $$"""
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class PostgresStore:
    """A database of a cluster, made once and emptied for each test: that takes some milliseconds, a new one half a second."""

    busy_timeout_s = 1.0

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.database: Database = cluster.database()
        self.url = self.database.url
        prepare_schema(open_engine(self.url))
        where: dict[str, Any] = {"host": str(cluster.folder), "port": cluster.port, "dbname": self.database.name}
        self._owner = psycopg.connect(user="postgres", autocommit=True, **where)
        self._owner.execute("SET session_replication_role = replica")  # past the guards

    def empty(self) -> None:
        """As new; whoever is still connected is not any more."""
        self._owner.execute(_OTHERS)
        self._owner.execute(_EMPTY)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        self._owner.execute(f"SELECT pg_advisory_lock({WRITER_LOCK})")
        try:
            yield
        finally:
            self._owner.execute(f"SELECT pg_advisory_unlock({WRITER_LOCK})")

    def tamper(self, statement: str) -> None:
        self._owner.execute(statement)
