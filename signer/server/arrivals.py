"""Documents as they come in on a stream: whole, in chunks, or several whole ones in a lot.

A document that breaks a limit is refused alone, and its chunks are skipped. Every document that was begun ends exactly once, arrived or
refused, before the next one does; its index is its place among them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from signer.config.server import ServerSettings
from signer.errors import BatchTooLarge, DocumentDigestMismatch, InvalidArgument, SignerError
from signer.pipeline.request import shutting_down
from signer.server import convert
from signer.server.limits import duplicate, require_size
from signer.server.served import require_served
from signer.v1 import batch_pb2

_PAUSE_S = 0.2


class Sink(Protocol):
    """Who takes the documents."""

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """Raises why this document is refused, beside what holds for all streams."""

    async def arrived(self, index: int, start: batch_pb2.DocumentStart, content: bytes) -> None:
        """A whole document; the stream is read no further until this returns."""

    def refused(self, index: int, document_id: str, error: SignerError) -> None:
        """A document that will not come whole, or must not."""


@dataclass(slots=True)
class _Arriving:
    """A document whose bytes are still coming. refused: why it is; its chunks are counted and dropped."""

    index: int
    start: batch_pb2.DocumentStart
    content: bytes | bytearray = b""
    received_bytes: int = 0
    refused: SignerError | None = None


class Arrivals:
    """One stream's reading side after its header. documents_max: the ones beyond it are refused one by one."""

    def __init__(self, settings: ServerSettings, sink: Sink, *, documents_max: int) -> None:
        self._settings = settings
        self._sink = sink
        self._documents_max = documents_max
        self._begun = 0
        self._seen: set[str] = set()
        self._arriving: _Arriving | None = None
        self._was_refused = False  # the document that ended last; it is not kept: a stream goes round in a cycle, which ends late
        self._messages = 0
        self._is_handling = False
        self._is_cut = False

    async def read(self, messages: AsyncIterator[Any], drained: asyncio.Event) -> None:
        """Reads to the stream's end, or until the daemon is `drained` and the caller pauses.

        Raises InvalidArgument for a message out of order.
        """
        reader = asyncio.create_task(self._read_all(messages))
        cutter = asyncio.create_task(self._cut_when_drained(reader, drained))
        try:
            await reader
        except asyncio.CancelledError:
            if not self._is_cut:
                raise
        finally:
            reader.cancel()
            cutter.cancel()
            await asyncio.gather(reader, cutter, return_exceptions=True)
        self._end_unfinished()

    async def _cut_when_drained(self, reader: asyncio.Task[None], drained: asyncio.Event) -> None:
        """The daemon stops: who goes on sending is told so item by item, who leaves the stream open and sends nothing gets the summary."""
        await drained.wait()
        seen = -1
        while self._is_handling or seen != self._messages:
            seen = self._messages
            await asyncio.sleep(_PAUSE_S)
        self._is_cut = True
        reader.cancel()

    async def _read_all(self, messages: AsyncIterator[Any]) -> None:
        async for message in messages:
            self._is_handling = True
            self._messages += 1
            kind = message.WhichOneof("message")
            if kind == "document":
                self._end_unfinished()
                await self._begin(message.document)
            elif kind == "lot":
                for start in message.lot.documents:
                    self._end_unfinished()
                    await self._begin(start)
                self._end_unfinished()
            elif kind == "chunk":
                await self._continue(message.chunk.data)
            else:
                raise InvalidArgument("after the header only documents and their chunks may come", field="message")
            self._is_handling = False

    async def _begin(self, start: batch_pb2.DocumentStart) -> None:
        arriving = _Arriving(self._begun, start)
        self._begun += 1
        self._arriving = arriving
        try:
            self._admit(arriving.index, start)
        except SignerError as error:
            arriving.refused = error
        await self._take(start.data)

    async def _continue(self, data: bytes) -> None:
        """A chunk: of the document that is arriving, or more than it announced, which is a mistake in the caller's framing.

        It can't be told what such bytes belong to, and the document before them may be done by then: so the stream ends, unless that
        document was refused anyway.
        """
        if self._arriving is not None:
            await self._take(data)
        elif data and not self._was_refused:
            raise InvalidArgument("a chunk came that continues no document: more bytes than document.size_bytes announced", field="chunk")

    def _admit(self, index: int, start: batch_pb2.DocumentStart) -> None:
        require_served(start, "document.")
        self._sink.check_start(start)
        convert.identifier(start.document_id, "document.document_id")
        convert.sha256(start.sha256, "document.sha256")
        convert.field_name(start.field_name)
        convert.file_name(start.file_name)
        if start.document_id in self._seen:
            raise duplicate(start.document_id)
        if index >= self._documents_max:
            raise BatchTooLarge(
                f"more than {self._documents_max} documents: send no more than header.expected_documents, and the rest as another batch",
                limitCount=self._documents_max,
            )
        self._seen.add(start.document_id)
        require_size(start.size_bytes, self._settings.limits.document_bytes_max)

    async def _take(self, data: bytes) -> None:
        arriving = self._arriving
        if arriving is None:
            return
        arriving.received_bytes += len(data)
        if arriving.refused is None:
            if arriving.received_bytes > arriving.start.size_bytes:
                arriving.refused = InvalidArgument("more bytes came than document.size_bytes announced", field="document.size_bytes")
                arriving.content = b""
            elif not arriving.content:
                arriving.content = data  # most documents are whole here
            else:
                arriving.content = bytearray(arriving.content) if isinstance(arriving.content, bytes) else arriving.content
                arriving.content += data
        if arriving.received_bytes >= arriving.start.size_bytes:
            self._arriving = None
            await self._complete(arriving)

    def _end_unfinished(self) -> None:
        arriving, self._arriving = self._arriving, None
        if arriving is None:
            return
        self._was_refused = arriving.refused is not None
        error = arriving.refused or InvalidArgument(
            f"only {arriving.received_bytes} of the {arriving.start.size_bytes} bytes announced came before the next message",
            field="document.size_bytes",
        )
        self._sink.refused(arriving.index, arriving.start.document_id, shutting_down() if self._is_cut else error)

    async def _complete(self, arriving: _Arriving) -> None:
        start = arriving.start
        content = bytes(arriving.content)
        if arriving.refused is None and start.sha256 and hashlib.sha256(content).digest() != start.sha256:
            arriving.refused = DocumentDigestMismatch("the document's bytes do not have the SHA-256 announced; it was damaged on its way")
        self._was_refused = arriving.refused is not None
        if arriving.refused is not None:
            self._sink.refused(arriving.index, start.document_id, arriving.refused)
        else:
            await self._sink.arrived(arriving.index, start, content)
