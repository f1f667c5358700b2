"""A stream of documents (`arrivals`) and what becomes of them, whatever is done with them.

Results go out as they end (content in chunks below the message limit; what ended together as a lot, where the caller takes lots), then the
summary. What else a method's stream says is said by its own class (`batch_stream`, `extend_stream`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from signer.config.server import ServerSettings
from signer.errors import InvalidArgument, SignerError
from signer.formats.insertions import Additions
from signer.model import FieldPlacement
from signer.pipeline.batch import Batch, DoneT, ItemOutcome
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.request import Request
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.activating import list_proof
from signer.server.arrivals import Arrivals
from signer.server.door import current_visit
from signer.v1 import batch_pb2, signature_pb2

ResponseT = TypeVar("ResponseT")
"""The method's response: a oneof of `result`, `chunk`, `summary` and perhaps more."""
_Result = tuple[batch_pb2.DocumentResult, bytes]
"""A result and the content it is to carry."""
_CHUNK_BYTES = 1024 * 1024
_MESSAGE_HEADROOM_BYTES = 16 * 1024


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
        self._fields: dict[str, str] = {}
        limit = settings.limits.batch_documents_max
        self._arrivals = Arrivals(settings, self, documents_max=min(limit, expected_documents) if expected_documents else limit)

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
        tasks = [reader, *(asyncio.create_task(other) for other in (self._write(), *self.upkeep()))]
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

    async def arrived(self, index: int, start: batch_pb2.DocumentStart, content: bytes) -> None:
        """Goes into the batch, once there is room in it."""
        placement = self._placement
        if start.field_name:
            placement = replace(placement, field_name=start.field_name)
            self._fields[start.document_id] = start.field_name
        proof = list_proof(start.list_proof, "document.list_proof") if start.HasField("list_proof") else None
        await self.batch.submit(index, IncomingDocument(start.document_id, content, placement, start.file_name, proof))

    def refused(self, index: int, document_id: str, error: SignerError) -> None:
        """Is counted by the batch."""
        self.batch.refuse(index, document_id, error)

    async def _read(self, messages: AsyncIterator[Any]) -> None:
        try:
            await self._arrivals.read(messages, self.batch.request.drained)
        except Exception as error:  # noqa: BLE001 - crosses to the stream's own task, which raises it
            await self.outbox.put(error)
        else:
            self.batch.end_of_input()

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
        """As few messages as the room in them allows; one that needs chunks goes alone.

        A message that is put into another is copied, so a result gets its content where it will stay.
        """
        responses: list[ResponseT] = []
        lot: Any = None
        room_bytes = 0
        for result, content in results:
            if len(content) > self._content_bytes_max:
                responses += self._alone(result, content)
                lot = None
                continue
            if lot is None or len(content) > room_bytes:
                response = self.response()
                responses.append(response)
                lot, room_bytes = response.lot.results, self._content_bytes_max
            lot.append(result)
            lot[-1].content = content
            room_bytes -= len(content)
        return responses

    def _alone(self, result: batch_pb2.DocumentResult, content: bytes) -> list[ResponseT]:
        room_bytes = self._content_bytes_max
        first = self.response(result=result)
        first.result.content = content[:room_bytes]
        chunks = [content[at : at + room_bytes] for at in range(room_bytes, len(content), room_bytes)]
        return [first, *[self.response(chunk=batch_pb2.ResultChunk(data=chunk)) for chunk in chunks]]

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
