"""Archived segments as files: `000000065536-ROOT.jsonl.gz`, named by the first entry's index and the Merkle root over all (hexadecimal).

A file is gzip (RFC 1952) of one member after the other; `zcat` reads it. The first member is one line, JSON: `format`, `first`, `entries`,
`root`, and `portions`: the length of each further member in bytes. Each of those is 256 entries, one line each, exactly as they are
hashed: canonical JSON has no line end within. So a line's leaf hash is SHA-256 over a zero byte and the line without its end, and the
root over all lines but the first is the one in the name (RFC 9162 2.1).

The same entries make the same file, whoever writes it: its SHA-256 is noted in the log.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import msgspec

from signer.errors import EntryArchived, JournalDamaged, JournalUnavailable
from signer.formats.merkle import leaf_hash, root_of
from signer.store.segment_tables import PORTION_ENTRIES

_FORMAT = "signer-journal-segment-1"
_NAME = re.compile(r"(\d{12})-([0-9a-f]{64})\.jsonl\.gz")
_GZIP = zlib.MAX_WBITS | 16
_HEAD_BYTES_MAX = 1 << 20
_PORTION_BYTES_MAX = 1 << 26
_LEVEL = 6
_RETRY_S = 60.0
_DRAFT_S_MAX = 3600.0


class _Head(msgspec.Struct, frozen=True):
    entries: int
    first: int
    format: str
    portions: list[int]
    root: str


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file: whose entries it has, and what they hash to. sha256, size_bytes: of the file."""

    first: int
    entries: int
    root: bytes
    sha256: bytes
    size_bytes: int

    @property
    def name(self) -> str:
        """The file's name."""
        return file_name(self.first, self.root)


def file_name(first: int, root: bytes) -> str:
    """Of the segment that begins with this entry and has this root."""
    return f"{first:012d}-{root.hex()}.jsonl.gz"


def names_in(folder: Path) -> dict[str, int]:
    """Files that are named as segments are, and the first entry of each by that name. JournalUnavailable when the folder can't be read."""
    try:
        found = [(entry.name, _NAME.fullmatch(entry.name)) for entry in folder.iterdir()]
    except OSError as error:
        raise JournalUnavailable(f"archive folder {folder} can't be read: {error.strerror}", retry_after_s=_RETRY_S) from error
    return {name: int(match[1]) for name, match in found if match}


def write_file(folder: Path, first: int, portions: Iterable[Sequence[bytes]]) -> SegmentFile:
    """Writes portions of 256 entries' bodies, synced and read back from the disk; under its name only then.

    Raises:
        JournalUnavailable: it can't be written. No file of that name was made or changed.
        JournalDamaged: what was read back is not what was written.
    """
    leaves: list[bytes] = []
    members: list[bytes] = []
    for bodies in portions:
        leaves += map(leaf_hash, bodies)
        members.append(_packed(bodies))
    root = root_of(leaves)
    head = _Head(len(leaves), first, _FORMAT, [len(member) for member in members], root.hex())
    whole = b"".join([gzip.compress(msgspec.json.encode(head) + b"\n", _LEVEL, mtime=0), *members])
    made = SegmentFile(first, len(leaves), root, sha256(whole).digest(), len(whole))
    draft = folder / f".{first:012d}-{secrets.token_hex(4)}.part"  # several daemons may write the same segment: one name of it wins
    try:
        _sweep(folder, first)
        _write_synced(draft, whole)
        if require_sound(draft, made) != leaves:
            raise JournalDamaged(f"archive file {draft} does not read back as it was written: nothing was removed", index=first)
        draft.rename(folder / made.name)
        _sync_folder(folder)
    except OSError as error:
        raise JournalUnavailable(f"the archive can't be written to {folder}: {error.strerror}", retry_after_s=_RETRY_S) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return made


def require_sound(path: Path, made: SegmentFile) -> list[bytes]:
    """That a file is the one that was made, byte for byte, and that its entries lead to its root; their leaf hashes.

    Raises:
        JournalDamaged: it is another, or not as it was written.
        EntryArchived: it is not there.
    """
    content = _read(path, made.first)
    if sha256(content).digest() != made.sha256:
        raise _damaged(path, made.first, "is not the file that was made: its SHA-256 is another")
    leaves = [leaf_hash(body) for number in range(made.entries // PORTION_ENTRIES) for body in read_portion(path, made, number)]
    if root_of(leaves) != made.root:
        raise _damaged(path, made.first, "does not lead to the root in its name")
    return leaves


def read_portion(path: Path, made: SegmentFile, number: int) -> list[bytes]:
    """The bodies of 256 entries; number: of the portion, within the file. JournalDamaged, EntryArchived as `require_sound`."""
    index = made.first + number * PORTION_ENTRIES
    try:
        with path.open("rb") as file:
            start, lengths = _layout(path, made, path.stat().st_mtime_ns)
            file.seek(start + sum(lengths[:number]))
            lines = _unpacked(file.read(lengths[number]), _PORTION_BYTES_MAX).split(b"\n")
    except FileNotFoundError as error:
        raise _away(path, index) from error
    except (OSError, zlib.error, EOFError, IndexError) as error:
        raise _damaged(path, index, f"can't be read ({type(error).__name__})") from error
    if len(lines) != PORTION_ENTRIES + 1 or lines[-1]:
        raise _damaged(path, index, f"does not have its {PORTION_ENTRIES} entries there")
    return lines[:-1]


def bodies_of(path: Path) -> Iterator[bytes]:
    """All entries of any file of this form, for who reads it on its own. JournalDamaged when it is none."""
    match = _NAME.fullmatch(path.name)
    try:
        lines = _unpacked_lines(path)
        head = msgspec.json.decode(next(lines), type=_Head)
    except (OSError, zlib.error, EOFError, StopIteration, msgspec.DecodeError) as error:
        raise _damaged(path, int(match[1]) if match else 0, "is no archived segment") from error
    if head.format != _FORMAT or not match or (head.first, head.root) != (int(match[1]), match[2]):
        raise _damaged(path, head.first, "says another first entry or root than its name")
    yield from lines


def _unpacked_lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as lines:
        for line in lines:
            yield line.removesuffix(b"\n")


def _packed(bodies: Sequence[bytes]) -> bytes:
    if any(b"\n" in body for body in bodies):
        raise JournalDamaged("an entry has a line end within: it was never written so; verify the journal")
    return gzip.compress(b"".join(body + b"\n" for body in bodies), _LEVEL, mtime=0)


def _unpacked(member: bytes, bytes_max: int) -> bytes:
    """A whole gzip member, its check value looked at."""
    unpacker = zlib.decompressobj(_GZIP)
    content = unpacker.decompress(member, bytes_max)
    if not unpacker.eof:
        raise EOFError
    return content


@lru_cache(maxsize=64)
def _layout(path: Path, made: SegmentFile, _changed_ns: int) -> tuple[int, list[int]]:
    """Where the portions begin, and how long each is."""
    with path.open("rb") as file:
        begin = file.read(_HEAD_BYTES_MAX)
    unpacker = zlib.decompressobj(_GZIP)
    line = unpacker.decompress(begin, _HEAD_BYTES_MAX)
    if not unpacker.eof:
        raise EOFError
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.DecodeError as error:
        raise _damaged(path, made.first, "has no head that can be read") from error
    if (head.format, head.first, head.entries, head.root) != (_FORMAT, made.first, made.entries, made.root.hex()):
        raise _damaged(path, made.first, "is of another segment")
    return len(begin) - len(unpacker.unused_data), head.portions


def _read(path: Path, index: int) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _away(path, index) from error
    except OSError as error:
        raise JournalUnavailable(f"archive file {path} can't be read: {error.strerror}", retry_after_s=_RETRY_S) from error


def _sweep(folder: Path, first: int) -> None:
    """Removes what was being written when a daemon ended."""
    for draft in folder.glob(f".{first:012d}-*.part"):
        if draft.stat().st_mtime < time.time() - _DRAFT_S_MAX:
            draft.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read back comes from the disk


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _away(path: Path, index: int) -> EntryArchived:
    return EntryArchived(f"journal entry {index} was archived, and {path} is not there: put the file back", index=index, file=path.name)


def _damaged(path: Path, index: int, what: str) -> JournalDamaged:
    return JournalDamaged(f"archive file {path.name} {what} (journal entry {index})", index=index, file=path.name)
