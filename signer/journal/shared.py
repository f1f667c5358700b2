"""Runs of bytes that many signatures' material has in common, such as the font and the image of a visible signature: stored once.

A run is known by its SHA-256. Material that holds one is stored without it and names it by place, length and hash; what is read is put
together again before its own hash is compared. Each commit that needs a run notes when it was last needed, to the hour; once nothing kept
is as old as that, the run is deleted with the material that needed it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, LargeBinary, Select, bindparam, delete, func, insert, or_, select, update

from signer.errors import JournalDamaged
from signer.journal.material import pack, unpack
from signer.store.statements import ManyRows
from signer.store.tables import material
from signer.store.tables import shared_run as table

SHARED: Final = 3
"""The encoding of material without its runs, beside those of `material`."""
RUN_BYTES_MIN: Final = 512
_RUNS_MAX: Final = 255
_LOOKED_FOR_BYTES: Final = 64
_DIGESTS_KEPT: Final = 64
_HEAD: Final = struct.Struct(">BB")  # encoding of the rest, number of runs
_RUN: Final = struct.Struct(">II32s")  # where it stands in the whole, its length, its SHA-256
_EXACT_US: Final = timedelta(hours=1) // timedelta(microseconds=1)


def pack_shared(content: bytes, runs: Sequence[bytes]) -> tuple[int, bytes, dict[bytes, bytes]]:
    """Encoding and bytes to store, and the runs that they name, by hash."""
    if not runs:
        return *pack(content), {}
    found = sorted((start, run) for run in runs if len(run) >= RUN_BYTES_MIN and (start := _place(content, run)) >= 0)
    named: dict[bytes, bytes] = {}
    heads: list[bytes] = []
    rest: list[bytes] = []
    at = 0
    for start, run in found[:_RUNS_MAX]:
        if start < at:
            continue
        digest = _digest(run)
        named[digest] = run
        heads.append(_RUN.pack(start, len(run), digest))
        rest.append(content[at:start])
        at = start + len(run)
    if not named:
        return *pack(content), named
    encoding, packed = pack(b"".join([*rest, content[at:]]))
    return SHARED, b"".join([_HEAD.pack(encoding, len(heads)), *heads, packed]), named


@lru_cache(maxsize=_DIGESTS_KEPT)
def _digest(run: bytes) -> bytes:
    """SHA-256, once for all signatures of a batch: they come with the same object."""
    return sha256(run).digest()


def _place(content: bytes, run: bytes) -> int:
    """`content.find(run)`, which would prepare the whole of what it looks for, each time: 0.1 ms for 60 KB."""
    start = content.find(run[:_LOOKED_FOR_BYTES])
    while start >= 0 and not content.startswith(run, start):
        start = content.find(run[:_LOOKED_FOR_BYTES], start + 1)
    return start


def unpack_shared(encoding: int, content: bytes, resolve: Callable[[bytes], bytes | None]) -> bytes:
    """What `pack_shared` was given. resolve: the run of a hash. JournalDamaged when the stored bytes are no longer what was written."""
    if encoding != SHARED:
        return unpack(encoding, content)
    try:
        inner, count = _HEAD.unpack_from(content)
        runs = [_RUN.unpack_from(content, _HEAD.size + number * _RUN.size) for number in range(count)]
    except struct.error as error:
        raise JournalDamaged("stored signature material is damaged: verify the journal") from error
    rest = unpack(inner, content[_HEAD.size + count * _RUN.size :])
    pieces: list[bytes] = []
    taken = whole = 0
    for start, length, digest in runs:
        run = resolve(digest)
        if run is None or len(run) != length:
            raise JournalDamaged("a part that stored signature material shares with others is missing: verify the journal")
        pieces += [rest[taken : taken + start - whole], run]
        taken, whole = taken + start - whole, start + length
    return b"".join([*pieces, rest[taken:]])


def read_run(connection: Connection, digest: bytes) -> bytes | None:
    """The run of a hash."""
    found: bytes | None = connection.execute(select(table.c.content).where(table.c.sha256 == digest)).scalar()
    return found


def write_runs(connection: Connection, runs: Mapping[bytes, bytes], now_us: int) -> None:
    """Stores what is new; of what is there, notes that it is needed now."""
    if not runs:
        return
    needed_us: dict[bytes, int] = dict(_FETCH_NEEDED.fetch(connection, [(digest,) for digest in runs]))
    for digest, run in runs.items():
        if digest not in needed_us:
            connection.execute(insert(table).values(sha256=digest, needed_at_us=now_us, content=run))
        elif needed_us[digest] < now_us - _EXACT_US:
            connection.execute(update(table).where(table.c.sha256 == digest).values(needed_at_us=now_us))


def forget_runs(connection: Connection, before_us: int, kept: Select[tuple[int]]) -> None:
    """Deletes runs that only material stored before `before_us` needed. kept: outcomes whose material is kept however old it is."""
    oldest_us = connection.execute(select(func.min(material.c.stored_at_us)).where(material.c.outcome.in_(kept))).scalar()
    until_us = before_us if oldest_us is None else min(before_us, oldest_us)
    connection.execute(delete(table).where(table.c.needed_at_us < until_us - _EXACT_US))


def _needed(_dialect: str, count: int) -> Select[tuple[bytes, int]]:
    """When so many runs were last needed. A query a run, made by SQLAlchemy each time, was a third of the journal's CPU."""
    wanted = or_(*(table.c.sha256 == bindparam(f"wanted_{number}", type_=LargeBinary) for number in range(count)))
    return select(table.c.sha256, table.c.needed_at_us).where(wanted)


_FETCH_NEEDED = ManyRows(_needed)
