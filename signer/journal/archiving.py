"""Moves closed segments of the log into files, while signing goes on.

 1. the oldest segment that is full, whose last entry is older than the retention
 2. its entries are read beside the journal's thread, and written: under a temporary name, synced, read back from the disk, their root
    compared with the one that the log keeps, and only then given the file's name (`segment_file`)
 3. one commit puts the segment on record: its row, and a note in the log with the file's SHA-256
 4. its entries leave the database, 256 a commit, each commit leaving what proofs and answers need (`portions`)

Rules of the room:
- Whatever stops between two steps, the next run goes on from what is on record. Before step 3 nothing is: the file is written again.
- After a restart no entry leaves before its file was read through once more: bytes that were there a week ago prove nothing.
- The journal's thread is never taken for long: between two portions it has four times as long for signatures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from signer.errors import ConfigError
from signer.journal.journal import Journal
from signer.journal.portions import count_moved
from signer.journal.reading import Readings
from signer.journal.segment_file import require_sound
from signer.journal.segments import MovePortion, NoteArchived, Segment, read_due, read_unfinished, write_segment
from signer.journal.settings import ArchiveSettings
from signer.store.segment_tables import PORTION_ENTRIES

_REST = 4


class Archiver:
    """The door. settings: None where nothing is archived."""

    def __init__(self, journal: Journal, readings: Readings, settings: ArchiveSettings | None, utc_now: Callable[[], datetime]) -> None:
        self.settings = settings
        self._journal = journal
        self._readings = readings
        self._utc_now = utc_now
        self._working = asyncio.Lock()

    async def archive_due(self) -> AsyncIterator[Segment]:
        """Each segment that is due, once it is in its file and out of the database; one that an earlier run began comes first.

        Raises:
            ConfigError: no folder is configured.
            JournalUnavailable: the file or the database can't be written; what is on record stays, and is gone on with.
            JournalDamaged: an entry is not as it was written, or a file not as it was made. Nothing of it left the database.
            EntryArchived: the file of a segment that was begun is gone. Its entries stay.
        """
        settings = self.settings
        if settings is None:
            raise ConfigError("nothing is archived here: [journal.archive] names no directory")
        async with self._working:
            begun = await self._readings.run(read_unfinished)
            if begun is not None and begun.file is not None:
                await asyncio.to_thread(require_sound, settings.directory / begun.name, begun.file)
                await self._move(begun)
                yield begun
            before = self._utc_now() - timedelta(days=settings.keep_days)
            while (due := await self._readings.run(partial(read_due, segment_entries=settings.segment_entries, before=before))) is not None:
                yield await self._archive(due, settings.directory)

    async def _archive(self, due: Segment, folder: Path) -> Segment:
        file = await self._readings.run(partial(write_segment, segment=due, folder=folder))
        await self._journal.run(NoteArchived(asyncio.get_running_loop(), due, file))
        await self._move(due)
        return due

    async def _move(self, segment: Segment) -> None:
        loop = asyncio.get_running_loop()
        moved = await self._readings.run(count_moved)
        for first in range(max(moved, segment.span.first), segment.span.end, PORTION_ENTRIES):
            began_s = loop.time()
            await self._journal.run(MovePortion(loop, first // PORTION_ENTRIES))
            await asyncio.sleep(_REST * (loop.time() - began_s))
