"""A disk without room: nothing is acknowledged that isn't there, readers are served, and it works again once there is room."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from signer.algorithms import SignatureAlgorithm
from signer.errors import JournalUnavailable
from signer.journal import Intent, Journal, Outcome, OutcomeKind, SignatureState, verify_chain
from signer.model import SignatureKey
from signer.store import open_engine

MATERIAL = bytes(range(256)) * 24
TASKS = 16
WAITING = 300_000
"""A signature whose outcome meets the full disk."""


def key(number: int) -> SignatureKey:
    return SignatureKey("school", "class", f"pupil-{number:05d}")


def signature(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


class Record:
    """What the journal acknowledged."""

    def __init__(self) -> None:
        self.intended: dict[int, int] = {}
        self.released: set[int] = set()
        self.refused = 0


async def intend(journal: Journal, number: int, record: Record) -> None:
    digest = signature(number)
    intent = Intent(key(number), digest, "c", "k", "5a", SignatureAlgorithm.ECDSA_SHA256, digest, "digest")
    (record.intended[number],) = await journal.intend([intent])


async def sign(journal: Journal, numbers: range, record: Record) -> None:
    """Sign until the journal refuses."""
    for number in numbers:
        try:
            await intend(journal, number, record)
            await journal.settle([Outcome(key(number), record.intended[number], OutcomeKind.RELEASED, MATERIAL, signature(number))])
            record.released.add(number)
        except JournalUnavailable:
            record.refused += 1
            return


async def check(journal: Journal, record: Record) -> None:
    stored = await journal.look_up([key(number) for number in record.intended])
    for number, attempt in record.intended.items():
        assert stored[key(number)].attempts == attempt
        if number in record.released:
            assert (stored[key(number)].state, stored[key(number)].material) == (SignatureState.RELEASED, MATERIAL)
        else:
            assert stored[key(number)].state is SignatureState.INTENDED
    counts = await journal.accounting()
    assert counts.balanced
    assert (counts.intents, counts.released) == (len(record.intended), len(record.released))


async def fill_and_recover(folder: Path, make_room: Callable[[], None]) -> None:
    url = f"sqlite:///{folder}/journal.db"
    journal = Journal(url)
    await journal.start()
    record = Record()
    await intend(journal, WAITING, record)
    await asyncio.gather(*(sign(journal, range(task, 100_000, TASKS), record) for task in range(TASKS)))
    assert record.refused == TASKS
    assert record.released
    await check(journal, record)
    with pytest.raises(JournalUnavailable) as raised:
        await journal.settle([Outcome(key(WAITING), 1, OutcomeKind.RELEASED, MATERIAL * 1_000, signature(WAITING))])
    assert raised.value.retry_after_s

    make_room()
    again = Record()
    open_numbers = sorted(record.intended.keys() - record.released)
    for number in open_numbers:  # their outcomes never reached the journal: each may be tried again
        await sign(journal, range(number, number + 1), again)
    await sign(journal, range(200_000, 200_050), again)
    assert again.refused == 0
    assert len(again.released) == len(open_numbers) + 50
    counts = await journal.accounting()
    assert (counts.open, counts.balanced, counts.unknown) == (0, True, len(open_numbers))
    await journal.stop()
    with open_engine(url, must_exist=True).connect() as connection:
        verify_chain(connection)
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@contextmanager
def file_size_limited_to(size_bytes: int) -> Iterator[Callable[[], None]]:
    """Writes beyond `size_bytes` of any file fail (EFBIG, as a full disk: ENOSPC); the yielded function lifts the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield lift
    finally:
        lift()


def test_when_files_may_not_grow_nothing_unwritten_is_acknowledged_and_it_works_again_afterwards(tmp_path: Path) -> None:
    with file_size_limited_to(2_000_000) as lift:
        asyncio.run(fill_and_recover(tmp_path, lift))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs takes root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_when_the_disk_is_full_nothing_unwritten_is_acknowledged_and_it_works_again_afterwards(small_disk: Path) -> None:
    def grow() -> None:
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)

    asyncio.run(fill_and_recover(small_disk, grow))
