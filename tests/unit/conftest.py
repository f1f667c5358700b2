from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Cluster, cluster
from tests.support.stores import PostgresStore, SqliteStore, Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """This process' own cluster. Whoever kills it makes another one."""
    with cluster() as made:
        yield made


@pytest.fixture(scope="session")
def postgres_store(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> PostgresStore:
    """To be had through `store`."""
    return PostgresStore(postgres, tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(scope="session")
def sqlite_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where databases of this kind are kept that tests take copies of."""
    return tmp_path_factory.mktemp("sqlite")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, sqlite_shelf: Path) -> Store:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "journal.db", sqlite_shelf)
    made: PostgresStore = request.getfixturevalue("postgres_store")
    made.empty()
    return made
