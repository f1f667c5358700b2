"""A stream of documents that are looked at, nothing more: an answer for each in the order they came, then a summary.

At most a window of documents and bytes is in work at once; the stream is read no further while it is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from signer.config.server import ServerSettings
from signer.errors import InvalidArgument, SignerError
from signer.pipeline.request import Request
from signer.server.arrivals import Arrivals
from signer.v1 import batch_pb2

FoundT = TypeVar("FoundT")
"""What a look at a document finds."""
ResponseT = TypeVar("ResponseT")
"""The method's response."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[FoundT]):
    """A document on its way. size_bytes: that it holds of the window; 0 for one that was refused."""

    document_id: str
    looked: asyncio.Task[FoundT | SignerError] | SignerError
    size_bytes: int = 0


class LookStream(Generic[ResponseT, FoundT]):
    """One stream after its header."""

    def __init__(self, settings: ServerSettings, request: Request) -> None:
        self._settings = settings
        self.request = request
        self._entries: asyncio.Queue[_Entry[FoundT] | Exception | None] = asyncio.Queue()
        self._looking: set[asyncio.Task[FoundT | SignerError]] = set()
        self._in_work_bytes = 0
        self._room = asyncio.Event()

    async def look(self, content: bytes) -> FoundT | SignerError:
        """What one document is found to be; what is wrong with it alone is returned, not raised."""
        raise NotImplementedError

    def answer(self, document_id: str, found: FoundT | SignerError) -> ResponseT:
        """What is told of one document."""
        raise NotImplementedError

    def summary(self) -> ResponseT:
        """What is told of all, at the end."""
        raise NotImplementedError

    async def run(self, messages: AsyncIterator[Any]) -> AsyncIterator[ResponseT]:
        """Everything after the header. Raises InvalidArgument for a message out of order, and what ends the request."""
        reader = asyncio.create_task(self._read(messages))
        try:
            while (entry := await self._entries.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                yield self.answer(entry.document_id, await self._looked(entry))
            yield self.summary()
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
        self.request.check()
        limits = self._settings.limits
        while self._looking and (
            len(self._looking) >= limits.batch_in_flight_documents or self._in_work_bytes + len(content) > limits.batch_in_flight_bytes_max
        ):
            self._room.clear()
            await self._room.wait()
        task = asyncio.create_task(self.look(content))
        self._looking.add(task)
        self._in_work_bytes += len(content)
        self._entries.put_nowait(_Entry(start.document_id, task, len(content)))

    def refused(self, index: int, document_id: str, error: SignerError) -> None:  # noqa: ARG002
        """Has an answer as well."""
        self._entries.put_nowait(_Entry(document_id, error))

    async def _read(self, messages: AsyncIterator[Any]) -> None:
        try:
            await Arrivals(self._settings, self, documents_max=self._settings.limits.batch_documents_max).read(
                messages, self.request.drained
            )
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            self._entries.put_nowait(error)
        else:
            self._entries.put_nowait(None)

    async def _looked(self, entry: _Entry[FoundT]) -> FoundT | SignerError:
        if isinstance(entry.looked, SignerError):
            return entry.looked
        looked = await entry.looked
        self._looking.discard(entry.looked)
        self._in_work_bytes -= entry.size_bytes
        self._room.set()
        return looked
