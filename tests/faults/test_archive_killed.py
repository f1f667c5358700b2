"""The daemon's archiving killed at any moment, for good: SIGKILL to a process that does nothing else, then another one goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
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
from signer.model import SignatureKey
from tests.support.rig import FULL

_KILLS = 50 if FULL else 2
_SEGMENT, _SEGMENTS = 256, 12
_DIGEST = sha256(b"x").digest()
_BEGUN = b"begun"


async def archive(place: Path) -> None:
    """What the killed process does."""
    url = f"sqlite:///{place}/journal.db"
    journal = Journal(url)
    await journal.start()
    settings = ArchiveSettings(place / "archive", keep_days=0, segment_entries=_SEGMENT)
    sys.stdout.write(_BEGUN.decode() + "\n")
    sys.stdout.flush()
    async for _ in Archiver(journal, Readings(url), settings, lambda: datetime.now(UTC) + timedelta(days=1)).archive_due():
        pass
    await journal.stop()


async def fill(place: Path) -> None:
    journal = Journal(f"sqlite:///{place}/journal.db")
    await journal.start()
    keys = [SignatureKey("school", "class", f"pupil-{number:04d}") for number in range(_SEGMENT * _SEGMENTS // 2 + 8)]
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    await journal.intend([Intent(each, _DIGEST, "moet", "key", "5a", algorithm, _DIGEST, "pades/b-b") for each in keys])
    await journal.settle([Outcome(each, 1, OutcomeKind.RELEASED, b"material", _DIGEST) for each in keys])
    await journal.stop()


def started(place: Path) -> subprocess.Popen[bytes]:
    """A process that has begun to archive."""
    process = subprocess.Popen([sys.executable, "-m", __name__, str(place)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == _BEGUN
    return process


@pytest.mark.timeout(60 * _KILLS)
def test_an_archive_that_is_killed_at_any_moment_loses_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    asyncio.run(fill(tmp_path))
    log = JournalLog(Readings(f"sqlite:///{tmp_path}/journal.db"), tmp_path / "archive")
    before = asyncio.run(log.span(0, 10_000))
    chance = random.Random(2026)  # noqa: S311
    for _ in range(_KILLS):
        process = started(tmp_path)
        time.sleep(chance.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        report = verified(tmp_path)
        assert (report.missing, report.foreign) == ((), ())
        assert asyncio.run(JournalLog(Readings(f"sqlite:///{tmp_path}/journal.db"), tmp_path / "archive").span(0, len(before))) == before
    assert started(tmp_path).wait(60) == 0
    assert verified(tmp_path).archived == _SEGMENT * _SEGMENTS


def verified(place: Path) -> ChainReport:
    log = JournalLog(Readings(f"sqlite:///{place}/journal.db"), place / "archive")
    return asyncio.run(log.verify({}, lambda _checked: None))


if __name__ == "__main__":
    asyncio.run(archive(Path(sys.argv[1])))
