"""Archives the journal's old segments at intervals and on demand, and says how that goes (`journal.archiving` has the steps)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from signer.errors import SignerError
from signer.journal.archive_check import missing_files
from signer.journal.archiving import Archiver
from signer.journal.leading import Leading, Task
from signer.journal.reading import Readings
from signer.journal.segments import Segment, read_archived, read_closed
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics

_log = get_logger(__name__)
_DEFAULT_ENTRIES = 65_536


class Archiving:
    """The daemon's archivist. Without `[journal.archive]` it can list segments, and archives none."""

    def __init__(self, archiver: Archiver, readings: Readings, leading: Leading, metrics: Metrics) -> None:
        self._archiver = archiver
        self._readings = readings
        self._leading = leading
        self._metrics = metrics
        self._known_missing: Sequence[str] = ()

    @property
    def folder(self) -> Path | None:
        """Where this daemon has its archive; None without `[journal.archive]`."""
        return self._archiver.settings.directory if self._archiver.settings else None

    async def missing(self) -> list[str]:
        """Files on record that are not in this daemon's folder; all of them where it has none. JournalUnavailable."""
        on_record = await self._readings.run(read_archived)
        return await asyncio.to_thread(missing_files, on_record, self.folder)

    async def run(self) -> None:
        """Looks at intervals, until cancelled. A failure is logged and counted, and what was begun is gone on with at the next look."""
        settings = self._archiver.settings
        if settings is None:
            await self._warn()
        while settings is not None:
            try:
                await self._tell()
                await self._warn()
                if await self._leading.leads(Task.HOUSEKEEPING):
                    async for _segment in self.archive():
                        pass
            except SignerError as error:
                _log.error("segment not archived", reason=error.reason.value, problem=error.message)
            await asyncio.sleep(settings.interval_s)

    async def archive(self) -> AsyncIterator[Segment]:
        """Each segment that is due, once it is done; raises what `Archiver.archive_due` does."""
        try:
            async for segment in self._archiver.archive_due():
                _log.info("segment archived", file=segment.name, entries=segment.span.entries)
                await self._tell()
                yield next(each for each in await self._readings.run(read_archived) if each.span == segment.span)
        except SignerError as error:
            self._metrics.archive_failures.labels(reason=error.reason.value).inc()
            raise

    async def segments(self) -> list[Segment]:
        """Those on record and those that could be, in order."""
        settings = self._archiver.settings
        size = settings.segment_entries if settings else _DEFAULT_ENTRIES
        return await self._readings.run(lambda connection: [*read_archived(connection), *read_closed(connection, size)])

    async def _warn(self) -> None:
        """Of what other daemons, or earlier ones, archived where this one does not look: once, until it is something else."""
        try:
            missing = await self.missing()
        except SignerError as error:
            _log.error("archive not looked at", reason=error.reason.value, problem=error.message)
            return
        if missing and missing != self._known_missing:
            _log.warning(
                "archived segments missing",
                folder=str(self.folder or ""),
                count=len(missing),
                file=missing[0],
                remedy="daemons on one database share one archive folder: name it in [journal.archive], or put the files back",
            )
        self._known_missing = missing

    async def _tell(self) -> None:
        on_record = await self._readings.run(read_archived)
        if on_record and (last := on_record[-1]).archived is not None:
            self._metrics.archived_entries.set(last.span.end)
            self._metrics.archive_made_seconds.set(last.archived.timestamp())
