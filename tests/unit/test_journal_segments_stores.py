"""Archiving on both databases: beside signing, by several daemons at once, and against what the tables refuse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from signer.algorithms import SignatureAlgorithm
from signer.journal import Intent, Journal, Outcome, OutcomeKind
from signer.journal.archiving import Archiver
from signer.journal.log import JournalLog, LogFilter
from signer.journal.reading import Readings
from signer.journal.segment_file import names_in
from signer.journal.settings import ArchiveSettings
from signer.model import SignatureKey
from signer.store import open_engine
from signer.store.access import WRITER
from signer.store.segment_tables import log_portion
from signer.store.tables import journal_entry
from tests.support.stores import PostgresStore, Store

SEGMENT = 256
DIGEST = sha256(b"x").digest()
LATER = datetime.now(UTC) + timedelta(days=1)


async def sign(journal: Journal, request: str, count: int) -> None:
    keys = [SignatureKey("school", request, f"pupil-{number:04d}") for number in range(count)]
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    await journal.intend([Intent(each, DIGEST, "moet", "key", "5a", algorithm, DIGEST, "pades/b-b") for each in keys])
    await journal.settle([Outcome(each, 1, OutcomeKind.RELEASED, b"material", DIGEST) for each in keys])


def archiver(journal: Journal, url: str, folder: Path) -> Archiver:
    return Archiver(journal, Readings(url), ArchiveSettings(folder, keep_days=0, segment_entries=SEGMENT), lambda: LATER)


async def archive(journal: Journal, url: str, folder: Path) -> int:
    return len([each async for each in archiver(journal, url, folder).archive_due()])


async def test_entries_are_moved_while_others_are_written(store: Store, tmp_path: Path) -> None:
    journal, log = Journal(store.url), JournalLog(Readings(store.url), tmp_path)
    await journal.start()
    await sign(journal, "old", 300)
    before = await log.span(0, 600)
    moved, *_ = await asyncio.gather(archive(journal, store.url, tmp_path), *(sign(journal, f"live-{number}", 2) for number in range(8)))
    assert moved == 2
    assert await log.span(0, 600) == before
    assert (await log.account(LogFilter(request_id="old")))["key"].signed == 300
    assert len(await log.states("school", "old", None, limit=500)) == 300
    report = await log.verify({}, lambda _checked: None)
    assert (report.archived, report.missing, report.foreign) == (2 * SEGMENT, (), ())
    assert (await journal.accounting()).balanced
    await journal.stop()
    again = Journal(store.url)
    await again.start()
    await sign(again, "new", 1)
    assert (await again.look_up([SignatureKey("school", "old", "pupil-0000")])) != {}
    await again.stop()


async def test_the_tables_refuse_every_other_removal(store: Store, tmp_path: Path) -> None:
    journal = Journal(store.url)
    await journal.start()
    await sign(journal, "old", 300)
    assert await archive(journal, store.url, tmp_path) == 2
    await journal.stop()
    for statement in (delete(journal_entry), update(journal_entry).values(kind="note"), delete(log_portion)):
        engine = open_engine(store.url)
        with engine.connect().execution_options(**WRITER) as connection, pytest.raises(DBAPIError, match="append-only"), connection.begin():
            connection.execute(statement)


async def test_several_daemons_that_archive_at_once_do_it_once(postgres_store: PostgresStore, tmp_path: Path) -> None:
    postgres_store.empty()
    url = postgres_store.url
    journals = [Journal(url), Journal(url)]
    for journal in journals:
        await journal.start()
    await sign(journals[0], "old", 300)
    await asyncio.gather(*(archive(journal, url, tmp_path) for journal in journals))
    report = await JournalLog(Readings(url), tmp_path).verify({}, lambda _checked: None)
    assert (report.archived, report.missing, report.foreign) == (2 * SEGMENT, (), ())
    assert len(names_in(tmp_path)) == 2
    for journal in journals:
        await journal.stop()
