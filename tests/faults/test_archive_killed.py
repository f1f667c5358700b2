"""The daemon's archiving killed at any moment, for good: SIGKILL to a process that does nothing else, then another one goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from signer.algorithms import SignatureAlgorithm
from signer.journal import ChainReport, Intent, Journal, Outcome, OutcomeKind
from signer.journal.archiving import Archiver
from signer.journal.log import JournalLog
from signer.journal.reading import Readings
from signer.journal.settings import ArchiveSettings
from signer.journal.shelves import LogEntry
from signer.model import SignatureKey
from tests.support.postgres import cluster
from tests.support.rig import FULL, Record, only_full

_KILLS = 50 if FULL else 2
_SEGMENT, _SEGMENTS = 256, 12
_WITHIN_S = 0.15
_DIGEST = sha256(b"x").digest()
_BEGUN = b"begun"


@dataclass(frozen=True)
class Place:
    """A journal that is archived, and where to."""

    url: str
    folder: Path

    @property
    def log(self) -> JournalLog:
        return JournalLog(Readings(self.url), self.folder)

    def entries(self, count: int = 10_000) -> list[LogEntry]:
        return asyncio.run(self.log.span(0, count))

    def verified(self) -> ChainReport:
        return asyncio.run(self.log.verify({}, lambda _checked: None))

    def started(self) -> subprocess.Popen[bytes]:
        """A process that has begun to archive."""
        process = subprocess.Popen([sys.executable, "-m", __name__, self.url, str(self.folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == _BEGUN
        return process


async def archive(place: Place) -> None:
    """What the killed process does."""
    journal = Journal(place.url)
    await journal.start()
    settings = ArchiveSettings(place.folder, keep_days=0, segment_entries=_SEGMENT)
    sys.stdout.write(_BEGUN.decode() + "\n")
    sys.stdout.flush()
    async for _ in Archiver(journal, Readings(place.url), settings, lambda: datetime.now(UTC) + timedelta(days=1)).archive_due():
        pass
    await journal.stop()


async def fill(url: str) -> None:
    journal = Journal(url)
    await journal.start()
    keys = [SignatureKey("school", "class", f"pupil-{number:04d}") for number in range(_SEGMENT * _SEGMENTS // 2 + 8)]
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    await journal.intend([Intent(each, _DIGEST, "moet", "key", "5a", algorithm, _DIGEST, "pades/b-b") for each in keys])
    await journal.settle([Outcome(each, 1, OutcomeKind.RELEASED, b"material", _DIGEST) for each in keys])
    await journal.stop()


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Callable[[], str]]:
    """SQLite"""
    original = folder / "original.db"
    asyncio.run(fill(f"sqlite:///{original}"))

    def copy() -> str:
        for file in folder.glob("journal.db*"):
            file.unlink()
        shutil.copyfile(original, folder / "journal.db")
        return f"sqlite:///{folder}/journal.db"

    yield copy


@contextlib.contextmanager
def postgresql(_folder: Path) -> Iterator[Callable[[], str]]:
    """PostgreSQL"""
    with cluster() as server:
        original = server.database()
        asyncio.run(fill(original.url))
        yield lambda: server.database(original.name).url


@pytest.mark.timeout(3_600 if FULL else 300)
@pytest.mark.parametrize("database", [pytest.param(sqlite, id="SQLite"), pytest.param(postgresql, id="PostgreSQL", marks=only_full)])
def test_an_archive_that_is_killed_at_any_moment_loses_nothing_and_the_next_goes_on(
    tmp_path: Path, record: Record, database: Callable[[Path], contextlib.AbstractContextManager[Callable[[], str]]]
) -> None:
    chance, kills, archives = random.Random(2026), 0, 0  # noqa: S311
    with database(tmp_path) as copy:
        while kills < _KILLS:
            archives += 1
            place = Place(copy(), tmp_path / f"archive-{archives}")
            place.folder.mkdir()
            before = place.entries()
            while place.verified().archived < _SEGMENT * _SEGMENTS:
                kills += struck(place, before, chance.uniform(0.0, _WITHIN_S) if kills < _KILLS else None)
            assert sum(1 for _ in place.folder.glob("*.gz")) == _SEGMENTS
    record(
        f"SIGKILL of whoever archives, journal on {database.__doc__}",
        client_saw="nothing",
        lost=0,
        extra_key_uses=0,
        kills=kills,
        archives=archives,
        segments=archives * _SEGMENTS,
    )


def struck(place: Place, before: list[LogEntry], after_s: float | None) -> bool:
    """Whether it was at work when it was killed; None: it may end its work. What was written is all there either way."""
    process = place.started()
    if after_s is None:
        assert process.wait(60) == 0
    else:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
    report = place.verified()
    assert (report.missing, report.foreign) == ((), ())
    assert place.entries(len(before)) == before
    return process.returncode == -signal.SIGKILL


if __name__ == "__main__":
    asyncio.run(archive(Place(sys.argv[1], Path(sys.argv[2]))))
