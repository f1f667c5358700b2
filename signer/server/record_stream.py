"""CheckRecords: records in, a report for each in the order they came, then the summary.

At most a window of records and bytes is in work at once; the stream is read no further while it is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from signer.config.server import ServerSettings
from signer.documents.wire import CheckedRecordReply
from signer.errors import InvalidArgument, SignerError
from signer.pipeline.record_check import ClassCheck
from signer.pipeline.request import Request
from signer.server import convert_records
from signer.server.arrivals import Arrivals
from signer.v1 import batch_pb2, record_pb2

_Response = record_pb2.CheckRecordsResponse
_Looked = CheckedRecordReply | SignerError


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record on its way. size_bytes: that it holds of the window; 0 for one that was refused."""

    document_id: str
    looked: asyncio.Task[_Looked] | SignerError
    size_bytes: int = 0


class RecordStream:
    """One stream after its header."""

    def __init__(self, settings: ServerSettings, check: ClassCheck, request: Request) -> None:
        self._settings = settings
        self._check = check
        self._request = request
        self._entries: asyncio.Queue[_Entry | Exception | None] = asyncio.Queue()
        self._looking: set[asyncio.Task[_Looked]] = set()
        self._in_work_bytes = 0
        self._room = asyncio.Event()

    async def run(self, messages: AsyncIterator[Any]) -> AsyncIterator[_Response]:
        """Everything after the header. Raises InvalidArgument for a message out of order, and what ends the request."""
        reader = asyncio.create_task(self._read(messages))
        try:
            while (entry := await self._entries.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                verdict = self._check.judge(entry.document_id, await self._looked(entry))
                yield _Response(report=convert_records.report(verdict))
            yield _Response(summary=convert_records.summary(self._check.tally))
        finally:
            for task in (reader, *self._looking):
                task.cancel()
            await asyncio.gather(reader, *self._looking, return_exceptions=True)

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """Fields are of PDFs that are signed."""
        if start.field_name:
            raise InvalidArgument("document.field_name is for signatures; leave it unset", field="document.field_name")

    async def arrived(self, index: int, start: batch_pb2.DocumentStart, content: bytes) -> None:  # noqa: ARG002
        """Is looked at, once there is room in the window."""
        self._request.check()
        limits = self._settings.limits
        while self._looking and (
            len(self._looking) >= limits.batch_in_flight_documents or self._in_work_bytes + len(content) > limits.batch_in_flight_bytes_max
        ):
            self._room.clear()
            await self._room.wait()
        task = asyncio.create_task(self._check.look(content))
        self._looking.add(task)
        self._in_work_bytes += len(content)
        self._entries.put_nowait(_Entry(start.document_id, task, len(content)))

    def refused(self, index: int, document_id: str, error: SignerError) -> None:  # noqa: ARG002
        """Has a report as well."""
        self._entries.put_nowait(_Entry(document_id, error))

    async def _read(self, messages: AsyncIterator[Any]) -> None:
        try:
            await Arrivals(self._settings, self, documents_max=self._settings.limits.batch_documents_max).read(
                messages, self._request.drained
            )
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            self._entries.put_nowait(error)
        else:
            self._entries.put_nowait(None)

    async def _looked(self, entry: _Entry) -> _Looked:
        if isinstance(entry.looked, SignerError):
            return entry.looked
        looked = await entry.looked
        self._looking.discard(entry.looked)
        self._in_work_bytes -= entry.size_bytes
        self._room.set()
        return looked
