"""What is PostgreSQL's own of opening a database: passwords, durability, and a server that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, OperationalError

from signer.errors import ConfigError
from signer.store import open_engine, prepare_schema
from signer.store.access import READER, WRITER
from signer.store.people_tables import person
from signer.store.statements import inserting
from signer.store.tables import counter
from tests.support.postgres import Cluster, Database

SESSION = ("synchronous_commit", "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "tcp_keepalives_idle")


@pytest.fixture
def database(postgres: Cluster) -> Database:
    return postgres.database()


@pytest.mark.parametrize("url", ["postgresql://signer:s3cret@db/signer", "postgresql://signer@db/signer?password=s3cret"])
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="password_file") as raised:
        open_engine(url)
    assert "s3cret" not in str(raised.value)


def test_a_password_comes_from_a_file_and_stands_in_no_error(postgres: Cluster, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "password"
    url = f"{database.tcp_url}?password_file={file}"
    with pytest.raises(ConfigError, match="can't be read"):
        open_engine(url).connect()
    file.write_text("not the password\n", encoding="utf-8")
    with pytest.raises(OperationalError, match="password authentication failed") as raised:
        open_engine(url).connect()
    assert "not the password" not in str(raised.value)
    file.write_text(f"{postgres.password}\n", encoding="utf-8")
    with open_engine(url).connect() as connection:
        assert connection.execute(select(1)).scalar_one() == 1


def test_libpqs_own_password_file_serves_as_well(postgres: Cluster, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.touch(0o600)
    file.write_text(f"127.0.0.1:{postgres.port}:*:*:{postgres.password}\n", encoding="utf-8")
    with open_engine(f"{database.tcp_url}?passfile={file}").connect() as connection:
        assert connection.execute(select(1)).scalar_one() == 1


def test_commits_survive_power_loss_whatever_the_roles_defaults_say(postgres: Cluster, database: Database) -> None:
    postgres.sql(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
    with open_engine(database.url, busy_timeout_s=2.5).connect() as connection:
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SESSION]
    assert found == ["on", "1500ms", "2s", "5s", "0"]  # keepalives: a socket has none


def test_a_database_of_another_encoding_is_refused(postgres: Cluster) -> None:
    postgres.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'")
    with pytest.raises(ConfigError, match="UTF8"):
        open_engine(postgres.named("latin").url).connect()


def test_a_server_that_stands_still_is_given_up_after_the_busy_timeout(postgres: Cluster, database: Database) -> None:
    with open_engine(database.url, busy_timeout_s=1.5).connect() as connection:
        with postgres.frozen(), pytest.raises(OperationalError, match=r"did not answer within 1\.5 s"):
            connection.execute(select(1))
        assert connection.invalidated


def test_one_writes_at_a_time_and_whoever_waits_too_long_is_told(database: Database) -> None:
    engine = open_engine(database.url, busy_timeout_s=1.0)
    with engine.connect().execution_options(**WRITER) as first, first.begin():
        with engine.connect().execution_options(**WRITER) as second, pytest.raises(DBAPIError, match="lock timeout"), second.begin():
            pass
        with engine.connect().execution_options(**READER) as reader, reader.begin():
            assert reader.execute(select(1)).scalar_one() == 1


def test_a_writer_that_stands_still_in_its_transaction_lets_the_others_write(database: Database) -> None:
    with open_engine(database.url, busy_timeout_s=1.5).connect().execution_options(**WRITER) as frozen:
        transaction = frozen.begin()
        with open_engine(database.url, busy_timeout_s=10).connect().execution_options(**WRITER) as other, other.begin():
            pass
        with pytest.raises(DBAPIError):
            transaction.commit()


def test_text_is_sorted_by_its_bytes_as_on_sqlite(database: Database) -> None:
    engine = open_engine(database.url)
    prepare_schema(engine)
    names = ["Zoë", "an", "Ân", "Đào", "zoe", "Bình", "_x", "ánh"]
    with engine.connect() as connection, connection.begin():
        inserting(person).execute(connection, [(name, "", "", False, 1) for name in names])
        found = connection.execute(select(person.c.person_id).order_by(person.c.person_id)).scalars().all()
    assert found == sorted(names, key=str.encode)


def test_a_reader_sees_one_moment_and_can_write_nothing(database: Database) -> None:
    engine = open_engine(database.url)
    prepare_schema(engine)
    with engine.connect().execution_options(**READER) as reader, reader.begin():
        assert reader.execute(select(counter)).all() == []
        with engine.connect() as writer, writer.begin():
            inserting(counter).execute(writer, [("a", 1)])
        assert reader.execute(select(counter)).all() == []
        with pytest.raises(DBAPIError, match="read-only"):
            inserting(counter).execute(reader, [("b", 1)])
