"""Archives the journal's old segments at intervals and on demand, and says how that goes (`journal.archiving` has the steps)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from signer.errors import SignerError
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

    async def run(self) -> None:
        """Looks at intervals, until cancelled. A failure is logged and counted, and what was begun is gone on with at the next look."""
        settings = self._archiver.settings
        while settings is not None:
            try:
                await self._tell()
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

    async def _tell(self) -> None:
        on_record = await self._readings.run(read_archived)
        if on_record and (last := on_record[-1]).archived is not None:
            self._metrics.archived_entries.set(last.span.end)
            self._metrics.archive_made_seconds.set(last.archived.timestamp())
