"""Archive files held against what the database kept of their entries, and a folder against what is on record."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from signer.errors import EntryArchived, JournalDamaged
from signer.formats.merkle import leaf_hash
from signer.journal.portions import kept_members, read_leaves, read_portion_members
from signer.journal.segment_file import names_in, read_portion
from signer.journal.segments import Segment
from signer.store.segment_tables import PORTION_ENTRIES


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """missing: files whose entries nobody could read; all that are on record where no folder was given. foreign: not on record."""

    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def missing_files(on_record: Collection[Segment], folder: Path | None) -> list[str]:
    """Names of files that are not in the folder; none is read. JournalUnavailable when the folder can't be."""
    there = names_in(folder) if folder is not None and on_record else {}
    return [each.name for each in on_record if each.name not in there]


def check_archive(
    connection: Connection, on_record: Collection[Segment], folder: Path | None, on_read: Callable[[], None] = lambda: None
) -> ArchiveReport:
    """Reads every file that is there. on_read: told after each portion.

    Raises:
        JournalDamaged: a file has other entries than were archived, or answers would tell other things of them than they say.
        JournalUnavailable: the folder can't be read.
    """
    if folder is None:
        return ArchiveReport(tuple(each.name for each in on_record))
    missing = [each.name for each in on_record if not _is_sound(connection, each, folder, on_read)]
    archived = max((each.span.end for each in on_record), default=0)
    known = {each.name for each in on_record}
    # A file of what is not on record yet is one that was written when the daemon stopped: it is made again.
    foreign = sorted(name for name, first in names_in(folder).items() if first < archived and name not in known)
    return ArchiveReport(tuple(missing), tuple(foreign))


def _is_sound(connection: Connection, segment: Segment, folder: Path, on_read: Callable[[], None]) -> bool:
    """Whether it is there."""
    if segment.file is None:
        return True
    path = folder / segment.name
    try:
        for number in range(segment.span.entries // PORTION_ENTRIES):
            bodies = read_portion(path, segment.file, number)
            _require_kept(connection, segment.span.first // PORTION_ENTRIES + number, bodies, path)
            on_read()
        if sha256(path.read_bytes()).digest() != segment.file.sha256:
            what = f"archive file {path.name} is not the one that was made: its SHA-256 is another"
            raise JournalDamaged(what, index=segment.span.first, file=path.name)
    except EntryArchived:
        return False
    return True


def _require_kept(connection: Connection, number: int, bodies: list[bytes], path: Path) -> None:
    """That a portion's entries are those whose hashes and members stayed; of one that is not moved yet, the hashes tell."""
    first = number * PORTION_ENTRIES
    leaves = read_leaves(connection, number)
    if not leaves:
        return
    for offset, (body, leaf) in enumerate(zip(bodies, leaves, strict=True)):
        if leaf_hash(body) != leaf:
            index = first + offset
            raise JournalDamaged(f"journal entry {index} was changed in archive file {path.name}", index=index, file=path.name)
    told = [kept_members(body) for body in bodies]
    for offset, kept in enumerate(read_portion_members(connection, number)):
        if kept != told[offset]:
            index = first + offset
            raise JournalDamaged(f"what the database tells of archived entry {index} is not what it says", index=index)
