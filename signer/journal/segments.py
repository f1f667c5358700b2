"""Segments of the log: which are archived, which are due, and the two steps of an archive that change the database.

A segment is a fixed number of entries, a power of 256, so that a root which the log keeps anyway (`log_nodes`) is the segment's. They are
archived in order, from entry 0 on: whatever was moved is the log's beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from signer.errors import JournalDamaged
from signer.formats.merkle import leaf_hash
from signer.journal.entries import decode_head
from signer.journal.jobs import Change
from signer.journal.ledger import Ledger
from signer.journal.log_nodes import LogNodes
from signer.journal.model import NoteKind
from signer.journal.portions import count_moved, move_portion
from signer.journal.rows import count_entries
from signer.journal.segment_file import SegmentFile, file_name, write_file
from signer.store.segment_tables import PORTION_ENTRIES, log_segment
from signer.store.tables import journal_entry
from signer.store.times import microseconds, moment


@dataclass(frozen=True, slots=True)
class Span:
    """Entries of the log."""

    first: int
    entries: int

    @property
    def end(self) -> int:
        """The entry after the last."""
        return self.first + self.entries

    @property
    def height(self) -> int:
        """Of the perfect subtree that these entries are."""
        return self.entries.bit_length() - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment. start, end: when its first and its last entry were written. file: None when it is not archived."""

    span: Span
    start: datetime
    end: datetime
    root: bytes
    chain_hash: bytes
    file: SegmentFile | None = None
    archived: datetime | None = None

    @property
    def name(self) -> str:
        """Its file's."""
        return file_name(self.span.first, self.root)


def read_archived(connection: Connection) -> list[Segment]:
    """Those on record, in order."""
    return [_segment(row) for row in connection.execute(select(log_segment).order_by(log_segment.c.first_index))]


def read_closed(connection: Connection, segment_entries: int) -> Iterator[Segment]:
    """Those that are full and not on record yet, in order."""
    on_record = read_archived(connection)
    first, size = on_record[-1].span.end if on_record else 0, count_entries(connection)
    while (span := _span_at(first, segment_entries)).end <= size:
        yield _closed(connection, span)
        first = span.end


def read_due(connection: Connection, segment_entries: int, before: datetime) -> Segment | None:
    """The oldest one that is full, not on record, and was written before then."""
    oldest = next(read_closed(connection, segment_entries), None)
    return oldest if oldest is not None and oldest.end < before else None


def read_unfinished(connection: Connection) -> Segment | None:
    """The one on record whose entries are not all moved yet."""
    moved = count_moved(connection)
    return next((each for each in read_archived(connection) if each.span.end > moved), None)


def write_segment(connection: Connection, segment: Segment, folder: Path) -> SegmentFile:
    """Its file, proven to have the entries whose root the log keeps.

    Raises:
        JournalDamaged: an entry is not as it was written; `metadata['index']`. No file was made.
        JournalUnavailable: the file can't be written.
    """
    made = write_file(folder, segment.span.first, _portions(connection, segment.span))
    if made.root != segment.root:
        (folder / made.name).unlink()
        raise JournalDamaged(f"entries from {segment.span.first} on do not lead to the log's root: verify it", index=segment.span.first)
    return made


class NoteArchived(Change):
    """Put a segment on record: its file is there, and its entries may leave. Nothing when it is on record already."""

    __slots__ = ("file", "segment")

    def __init__(self, loop: asyncio.AbstractEventLoop, segment: Segment, file: SegmentFile) -> None:
        super().__init__(loop)
        self.segment, self.file = segment, file

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        """The row, and a note in the log."""
        segment, file = self.segment, self.file
        if connection.execute(select(log_segment.c.entries).where(log_segment.c.first_index == segment.span.first)).first() is not None:
            return
        row = {
            "first_index": segment.span.first,
            "entries": segment.span.entries,
            "root": segment.root,
            "chain_hash": segment.chain_hash,
            "start_us": microseconds(segment.start),
            "end_us": microseconds(segment.end),
            "archived_us": ledger.now_us,
            "file_sha256": file.sha256,
            "file_bytes": file.size_bytes,
        }
        connection.execute(insert(log_segment).values(row))
        detail: dict[str, str | int] = {"first": segment.span.first, "entries": segment.span.entries, "fileSha256": file.sha256.hex()}
        ledger.note(NoteKind.SEGMENT_ARCHIVED, file.name, detail)


class MovePortion(Change):
    """Take the next portion's entries out of the database; how many."""

    __slots__ = ("number",)

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        super().__init__(loop)
        self.number = number

    def apply(self, connection: Connection, ledger: Ledger) -> int:  # noqa: ARG002
        """How many were moved."""
        return move_portion(connection, self.number)


def _span_at(first: int, segment_entries: int) -> Span:
    """The next segment; a small one where the size was raised since and a large one can't begin here."""
    return Span(first, segment_entries if first % segment_entries == 0 else PORTION_ENTRIES)


def _closed(connection: Connection, span: Span) -> Segment:
    first, last = _entry(connection, span.first), _entry(connection, span.end - 1)
    root = LogNodes(connection).node(span.height, span.first >> span.height)
    return Segment(span, _written(first), _written(last), root, last.chain_hash)


def _entry(connection: Connection, index: int) -> Any:
    row = connection.execute(select(journal_entry).where(journal_entry.c.entry_index == index)).first()
    if row is None:
        raise JournalDamaged(f"journal entry {index} is missing: verify the journal", index=index)
    return row


def _written(row: Any) -> datetime:
    return datetime.fromisoformat(decode_head(row.body).at)


def _portions(connection: Connection, span: Span) -> Iterator[Sequence[bytes]]:
    columns = journal_entry.c
    query = select(columns.entry_index, columns.body, columns.leaf_hash).order_by(columns.entry_index)
    for first in range(span.first, span.end, PORTION_ENTRIES):
        rows = connection.execute(query.where(columns.entry_index >= first, columns.entry_index < first + PORTION_ENTRIES)).all()
        for expected in range(first, first + PORTION_ENTRIES):
            at = expected - first
            if at >= len(rows) or rows[at].entry_index != expected or leaf_hash(rows[at].body) != rows[at].leaf_hash:
                raise JournalDamaged(f"journal entry {expected} is not as it was written: nothing was archived", index=expected)
        yield [row.body for row in rows]


def _segment(row: Any) -> Segment:
    file = SegmentFile(row.first_index, row.entries, row.root, row.file_sha256, row.file_bytes)
    span = Span(row.first_index, row.entries)
    return Segment(span, moment(row.start_us), moment(row.end_us), row.root, row.chain_hash, file, moment(row.archived_us))
