"""Entries moved into files of an archive, on both databases: what was true before is true after, whatever stops between or is changed."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import delete, literal_column, select, update

from signer.algorithms import SignatureAlgorithm
from signer.errors import ConfigError, EntryArchived, InternalError, JournalDamaged, JournalUnavailable
from signer.formats.merkle import leaf_hash, require_consistent, require_included, root_of
from signer.journal import Accounting, ChainReport, CheckpointStore, Intent, Journal, NoteKind, Outcome, OutcomeKind
from signer.journal.archiving import Archiver
from signer.journal.leading import AloneLeading
from signer.journal.log import Account, JournalLog, LogFilter
from signer.journal.reading import Readings
from signer.journal.segment_file import bodies_of, names_in
from signer.journal.segments import Segment, read_archived
from signer.journal.settings import ArchiveSettings
from signer.journal.shelves import LogEntry
from signer.journal.states import KeptState
from signer.model import Severity, SignatureKey
from signer.pipeline.archiving import Archiving
from signer.server.diagnosis.archive import check_archive
from signer.store import open_engine
from signer.store.segment_tables import log_portion, log_segment
from signer.store.tables import journal_entry
from signer.telemetry.metrics import Metrics
from tests.support.stores import Store

SEGMENT: Final = 256
SIGNED, FAILED = 300, 20  # of 320 intents: 640 entries, two segments and a half
MOVED = 2 * SEGMENT
DIGEST = sha256(b"x").digest()
LATER = datetime.now(UTC) + timedelta(days=1)
EVERYTHING = LogFilter()


PORTION = update(log_portion).where(log_portion.c.number == 1)
FIRST_MEMBERS = select(log_portion.c.members).where(log_portion.c.number == 0).scalar_subquery()


@dataclass(frozen=True)
class Vault:
    """A journal's database and its archive's folder."""

    store: Store
    folder: Path

    @property
    def url(self) -> str:
        return self.store.url

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    @property
    def log(self) -> JournalLog:
        return JournalLog(Readings(self.url), self.folder)

    @asynccontextmanager
    async def journal(self) -> AsyncIterator[Journal]:
        journal = Journal(self.url)
        await journal.start()
        try:
            yield journal
        finally:
            await journal.stop()

    def archiver(self, journal: Journal, keep_days: int = 0) -> Archiver:
        settings = ArchiveSettings(self.folder, keep_days=keep_days, segment_entries=SEGMENT)
        return Archiver(journal, Readings(self.url), settings, lambda: LATER)

    async def archive(self, keep_days: int = 0) -> list[Segment]:
        async with self.journal() as journal:
            return [each async for each in self.archiver(journal, keep_days).archive_due()]

    async def verify(self, folder: Path | None = None) -> ChainReport:
        return await JournalLog(Readings(self.url), folder or self.folder).verify({}, lambda _checked: None)

    async def entries(self) -> list[LogEntry]:
        return await self.log.span(0, 10_000)

    def rows(self) -> list[int]:
        with open_engine(self.url).connect() as connection:
            return list(connection.execute(select(journal_entry.c.entry_index).order_by(journal_entry.c.entry_index)).scalars())


def intent(number: int) -> Intent:
    key = SignatureKey("school", f"class-{number % 3}", f"pupil-{number:04d}")
    return Intent(key, DIGEST, "moet", f"key-{number % 2}", "5a", SignatureAlgorithm.RSA_PKCS1_SHA256, DIGEST, "pades/b-b")


async def fill(vault: Vault) -> None:
    async with vault.journal() as journal:
        intents = [intent(number) for number in range(SIGNED + FAILED)]
        await journal.intend(intents)
        await journal.settle([Outcome(each.key, 1, OutcomeKind.RELEASED, b"material", DIGEST) for each in intents[:SIGNED]])
        await journal.settle([Outcome(each.key, 1, OutcomeKind.FAILED, detail="DOCUMENT_DAMAGED") for each in intents[SIGNED:]])
        await journal.note(NoteKind.STARTED, "signer")


@pytest.fixture
def full(store: Store, tmp_path: Path) -> Vault:
    vault = Vault(store, tmp_path / "archive")
    vault.folder.mkdir()
    store.kept("full", lambda: asyncio.run(fill(vault)))
    return vault


@pytest.fixture
def archived(full: Vault) -> Vault:
    """What `full` became: its answers are to be the same."""
    files = full.store.shelf / "archive"

    def archive() -> None:
        assert [each.span.first for each in asyncio.run(full.archive())] == [0, SEGMENT]
        shutil.copytree(full.folder, files)

    full.store.kept("archived", archive)
    shutil.copytree(files, full.folder, dirs_exist_ok=True)
    return full


@dataclass(frozen=True)
class Answers:
    """All that is asked of a journal. states: of each document, without what only an entry that is not archived says."""

    entries: list[LogEntry]
    accounts: list[dict[str, Account]]
    pages: list[tuple[LogEntry, ...]]
    states: list[list[tuple[Any, ...]]]


async def answers(vault: Vault) -> Answers:
    log, pupil = vault.log, LogFilter(document_id="pupil-0001")
    wanted = (EVERYTHING, LogFilter(request_id="class-1"), LogFilter(credential_id="key-0"))
    states = [await log.states("school", request, None, limit=400) for request in ("class-0", "class-2")]
    return Answers(
        await vault.entries(),
        [dict(await log.account(each)) for each in wanted],
        [(await log.page(pupil, start=None, newest_first=newest_first, limit=10)).entries for newest_first in (False, True)],
        [[(each.document_id, each.becoming, each.reason, each.changed, each.stored, *members(each)) for each in side] for side in states],
    )


def members(state: KeptState) -> list[Any]:
    return [state.intent[name] for name in ("plan", "credential", "certificate", "algorithm", "at")]


async def test_everything_that_could_be_asked_before_is_answered_as_before(full: Vault) -> None:
    before = await answers(full)
    assert len(before.pages[0]) == 2
    await full.archive()
    after = await answers(full)
    assert full.rows()[0] == MOVED
    assert after.entries[: len(before.entries)] == before.entries
    assert (after.accounts, after.pages, after.states) == (before.accounts, before.pages, before.states)


async def test_proofs_lead_to_the_same_roots(full: Vault) -> None:
    before = await full.entries()
    size, root = len(before), root_of(entry.leaf_hash for entry in before)
    await full.archive()
    for index in (0, 255, 256, 300, 511, 512, size - 1):
        leaf, path = await full.log.inclusion(index, size)
        require_included(leaf, index, size, path, root)
    async with full.journal() as journal:
        _size, head = await CheckpointStore(journal).head()
    now = await full.log.size()
    require_consistent(size, root, now, head, await full.log.consistency(size, now))


async def test_the_account_of_all_signatures_balances(archived: Vault) -> None:
    async with archived.journal() as journal:
        assert await journal.accounting() == Accounting(SIGNED + FAILED, SIGNED, 0, FAILED, 0, 0)


async def test_ids_of_archived_signatures_are_still_known(archived: Vault) -> None:
    async with archived.journal() as journal:
        found = await journal.look_up([intent(0).key, intent(SIGNED).key])
        assert found[intent(0).key].material == b"material"
        assert await journal.intend([intent(SIGNED)]) == [2]


async def test_without_its_files_proofs_and_states_go_on_and_what_an_entry_said_is_refused(archived: Vault) -> None:
    shutil.rmtree(archived.folder)
    archived.folder.mkdir()
    size = await archived.log.size()
    leaf, path = await archived.log.inclusion(3, size)
    assert len(path) > 8
    assert len(leaf) == 32
    assert len(await archived.log.states("school", "class-0", None, limit=400)) == 107
    with pytest.raises(EntryArchived, match="put the file back") as away:
        await archived.log.entry(300)
    assert away.value.metadata["file"].startswith("000000000256-")
    assert (await archived.log.entry(MOVED)).index == MOVED
    report = await archived.verify()
    assert (report.entries, report.archived, len(report.missing)) == (size, MOVED, 2)
    with pytest.raises(EntryArchived, match=r"\[journal.archive\]"):
        await JournalLog(Readings(archived.url)).entry(0)


async def test_files_of_times_that_nobody_asks_for_are_not_read(archived: Vault) -> None:
    shutil.rmtree(archived.folder)
    recent = LogFilter(start=datetime.now(UTC) + timedelta(days=2))
    assert await archived.log.account(recent) == {}
    assert (await archived.log.page(recent, start=None, newest_first=True, limit=10)).entries == ()
    early = LogFilter(end=datetime.now(UTC) - timedelta(days=2))
    assert (await archived.log.page(early, start=None, newest_first=False, limit=10)).entries == ()


def test_a_file_is_read_by_gzip_and_coreutils_and_leads_to_the_root_in_its_name(archived: Vault) -> None:
    first = archived.files[0]
    lines = subprocess.run(["zcat", first], capture_output=True, check=True).stdout.splitlines()
    assert lines[1:] == [entry.body for entry in asyncio.run(archived.entries())[:SEGMENT]] == list(bodies_of(first))
    assert root_of(map(leaf_hash, lines[1:])).hex() in first.name
    with open_engine(archived.url).connect() as connection:
        notes = connection.execute(select(journal_entry.c.body).where(journal_entry.c.kind == "note").order_by(journal_entry.c.entry_index))
        noted = [body for body in notes.scalars() if b"segment-archived" in body]
    assert sha256(first.read_bytes()).hexdigest().encode() in noted[0]


async def test_what_is_young_or_not_full_stays(full: Vault) -> None:
    assert await full.archive(keep_days=2) == []
    assert len(await full.archive()) == 2
    assert await full.archive() == []
    assert full.rows()[0] == MOVED


async def test_a_journal_that_was_archived_grows_and_is_archived_on(archived: Vault) -> None:
    async with archived.journal() as journal:
        for _ in range(SEGMENT):
            await journal.note(NoteKind.STOPPED, "signer")
    assert [each.span.first for each in await archived.archive()] == [MOVED]
    report = await archived.verify()
    assert (report.archived, report.missing, report.foreign) == (3 * SEGMENT, (), ())


class Stopped(Exception):
    """As if the process had ended there."""


def stop_at(count: int) -> Callable[..., None]:
    calls = iter(range(count))

    def stop(*_: Any) -> None:
        if next(calls, None) is None:
            raise Stopped

    return stop


STEPS: list[tuple[str, str, int]] = [
    ("before the file", "signer.journal.segment_file._write_synced", 0),
    ("before it is read back", "signer.journal.segment_file.require_sound", 0),
    ("before it has its name", "pathlib.Path.rename", 0),
    ("before the name is synced", "signer.journal.segment_file._sync_folder", 0),
    ("before it is on record", "signer.journal.segments.NoteArchived.apply", 0),
    ("before its entries leave", "signer.journal.segments.move_portion", 0),
    ("between two segments", "signer.journal.segments.move_portion", 1),
]


@pytest.mark.parametrize(("door", "calls"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
@pytest.mark.parametrize("takes_effect", [False, True], ids=["failed-before", "failed-after"])
async def test_whatever_stops_between_two_steps_nothing_is_lost_and_the_next_run_goes_on(
    full: Vault, monkeypatch: pytest.MonkeyPatch, *, door: str, calls: int, takes_effect: bool
) -> None:
    before = await full.entries()
    original, stop = resolve_name(door), stop_at(calls)

    def broken(*args: Any, **kwargs: Any) -> Any:
        if takes_effect:
            done = original(*args, **kwargs)
            stop()
            return done
        stop()
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(door, broken)
        with pytest.raises((Stopped, InternalError)):
            await full.archive()
    report = await full.verify()
    assert report.missing == report.foreign == ()
    assert (await full.entries())[: len(before)] == before
    await full.archive()
    report = await full.verify()
    assert (report.archived, report.missing, report.foreign) == (MOVED, (), ())
    assert (await full.entries())[: len(before)] == before
    assert sorted(names_in(full.folder)) == [each.name for each in await Readings(full.url).run(read_archived)]


async def test_a_segment_that_was_begun_keeps_its_entries_until_its_file_is_sound(full: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("signer.journal.segments.move_portion", stop_at(0))
        with pytest.raises(InternalError):
            await full.archive()
    (file,) = full.files
    content = file.read_bytes()
    file.write_bytes(content[:-9] + bytes([content[-9] ^ 0x20]) + content[-8:])
    with pytest.raises(JournalDamaged):
        await full.archive()
    file.unlink()
    with pytest.raises(EntryArchived):
        await full.archive()
    assert full.rows()[0] == 0
    file.write_bytes(content)
    assert len(await full.archive()) == 2


async def test_an_entry_that_was_changed_is_not_archived(full: Vault) -> None:
    entry = select(journal_entry.c.body).where(journal_entry.c.entry_index == 7)
    with full.store.as_owner() as connection:
        other = connection.execute(entry).scalar_one().replace(b"pupil-0007", b"pupil-0008")
        connection.execute(update(journal_entry).where(journal_entry.c.entry_index == 7).values(body=other))
    with pytest.raises(JournalDamaged, match="entry 7 "):
        await full.archive()
    assert (full.files, full.rows()[0]) == ([], 0)


async def test_a_folder_that_cannot_be_written_stops_nothing_else(full: Vault) -> None:
    full.folder.rmdir()
    with pytest.raises(JournalUnavailable, match="can't be written"):
        await full.archive()
    async with full.journal() as journal:
        await journal.note(NoteKind.STARTED, "signer")
        with pytest.raises(ConfigError):
            [_ async for _ in Archiver(journal, Readings(full.url), None, lambda: LATER).archive_due()]


def change_entry(vault: Vault) -> None:
    lines = gzip.decompress(vault.files[1].read_bytes())
    vault.files[1].write_bytes(gzip.compress(lines.replace(b"pupil-0300", b"pupil-0301")))


def change_member(vault: Vault) -> None:
    """One entry, in a file whose gzip members are as they should be."""
    path = vault.files[1]
    head, body = gzip_members(path.read_bytes())
    changed = gzip.compress(body.replace(b"pupil-0300", b"pupil-0301"), 6, mtime=0)
    path.write_bytes(
        gzip.compress(head.replace(head[head.index(b'"portions"') : head.index(b',"root"')], b'"portions":[%d]' % len(changed))) + changed
    )


def gzip_members(content: bytes) -> Iterator[bytes]:
    while content:
        unpacker = zlib.decompressobj(31)
        yield unpacker.decompress(content)
        content = unpacker.unused_data


@pytest.mark.parametrize(
    ("change", "index"),
    [
        pytest.param(change_entry, SEGMENT, id="packed-anew"),
        pytest.param(change_member, 300, id="an-entry-changed"),
        pytest.param(lambda vault: vault.files[1].write_bytes(b""), SEGMENT, id="emptied"),
        pytest.param(lambda vault: vault.files[1].write_bytes(vault.files[1].read_bytes()[:-100]), SEGMENT, id="cut"),
        pytest.param(lambda vault: vault.files[1].write_bytes(vault.files[1].read_bytes() + b"more"), SEGMENT, id="longer"),
        pytest.param(lambda vault: vault.files[1].write_bytes(vault.files[0].read_bytes()), SEGMENT, id="another-segment's"),
        pytest.param(lambda vault: vault.store.tamper(PORTION.values(leaves=bytes(8192))), 512, id="leaves"),
        pytest.param(lambda vault: vault.store.tamper(PORTION.values(leaves=literal_column("'text'"))), 256, id="leaves-text"),
        pytest.param(lambda vault: vault.store.tamper(PORTION.values(members=bytes(9))), 256, id="members"),
        pytest.param(lambda vault: vault.store.tamper(PORTION.values(kinds='{"intent":256}')), 256, id="kinds"),
        pytest.param(
            lambda vault: vault.store.tamper(update(log_segment).where(log_segment.c.first_index == SEGMENT).values(root=bytes(32))),
            512,
            id="root",
        ),
        pytest.param(lambda vault: vault.store.tamper(update(log_segment).values(file_sha256=b"\0")), 0, id="sha256"),
        pytest.param(lambda vault: vault.store.tamper(delete(log_portion).where(log_portion.c.number == 1)), 256, id="portion-removed"),
        pytest.param(lambda vault: vault.store.tamper(delete(log_portion), delete(log_segment)), 0, id="all-removed"),
        pytest.param(lambda vault: vault.store.tamper(PORTION.values(members=FIRST_MEMBERS)), 256, id="members-moved"),
    ],
)
async def test_whatever_is_changed_in_an_archive_is_found_and_its_place_named(
    archived: Vault, change: Callable[[Vault], Any], index: int
) -> None:
    change(archived)
    with pytest.raises(JournalDamaged) as damage:
        await archived.verify()
    assert int(damage.value.metadata["index"]) == index


async def test_a_missing_file_and_a_foreign_one_are_named(archived: Vault) -> None:
    first, second = archived.files
    foreign = first.with_name(f"{0:012d}-{bytes(32).hex()}.jsonl.gz")
    first.rename(foreign)
    (archived.folder / "readme.txt").write_text("not ours")
    (archived.folder / f"{3 * SEGMENT:012d}-{bytes(32).hex()}.jsonl.gz").write_bytes(b"one that was being written")
    report = await archived.verify()
    assert (report.missing, report.foreign) == ((first.name,), (foreign.name,))
    with pytest.raises(JournalDamaged):
        list(bodies_of(foreign))
    assert len(list(bodies_of(second))) == SEGMENT


async def test_a_daemon_with_another_folder_or_none_says_which_files_it_lacks_and_what_to_do(archived: Vault, tmp_path: Path) -> None:
    first, second = archived.files
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(first, elsewhere)
    for folder, missing in ((archived.folder, []), (elsewhere, [second.name]), (None, [first.name, second.name])):
        settings = None if folder is None else ArchiveSettings(folder, keep_days=0, segment_entries=SEGMENT)
        async with archived.journal() as journal:
            readings = Readings(archived.url)
            archiver = Archiver(journal, readings, settings, lambda: LATER)
            archiving = Archiving(archiver, readings, AloneLeading(), Metrics.on(CollectorRegistry()))
            assert await archiving.missing() == missing
            [found] = await check_archive(archiving)
        assert found.severity is (Severity.WARN if missing else Severity.OK)
        assert all(name in found.message for name in missing)
        assert ("one archive folder" in found.remedy) == bool(missing)


async def test_a_changed_file_answers_nothing(archived: Vault) -> None:
    change_member(archived)
    with pytest.raises(JournalDamaged):
        await archived.log.entry(300)
    with pytest.raises(JournalDamaged):
        await archived.log.account(EVERYTHING)
    assert isinstance((await JournalLog(Readings(archived.url), archived.folder).account(LogFilter(start=LATER + timedelta(days=9)))), dict)
    assert Account().open == 0
