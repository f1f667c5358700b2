"""Entries wherever they stand: in the database, or in the file of an archived segment.

What comes from a file is held against the leaf hashes that stayed, each time: a file that was changed answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from signer.errors import EntryArchived, JournalDamaged
from signer.formats.merkle import leaf_hash
from signer.journal.entries import decode, decode_head
from signer.journal.portions import count_moved, read_leaves
from signer.journal.segment_file import read_portion
from signer.journal.segments import Segment, Span, read_archived
from signer.store.segment_tables import PORTION_ENTRIES
from signer.store.tables import journal_entry

_INDEX_MAX = 2**63
_CLOCK_SLACK = timedelta(days=1)
"""A segment's times are its first and last entry's; those between may differ by what the clocks of several daemons do, and some steps."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. kind: intent, note, or an outcome's. completes: whether a parked signature got its timestamp with it."""

    index: int
    kind: str
    body: bytes
    leaf_hash: bytes
    completes: bool = False

    @property
    def members(self) -> dict[str, Any]:
        """What it says."""
        return decode(self.body)


class Shelves:
    """One reading's look at all entries. folder: of the archive; None where there is none."""

    def __init__(self, connection: Connection, folder: Path | None) -> None:
        self.connection = connection
        self._folder = folder
        self._moved = count_moved(connection)
        self._segments = read_archived(connection) if self._moved else []

    def entries(self, first: int, end: int) -> list[LogEntry]:
        """Those from `first` to before `end`, as far as there are any. EntryArchived, JournalDamaged."""
        columns = journal_entry.c
        query = select(columns.entry_index, columns.kind, columns.body, columns.leaf_hash)
        query = query.where(columns.entry_index >= first, columns.entry_index < end).order_by(columns.entry_index)
        archived = list(self._archived(first, min(end, self._moved)))
        return archived + [LogEntry(*row) for row in self.connection.execute(query)]

    def shelf(self, index: int) -> Span:
        """What stands where an entry stands: those of its archive file, or all in the database, as far as an entry can ever be."""
        segment = self._segment(index) if index < self._moved else None
        if segment is None:
            return Span(self._moved, _INDEX_MAX - self._moved)
        return Span(segment.span.first, min(segment.span.end, self._moved) - segment.span.first)

    def passes(self, index: int, start: datetime | None, end: datetime | None = None) -> bool:
        """Whether an entry's shelf is a file of which all was written before `start` or from `end` on: it needn't be read."""
        segment = self._segment(index) if index < self._moved else None
        if segment is None:
            return False
        is_early = start is not None and segment.end + _CLOCK_SLACK < start
        return is_early or (end is not None and segment.start - _CLOCK_SLACK >= end)

    def _archived(self, first: int, end: int) -> Iterator[LogEntry]:
        for number in range(first // PORTION_ENTRIES, -(-end // PORTION_ENTRIES)):
            begin = number * PORTION_ENTRIES
            leaves = read_leaves(self.connection, number)
            for offset, (body, leaf) in enumerate(zip(self._bodies(number), leaves, strict=True)):
                if leaf_hash(body) != leaf:
                    index = begin + offset
                    raise JournalDamaged(f"journal entry {index} was changed in its archive file: verify the journal", index=index)
                if first <= begin + offset < end:
                    yield LogEntry(begin + offset, decode_head(body).kind, body, leaf)

    def _bodies(self, number: int) -> list[bytes]:
        index = number * PORTION_ENTRIES
        segment = self._segment(index)
        if segment is None or segment.file is None:
            raise JournalDamaged(f"journal entry {index} was archived, and no segment on record has it: verify the journal", index=index)
        if self._folder is None:
            what = (
                f"journal entry {index} was archived in {segment.name}, and no archive is configured: name its folder in [journal.archive]"
            )
            raise EntryArchived(what, index=index, file=segment.name)
        return read_portion(self._folder / segment.name, segment.file, (index - segment.span.first) // PORTION_ENTRIES)

    def _segment(self, index: int) -> Segment | None:
        return next((each for each in self._segments if each.span.first <= index < each.span.end), None)
