"""A stream of documents: its reading and its writing side, whatever is done with the documents.

Read: after the header documents, each whole or in chunks, or several whole ones in a lot; a document that breaks a limit is refused alone
and its chunks are skipped. Write: results as they end (content in chunks below the message limit; what ended together as a lot, where the
caller takes lots), then the summary. What else a method's stream says is said by
its own class (`batch_stream`, `extend_stream`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from signer.config.server import ServerSettings
from signer.errors import BatchTooLarge, DocumentDigestMismatch, InvalidArgument, SignerError
from signer.formats.insertions import Additions
from signer.model import FieldPlacement
from signer.pipeline.batch import Batch, DoneT, ItemOutcome
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.request import Request, shutting_down
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.door import current_visit
from signer.server.limits import duplicate, require_size
from signer.server.served import require_served
from signer.v1 import batch_pb2, signature_pb2

ResponseT = TypeVar("ResponseT")
"""The method's response: a oneof of `result`, `chunk`, `summary` and perhaps more."""
_Result = tuple[batch_pb2.DocumentResult, bytes]
"""A result and the content it is to carry."""
_CHUNK_BYTES = 1024 * 1024
_MESSAGE_HEADROOM_BYTES = 16 * 1024
_PAUSE_S = 0.2


@dataclass(slots=True)
class _Arriving:
    """A document whose bytes are still coming. refused: why it will not be signed; its chunks are counted and dropped."""

    index: int
    start: batch_pb2.DocumentStart
    content: bytes | bytearray = b""
    received_bytes: int = 0
    refused: SignerError | None = None


async def read_header(messages: AsyncIterator[Any]) -> tuple[Any, Request]:
    """A stream's first message, and the budget of what follows. Raises InvalidArgument when it is no header."""
    first = await anext(aiter(messages), None)
    if first is None or first.WhichOneof("message") != "header":
        raise InvalidArgument("the first message of the stream must be the header", field="header")
    header = first.header
    school_id = convert.identifier(header.school_id, "header.school_id")
    return header, current_visit().request(school_id, convert.identifier(header.request_id, "header.request_id"))


class DocumentStream(Generic[ResponseT, DoneT]):
    """One stream after its header.

    placement: where a document names no field of its own. expected_documents: 0 when not known. in_lots: the caller takes results in lots.
    """

    response: ClassVar[type[Any]]
    """ResponseT."""

    def __init__(
        self, settings: ServerSettings, batch: Batch[DoneT], *, placement: FieldPlacement, expected_documents: int, in_lots: bool
    ) -> None:
        self.batch = batch
        self.settings = settings
        self.expected_documents = expected_documents
        self.started_s = asyncio.get_running_loop().time()
        # What goes out together stays together: a result and its chunks are one entry.
        self.outbox: asyncio.Queue[list[ResponseT] | Exception | None] = asyncio.Queue(maxsize=4)
        self._placement = placement
        self._in_lots = in_lots
        self._content_bytes_max = min(_CHUNK_BYTES, settings.message_bytes_max - _MESSAGE_HEADROOM_BYTES)
        self._seen: set[str] = set()
        self._fields: dict[str, str] = {}
        self._arriving: _Arriving | None = None
        self._latest: _Arriving | None = None
        limit = settings.limits.batch_documents_max
        self._documents_max = min(limit, expected_documents) if expected_documents else limit
        self._messages = 0
        self._is_handling = False
        self._is_cut = False

    def opening(self) -> Sequence[ResponseT]:
        """What is said before the first result."""
        return ()

    def upkeep(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs beside reading and writing, and is cancelled with them."""
        return ()

    def check_start(self, start: batch_pb2.DocumentStart) -> None:
        """Raises why this document is refused, beside what holds for all streams."""

    def content(self, outcome: ItemOutcome[DoneT], additions: Additions) -> bytes:
        """What is sent of a document: by default all of it."""
        return additions.merge(outcome.content or b"")

    def info(self, done: DoneT, field: str) -> signature_pb2.SignatureInfo:
        """What was made of a document. field: the name it was to get, or the plan's."""
        raise NotImplementedError

    async def finish(self) -> None:
        """Awaited when all documents have ended, before the summary."""

    def complete_summary(self, summary: batch_pb2.BatchSummary) -> None:
        """Adds what only this method tells."""

    async def run(self, messages: AsyncIterator[Any]) -> AsyncIterator[ResponseT]:
        """Everything after the header, up to and with the summary. Raises InvalidArgument for a message out of order."""
        for response in self.opening():
            yield response
        reader = asyncio.create_task(self._read(messages))
        others = (self._write(), self._cut_when_drained(reader), *self.upkeep())
        tasks = [reader, *(asyncio.create_task(other) for other in others)]
        try:
            while (entry := await self.outbox.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                for response in entry:
                    yield response
            yield self.response(summary=self._summary())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, messages: AsyncIterator[Any]) -> None:
        try:
            await self._read_all(messages)
        except asyncio.CancelledError:
            if not self._is_cut:
                raise
            self._end_unfinished()
            self.batch.end_of_input()
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            await self.outbox.put(error)

    async def _cut_when_drained(self, reader: asyncio.Task[None]) -> None:
        """The daemon stops: who goes on sending is told so item by item, who leaves the stream open and sends nothing gets the summary."""
        await self.batch.request.drained.wait()
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
        self._end_unfinished()
        self.batch.end_of_input()

    async def _begin(self, start: batch_pb2.DocumentStart) -> None:
        arriving = _Arriving(self.batch.tally.received, start)
        self._arriving = self._latest = arriving
        try:
            self._admit(arriving.index, start)
        except SignerError as error:
            arriving.refused = error
        await self._take(start.data)

    async def _continue(self, data: bytes) -> None:
        """A chunk: of the document that is arriving, or more than it announced, which is a mistake in the caller's framing.

        It can't be told what such bytes belong to, and the document before them may be signed by then: so the stream ends, unless that
        document was refused anyway.
        """
        if self._arriving is not None:
            await self._take(data)
        elif data and (self._latest is None or self._latest.refused is None):
            raise InvalidArgument("a chunk came that continues no document: more bytes than document.size_bytes announced", field="chunk")

    def _admit(self, index: int, start: batch_pb2.DocumentStart) -> None:
        require_served(start, "document.")
        self.check_start(start)
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
        require_size(start.size_bytes, self.settings.limits.document_bytes_max)

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
        if arriving is not None and self._is_cut:
            self.batch.refuse(arriving.index, arriving.start.document_id, shutting_down())
        elif arriving is not None:
            error = arriving.refused or InvalidArgument(
                f"only {arriving.received_bytes} of the {arriving.start.size_bytes} bytes announced came before the next message",
                field="document.size_bytes",
            )
            self.batch.refuse(arriving.index, arriving.start.document_id, error)

    async def _complete(self, arriving: _Arriving) -> None:
        start = arriving.start
        content = bytes(arriving.content)
        if arriving.refused is None and start.sha256 and hashlib.sha256(content).digest() != start.sha256:
            arriving.refused = DocumentDigestMismatch("the document's bytes do not have the SHA-256 announced; it was damaged on its way")
        if arriving.refused is not None:
            self.batch.refuse(arriving.index, start.document_id, arriving.refused)
            return
        placement = self._placement
        if start.field_name:
            placement = replace(placement, field_name=start.field_name)
            self._fields[start.document_id] = start.field_name
        await self.batch.submit(arriving.index, IncomingDocument(start.document_id, content, placement))

    async def _write(self) -> None:
        try:
            async for outcomes in self.batch.outcomes():
                results = [self._result(outcome) for outcome in outcomes]
                if self._in_lots:
                    await self.outbox.put(self._lots(results))
                else:
                    for result, content in results:
                        await self.outbox.put(self._alone(result, content))
            await self.finish()
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            await self.outbox.put(error)
        await self.outbox.put(None)

    def _lots(self, results: Sequence[_Result]) -> list[ResponseT]:
        """As few messages as the room in them allows; one that needs chunks goes alone."""
        responses: list[ResponseT] = []
        lot: list[batch_pb2.DocumentResult] = []
        room_bytes = self._content_bytes_max
        for result, content in results:
            if len(content) > room_bytes:
                responses += self._lot(lot)
                lot, room_bytes = [], self._content_bytes_max
            if len(content) > room_bytes:
                responses += self._alone(result, content)
                continue
            result.content = content
            lot.append(result)
            room_bytes -= len(content)
        return responses + self._lot(lot)

    def _lot(self, results: list[batch_pb2.DocumentResult]) -> list[ResponseT]:
        return [self.response(lot=batch_pb2.ResultLot(results=results))] if results else []

    def _alone(self, result: batch_pb2.DocumentResult, content: bytes) -> list[ResponseT]:
        room_bytes = self._content_bytes_max
        result.content = content[:room_bytes]
        chunks = [content[at : at + room_bytes] for at in range(room_bytes, len(content), room_bytes)]
        return [self.response(result=result), *[self.response(chunk=batch_pb2.ResultChunk(data=chunk)) for chunk in chunks]]

    def _result(self, outcome: ItemOutcome[DoneT]) -> _Result:
        """The result, still without its content."""
        # One that was refused for its id may have an id of megabytes; the index tells which it was.
        result = batch_pb2.DocumentResult(document_id=outcome.document_id[: convert.IDENTIFIER_MAX], index=outcome.index)
        if isinstance(outcome.result, SignerError):
            result.status.CopyFrom(to_rpc_status(outcome.result))
            return result, b""
        field = self._fields.pop(outcome.document_id, self._placement.field_name)
        result.replayed = outcome.result.replayed
        result.info.CopyFrom(self.info(outcome.result, field))
        result.times.CopyFrom(convert.stage_times(outcome.result.times))
        content = self.content(outcome, outcome.result.additions)
        result.content_size_bytes = len(content)
        return result, content

    def _summary(self) -> batch_pb2.BatchSummary:
        tally = self.batch.tally
        summary = batch_pb2.BatchSummary(
            expected=self.expected_documents,
            received=tally.received,
            signed=tally.signed,
            replayed=tally.replayed,
            failed=tally.failed,
            pending=tally.pending,
            not_received=max(0, self.expected_documents - tally.received),
            failures=[batch_pb2.ReasonCount(reason=reason, count=count) for reason, count in sorted(tally.failures.items())],
            elapsed=convert.duration(asyncio.get_running_loop().time() - self.started_s),
            times=convert.stage_times(tally.times),
        )
        self.complete_summary(summary)
        return summary
