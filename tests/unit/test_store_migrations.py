"""Databases of earlier releases become what a new one is, on both kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError

from signer.errors import ConfigError, JournalUnavailable
from signer.store import SCHEMA_VERSION, open_engine, prepare_schema
from signer.store.migrations.schema_6.old import old
from signer.store.tables import metadata, schema_version, signature
from tests.support.postgres import Cluster

FIRST = ("schema_version", "journal_entry", "signature", "material", "counter")
"""The tables of schema 1."""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        return open_engine(f"sqlite:///{tmp_path}/journal.db")
    made: Cluster = request.getfixturevalue("postgres")
    return open_engine(made.database().url)


def make(engine: Engine, version: int) -> None:
    """A database as a release of this schema left it: what came with a later one is missing."""
    tables = [old.tables[name] for name in FIRST] if version == 1 else old.sorted_tables
    with engine.connect() as connection, connection.begin():
        old.create_all(connection, tables=tables)
        connection.execute(insert(schema_version).values(version=version))
        if engine.dialect.name == "sqlite":
            refusal = "BEGIN SELECT RAISE(ABORT, 'journal entries are append-only'); END"
            connection.exec_driver_sql(f"CREATE TRIGGER journal_entry_no_delete BEFORE DELETE ON journal_entry {refusal}")
        row = {"school_id": "s", "request_id": "r", "document_id": "d", "fingerprint": b"f", "state": "intended", "attempts": 1}
        connection.execute(insert(old.tables["signature"]).values(row | {"open_intent": 0}))
        if version > 1:
            key: dict[str, object] = {
                column.name: "" if column.type.python_type is str else b"" for column in old.tables["credential"].columns
            }
            key |= {"not_after_us": None, "usable_until_us": None}
            connection.execute(insert(old.tables["credential"]), [key | {"credential_id": "teacher", "person_id": "lan"}])


@pytest.mark.parametrize("version", [1, 5, 6])
def test_a_database_of_an_earlier_release_becomes_what_a_new_one_is_and_keeps_what_it_holds(engine: Engine, version: int) -> None:
    make(engine, version)
    if version == 5:  # where SADs were not known yet
        with engine.connect() as connection, connection.begin():
            old.tables["credential_activation"].drop(connection)
    prepare_schema(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
        assert connection.execute(select(schema_version.c.version)).scalars().all() == [SCHEMA_VERSION]
        assert connection.execute(select(signature.c.document_id, signature.c.daemon)).all() == [("d", None)]
        activations = connection.exec_driver_sql("SELECT * FROM credential_activation").all()
        assert activations == ([("teacher", "none")] if version == 5 else [])


def test_a_database_of_an_earlier_release_gets_the_guards_of_this_one(engine: Engine) -> None:
    make(engine, 6)
    prepare_schema(engine)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO journal_entry VALUES (0, 'note', '', '', '')")
        connection.exec_driver_sql("INSERT INTO log_segment VALUES (0, 512, '', '', 0, 0, 0, '', 0)")
        connection.exec_driver_sql("INSERT INTO log_portion VALUES (0, '', '', '')")
        connection.exec_driver_sql("DELETE FROM journal_entry")
    for verb in ("DELETE FROM log_segment", "UPDATE log_segment SET entries = 256"):
        with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"), connection.begin():
            connection.exec_driver_sql(verb)


def test_what_a_new_database_is_made_from_is_what_the_tables_say(engine: Engine) -> None:
    prepare_schema(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


@pytest.mark.parametrize(
    "changed", [("ALTER TABLE signature DROP COLUMN daemon",), ("DROP TABLE usage",), ("CREATE TABLE pupils (n INT)",)]
)
def test_the_comparison_sees_a_difference(engine: Engine, changed: tuple[str, ...]) -> None:
    prepare_schema(engine)
    with engine.connect() as connection, connection.begin():
        for statement in changed:
            connection.exec_driver_sql(statement)
        assert compare_metadata(MigrationContext.configure(connection), metadata) != []


def test_a_migration_that_fails_leaves_the_database_as_it_was(engine: Engine) -> None:
    make(engine, 6)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE log_portion (number BIGINT)")  # which schema 7 brings
    before = set(inspect(engine).get_table_names())
    with pytest.raises((ConfigError, JournalUnavailable), match="log_portion"):
        prepare_schema(engine)
    assert set(inspect(engine).get_table_names()) == before
    with engine.connect() as connection:
        assert connection.execute(select(schema_version.c.version)).scalar_one() == 6


@pytest.mark.parametrize(("version", "hint"), [(SCHEMA_VERSION + 1, "newer signer"), (0, "no release")])
def test_a_database_of_another_schema_is_refused(engine: Engine, version: int, hint: str) -> None:
    prepare_schema(engine)
    with engine.connect() as connection, connection.begin():
        connection.execute(update(schema_version).values(version=version))
    with pytest.raises(ConfigError, match=hint):
        prepare_schema(engine)
