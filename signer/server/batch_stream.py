"""BatchSignDocuments: the reading and the writing side of one stream.

Read: header, then documents, each whole or in chunks; a document that breaks a limit is refused alone and its chunks are skipped.
Write: accepted, then results as they end (content in chunks below the message limit), progress at the interval asked for, the summary, for
which the evidence record is made where the plan wants one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from signer.config.server import ServerSettings
from signer.errors import BatchTooLarge, DocumentDigestMismatch, InvalidArgument, SignerError
from signer.journal import EvidenceHead
from signer.pipeline.batch import Batch, ItemOutcome
from signer.pipeline.document import IncomingDocument
from signer.pipeline.evidence import EvidenceKeeping, cover_batch
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import shutting_down
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.limits import duplicate, require_size
from signer.server.served import require_served
from signer.v1 import batch_pb2, plan_pb2, signing_pb2

_Response = signing_pb2.BatchSignDocumentsResponse
_Outbox = asyncio.Queue[list[_Response] | Exception | None]
"""What goes out together stays together: a result and its chunks are one entry."""
_CHUNK_BYTES = 1024 * 1024
_MESSAGE_HEADROOM_BYTES = 16 * 1024
_PROGRESS_S_MIN = 0.1
_PAUSE_S = 0.2


@dataclass(slots=True)
class _Arriving:
    """A document whose bytes are still coming. refused: why it will not be signed; its chunks are counted and dropped."""

    index: int
    start: batch_pb2.DocumentStart
    content: bytearray
    received_bytes: int = 0
    refused: SignerError | None = None


class BatchStream:
    """One stream after its header."""

    def __init__(
        self, settings: ServerSettings, plan: ReadyPlan, batch: Batch, header: batch_pb2.BatchHeader, evidence: EvidenceKeeping
    ) -> None:
        self._settings = settings
        self._evidence = evidence
        self._covered: EvidenceHead | SignerError | None = None
        self._plan = plan
        self._batch = batch
        self._header = header
        self._seen: set[str] = set()
        self._fields: dict[str, str] = {}
        self._arriving: _Arriving | None = None
        self._latest: _Arriving | None = None
        limit = settings.limits.batch_documents_max
        self._documents_max = min(limit, header.expected_documents) if header.expected_documents else limit
        self._messages = 0
        self._is_handling = False
        self._is_cut = False
        self._started_s = asyncio.get_running_loop().time()

    async def run(self, messages: AsyncIterator[signing_pb2.BatchSignDocumentsRequest]) -> AsyncIterator[_Response]:
        """Everything after the header, up to and with the summary. Raises InvalidArgument for a message out of order."""
        limits = self._settings.limits
        yield _Response(
            accepted=signing_pb2.BatchAccepted(
                algorithm=convert.ALGORITHM_NUMBERS[self._plan.algorithm],
                certificate_chain=[self._plan.credential.certificate, *self._plan.credential.chain],
                document_bytes_max=limits.document_bytes_max,
                documents_max=limits.batch_documents_max,
                message_bytes_max=self._settings.message_bytes_max,
            )
        )
        outbox: _Outbox = asyncio.Queue(maxsize=4)
        reader = asyncio.create_task(self._read(messages, outbox))
        tasks = [reader, asyncio.create_task(self._write(outbox)), asyncio.create_task(self._cut_when_drained(reader))]
        if self._header.HasField("progress_interval"):
            interval_s = max(_PROGRESS_S_MIN, self._header.progress_interval.ToNanoseconds() / 1e9)
            tasks.append(asyncio.create_task(self._tell_progress(outbox, interval_s)))
        try:
            while (entry := await outbox.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                for response in entry:
                    yield response
            yield _Response(summary=self._summary())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, messages: AsyncIterator[signing_pb2.BatchSignDocumentsRequest], outbox: _Outbox) -> None:
        try:
            await self._read_all(messages)
        except asyncio.CancelledError:
            if not self._is_cut:
                raise
            self._end_unfinished()
            self._batch.end_of_input()
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            await outbox.put(error)

    async def _cut_when_drained(self, reader: asyncio.Task[None]) -> None:
        """The daemon stops: who goes on sending is told so item by item, who leaves the stream open and sends nothing gets the summary."""
        await self._batch.request.drained.wait()
        seen = -1
        while self._is_handling or seen != self._messages:
            seen = self._messages
            await asyncio.sleep(_PAUSE_S)
        self._is_cut = True
        reader.cancel()

    async def _read_all(self, messages: AsyncIterator[signing_pb2.BatchSignDocumentsRequest]) -> None:
        async for message in messages:
            self._is_handling = True
            self._messages += 1
            kind = message.WhichOneof("message")
            if kind == "document":
                self._end_unfinished()
                await self._begin(message.document)
            elif kind == "chunk":
                await self._continue(message.chunk.data)
            else:
                raise InvalidArgument("after the header only documents and their chunks may come", field="message")
            self._is_handling = False
        self._end_unfinished()
        self._batch.end_of_input()

    async def _begin(self, start: batch_pb2.DocumentStart) -> None:
        arriving = _Arriving(self._batch.tally.received, start, bytearray())
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
                arriving.content.clear()
            else:
                arriving.content += data
        if arriving.received_bytes >= arriving.start.size_bytes:
            self._arriving = None
            await self._complete(arriving)

    def _end_unfinished(self) -> None:
        arriving, self._arriving = self._arriving, None
        if arriving is not None and self._is_cut:
            self._batch.refuse(arriving.index, arriving.start.document_id, shutting_down())
        elif arriving is not None:
            error = arriving.refused or InvalidArgument(
                f"only {arriving.received_bytes} of the {arriving.start.size_bytes} bytes announced came before the next message",
                field="document.size_bytes",
            )
            self._batch.refuse(arriving.index, arriving.start.document_id, error)

    async def _complete(self, arriving: _Arriving) -> None:
        start = arriving.start
        content = bytes(arriving.content)
        if arriving.refused is None and start.sha256 and hashlib.sha256(content).digest() != start.sha256:
            arriving.refused = DocumentDigestMismatch("the document's bytes do not have the SHA-256 announced; it was damaged on its way")
        if arriving.refused is not None:
            self._batch.refuse(arriving.index, start.document_id, arriving.refused)
            return
        placement = self._plan.placement
        if start.field_name:
            placement = replace(placement, field_name=start.field_name)
            self._fields[start.document_id] = start.field_name
        await self._batch.submit(arriving.index, IncomingDocument(start.document_id, content, placement))

    async def _write(self, outbox: _Outbox) -> None:
        try:
            async for outcome in self._batch.outcomes():
                await outbox.put(self._result(outcome))
            if self._plan.evidence is not None:
                self._covered = await cover_batch(self._evidence, self._batch, self._plan.evidence)
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            await outbox.put(error)
        await outbox.put(None)

    def _result(self, outcome: ItemOutcome) -> list[_Response]:
        # One that was refused for its id may have an id of megabytes; the index tells which it was.
        result = batch_pb2.DocumentResult(document_id=outcome.document_id[: convert.IDENTIFIER_MAX], index=outcome.index)
        if isinstance(outcome.result, SignerError):
            result.status.CopyFrom(to_rpc_status(outcome.result))
            return [_Response(result=result)]
        field = self._fields.pop(outcome.document_id, self._plan.placement.field_name)
        result.replayed = outcome.result.replayed
        result.info.CopyFrom(convert.document_info(self._plan, outcome.result, field))
        result.times.CopyFrom(convert.stage_times(outcome.result.times))
        content = outcome.result.appended
        if self._header.result_form != plan_pb2.RESULT_FORM_APPENDED_BYTES:
            content = (outcome.content or b"") + content
        result.content_size_bytes = len(content)
        room_bytes = min(_CHUNK_BYTES, self._settings.message_bytes_max - _MESSAGE_HEADROOM_BYTES)
        result.content = content[:room_bytes]
        chunks = [content[at : at + room_bytes] for at in range(room_bytes, len(content), room_bytes)]
        return [_Response(result=result), *[_Response(chunk=batch_pb2.ResultChunk(data=chunk)) for chunk in chunks]]

    async def _tell_progress(self, outbox: _Outbox, interval_s: float) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(interval_s)
                await outbox.put([_Response(progress=self._progress())])

    def _progress(self) -> batch_pb2.BatchProgress:
        tally = self._batch.tally
        elapsed_s = asyncio.get_running_loop().time() - self._started_s
        done = tally.signed + tally.replayed + tally.failed + tally.pending
        progress = batch_pb2.BatchProgress(
            expected=self._header.expected_documents,
            received=tally.received,
            signed=tally.signed + tally.replayed,
            failed=tally.failed,
            queued=tally.received - done,
            elapsed=convert.duration(elapsed_s),
            signatures_per_second=tally.signed / elapsed_s if elapsed_s else 0.0,
        )
        left = self._header.expected_documents - done
        if self._header.expected_documents and done:
            progress.remaining.CopyFrom(convert.duration(max(0.0, elapsed_s / done * left)))
        return progress

    def _summary(self) -> batch_pb2.BatchSummary:
        tally = self._batch.tally
        summary = batch_pb2.BatchSummary(
            expected=self._header.expected_documents,
            received=tally.received,
            signed=tally.signed,
            replayed=tally.replayed,
            failed=tally.failed,
            pending=tally.pending,
            not_received=max(0, self._header.expected_documents - tally.received),
            failures=[batch_pb2.ReasonCount(reason=reason, count=count) for reason, count in sorted(tally.failures.items())],
            elapsed=convert.duration(asyncio.get_running_loop().time() - self._started_s),
            times=convert.stage_times(tally.times),
        )
        if isinstance(self._covered, SignerError):
            summary.evidence_status.CopyFrom(to_rpc_status(self._covered))
        elif self._covered is not None:
            summary.evidence_record_id = self._covered.record_id
            summary.evidence_status.SetInParent()
        return summary
