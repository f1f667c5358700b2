"""Tables, guards and statements on both databases; and what is SQLite's own of opening one."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, Executable, delete, func, insert, inspect, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from signer.errors import ConfigError, JournalUnavailable
from signer.journal import rows
from signer.store import SCHEMA_VERSION, WriterLock, open_engine, prepare_schema
from signer.store.segment_tables import log_portion, log_segment
from signer.store.statements import ManyRows, inserting, upserting
from signer.store.tables import counter, journal_entry, metadata, schema_version
from tests.support.stores import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def file_engine(url: str) -> Engine:
    engine = open_engine(url)
    prepare_schema(engine)
    return engine


@pytest.fixture
def engine(store: Store) -> Engine:
    engine = open_engine(store.url)
    prepare_schema(engine)
    return engine


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_database_is_readable_by_its_owner_only_and_so_are_its_helper_files(tmp_path: Path, file_engine: Engine) -> None:
    with file_engine.connect() as connection, connection.begin():
        connection.execute(select(journal_entry)).all()
        assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
            "journal.db": 0o600,
            "journal.db-wal": 0o600,
            "journal.db-shm": 0o600,
        }


def test_a_database_open_to_others_is_closed_to_them(tmp_path: Path, url: str) -> None:
    path = tmp_path / "journal.db"
    path.touch(0o644)
    path.chmod(0o664)
    open_engine(url)
    assert mode(path) == 0o600


def test_another_program_that_looks_in_takes_nothing_from_under_the_writer(tmp_path: Path, url: str, file_engine: Engine) -> None:
    with file_engine.connect() as writer:
        for count in (1, 2):
            with writer.begin():
                writer.execute(insert(counter).values((f"counter-{count}", count)))
            open_engine(url, must_exist=True)
            assert looked_in(tmp_path / "journal.db") == count
            assert (tmp_path / "journal.db-wal").exists()


def looked_in(database: Path) -> int:
    """How many counters a program sees that opens the database, and closes it again."""
    program = (
        "import sqlite3, sys; opened = sqlite3.connect(sys.argv[1]); print(*opened.execute('SELECT count(*) FROM counter').fetchone())"
    )
    return int(subprocess.run([sys.executable, "-c", program, database], check=True, capture_output=True, text=True).stdout)


def test_commits_survive_power_loss_by_configuration(file_engine: Engine) -> None:
    with file_engine.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////nowhere/at/all/journal.db", "/nowhere/at/all"),
        ("sqlite:////proc/journal.db", "can't be opened"),
        ("mysql://host/signer", "postgresql://"),
        ("not a url", "malformed"),
    ],
)
def test_an_unusable_url_is_refused_with_what_to_do(url: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        open_engine(url)


def test_a_reader_creates_no_database(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        open_engine(url, must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_preparing_twice_changes_nothing(engine: Engine) -> None:
    prepare_schema(engine)
    assert set(inspect(engine).get_table_names()) == set(metadata.tables)
    with engine.connect() as connection:
        assert connection.execute(select(schema_version.c.version)).scalars().all() == [SCHEMA_VERSION]


def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path, url: str) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("CREATE TABLE pupils (name TEXT)")
    engine = open_engine(url)
    with pytest.raises(ConfigError, match="another program"):
        prepare_schema(engine)
    assert inspect(engine).get_table_names() == ["pupils"]


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path, url: str) -> None:
    (tmp_path / "journal.db").write_bytes(b"%PDF-1.7" * 1000)
    with pytest.raises(ConfigError, match="not a sound database of ours"):
        prepare_schema(open_engine(url))
    assert (tmp_path / "journal.db").read_bytes() == b"%PDF-1.7" * 1000


def test_a_locked_database_is_unavailable_not_misconfigured(store: Store, engine: Engine) -> None:
    with store.locked(), pytest.raises(JournalUnavailable, match=r"locked|lock timeout"):
        prepare_schema(open_engine(store.url, busy_timeout_s=store.busy_timeout_s))
    prepare_schema(engine)


def test_errors_of_the_database_show_no_values(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin(), pytest.raises(DBAPIError) as raised:
        inserting(counter).execute(connection, [("pupil-007", 1), ("pupil-007", 2)])
    assert "pupil-007" not in str(raised.value)


def test_a_database_has_one_writer_until_it_lets_go(url: str) -> None:
    lock = WriterLock.acquire(url)
    with pytest.raises(ConfigError, match="another signer"):
        WriterLock.acquire(url)
    lock.release()
    WriterLock.acquire(url).release()


@pytest.mark.parametrize("verb", ["UPDATE journal_entry SET kind = 'note'", "DELETE FROM journal_entry"])
def test_entries_can_be_neither_changed_nor_deleted_by_mistake(engine: Engine, verb: str) -> None:
    with engine.connect() as connection, connection.begin():
        inserting(journal_entry).execute(connection, [(0, "intent", b"{}", b"", b"")])
    with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"), connection.begin():
        connection.exec_driver_sql(verb)


@pytest.fixture
def moved(engine: Engine) -> Engine:
    """Two portions of entries; the first is of a segment on record, and moved."""
    with engine.connect() as connection, connection.begin():
        inserting(journal_entry).execute(connection, [(index, "note", b"{}", b"", b"") for index in range(512)])
        inserting(log_segment).execute(connection, [(0, 256, b"", b"", 0, 0, 0, b"", 0)])
        inserting(log_portion).execute(connection, [(0, b"", "{}", b"")])
    return engine


def test_entries_leave_once_their_portion_is_in_an_archive_that_is_on_record(moved: Engine) -> None:
    with moved.connect() as connection, connection.begin():
        connection.execute(delete(journal_entry).where(journal_entry.c.entry_index < 256))
        assert connection.execute(select(func.min(journal_entry.c.entry_index))).scalar_one() == 256


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(delete(journal_entry).where(journal_entry.c.entry_index == 256), id="an entry that is not moved"),
        pytest.param(update(journal_entry).where(journal_entry.c.entry_index == 0).values(body=b""), id="an entry changed"),
        pytest.param(insert(log_portion).values((1, b"", "{}", b"")), id="a portion of no segment"),
        pytest.param(update(log_portion).values(leaves=b"\0"), id="a portion changed"),
        pytest.param(delete(log_portion), id="a portion removed"),
        pytest.param(update(log_segment).values(entries=512), id="a segment changed"),
        pytest.param(delete(log_segment), id="a segment removed"),
    ],
)
def test_an_archive_on_record_opens_nothing_else(moved: Engine, statement: Executable) -> None:
    with moved.connect() as connection, pytest.raises(DBAPIError, match="append-only"), connection.begin():
        connection.execute(statement)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 255, 256, 257, 600])
def test_many_rows_go_in_whatever_their_number(engine: Engine, count: int) -> None:
    wanted = [(f"counter-{number:03d}", number) for number in range(count)]
    with engine.connect() as connection, connection.begin():
        inserting(counter).execute(connection, wanted)
        assert [tuple(row) for row in connection.execute(select(counter).order_by(counter.c.name))] == wanted


def test_an_upsert_adds_what_is_new_and_replaces_what_is_there(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        inserting(counter).execute(connection, [("old", 1), ("untouched", 2)])
        upserting(counter).execute(connection, [("old", 10), ("new", 3)])
        assert {tuple(row) for row in connection.execute(select(counter))} == {("old", 10), ("untouched", 2), ("new", 3)}


@pytest.mark.parametrize("query", [rows._FETCH_STANDINGS, rows._FETCH_STORED])
def test_looking_keys_up_never_reads_the_whole_table(file_engine: Engine, query: ManyRows) -> None:
    with file_engine.connect() as connection:
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + query._text(connection, 4), ("a", "b", "c") * 4).all()
    steps = [step[3] for step in plan]
    assert any(step.startswith("SEARCH signature USING PRIMARY KEY") for step in steps)
    assert not any(step.startswith("SCAN signature") for step in steps)


def test_tables_and_statements_have_a_postgresql_form() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = (rows._INSERT_ENTRIES, rows._INSERT_MATERIALS, rows._UPSERT_SIGNATURES, rows._FETCH_STANDINGS, rows._FETCH_STORED)
    texts = [str(statement._build("postgresql", 2).compile(dialect=dialect)) for statement in statements]
    assert "ON CONFLICT (school_id, request_id, document_id) DO UPDATE" in texts[2]
    assert all("BYTEA" in str(CreateTable(metadata.tables[name]).compile(dialect=dialect)) for name in ("journal_entry", "material"))
