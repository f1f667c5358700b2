"""SigningService, the queue's methods: convert, ask, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from signer.config.server import ServerSettings
from signer.errors import BatchEnded, BatchNotFound, QueueNotConfigured
from signer.pipeline.engine import Engine
from signer.pipeline.request import shutting_down
from signer.queue import documents, rows
from signer.queue.model import QueuedBatch, QueueState, Wish
from signer.server import convert
from signer.server.door import current_visit
from signer.server.queued import convert as queue_convert
from signer.server.queued.handing_out import HandingOut
from signer.server.queued.results import handed_out
from signer.server.queued.rooms import QueueRooms
from signer.server.queued.submitting import submit
from signer.v1 import queue_pb2, signing_pb2_grpc

_PAGE_MAX: Final = 100
_CHUNK_BYTES: Final = 1024 * 1024
_HEADROOM_BYTES: Final = 16 * 1024
_DELETED_AT_ONCE: Final = 64


class QueueMethods(signing_pb2_grpc.SigningServiceServicer):
    """rooms: None where `[queue]` is left out: every method is refused. is_draining: the daemon takes nothing new."""

    def __init__(self, engine: Engine, settings: ServerSettings, rooms: QueueRooms | None, is_draining: Callable[[], bool]) -> None:
        self._queue_engine = engine
        self._queue_settings = settings
        self._queue_rooms = rooms
        self._is_draining = is_draining

    async def SubmitBatch(  # noqa: N802
        self,
        request_iterator: AsyncIterator[queue_pb2.SubmitBatchRequest],
        context: Any,  # noqa: ARG002
    ) -> queue_pb2.SubmitBatchResponse:
        """Accepts a batch to be signed later."""
        rooms = self._rooms()
        batch, refused, is_new = await submit(self._queue_engine, rooms.store, self._queue_settings, rooms.settings, request_iterator)
        if is_new:
            await rooms.dispatch.accepted(batch)
        opened = documents.opened_header(rooms.store.sealer, batch)
        return queue_pb2.SubmitBatchResponse(
            batch=await self._handing_out(rooms).told(opened), refused=[handed_out(each) for each in refused]
        )

    async def WatchBatch(  # noqa: N802
        self,
        request: queue_pb2.WatchBatchRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[queue_pb2.WatchBatchResponse]:
        """Follows a batch to its end."""
        rooms, batch = await self._asked(request)
        async for response in self._handing_out(rooms).watch(batch, _position(request.after_position), self._check(batch)):
            yield response

    async def GetBatch(self, request: queue_pb2.GetBatchRequest, context: Any) -> queue_pb2.GetBatchResponse:  # noqa: N802, ARG002
        """One batch."""
        rooms, batch = await self._asked(request)
        return queue_pb2.GetBatchResponse(batch=await self._handing_out(rooms).told(batch))

    async def ListBatches(self, request: queue_pb2.ListBatchesRequest, context: Any) -> queue_pb2.ListBatchesResponse:  # noqa: N802, ARG002
        """A school's batches, newest first."""
        rooms = self._rooms()
        school_id = _school(request.school_id)
        states = queue_convert.states(request.states)
        limit = min(request.page_size or _PAGE_MAX, _PAGE_MAX)
        before = convert.page_number(request.page_token)
        found = await rooms.store.run(rows.page, school_id, states, before, limit)
        handing_out = self._handing_out(rooms)
        batches = [await handing_out.told(documents.opened_header(rooms.store.sealer, each)) for each in found]
        return queue_pb2.ListBatchesResponse(batches=batches, next_page_token=str(found[-1].number) if len(found) == limit else "")

    async def CancelBatch(self, request: queue_pb2.CancelBatchRequest, context: Any) -> queue_pb2.CancelBatchResponse:  # noqa: N802, ARG002
        """Ends a batch before its next document."""
        rooms, batch = await self._asked(request)
        moved = await rooms.dispatch.ask(batch.ids.batch_id, Wish.CANCEL)
        return queue_pb2.CancelBatchResponse(batch=await self._moved(rooms, batch, moved, QueueState.CANCELLED))

    async def PauseBatch(self, request: queue_pb2.PauseBatchRequest, context: Any) -> queue_pb2.PauseBatchResponse:  # noqa: N802, ARG002
        """Holds a batch before its next document."""
        rooms, batch = await self._asked(request)
        moved = await rooms.dispatch.ask(batch.ids.batch_id, Wish.PAUSE)
        return queue_pb2.PauseBatchResponse(batch=await self._moved(rooms, batch, moved))

    async def ResumeBatch(self, request: queue_pb2.ResumeBatchRequest, context: Any) -> queue_pb2.ResumeBatchResponse:  # noqa: N802, ARG002
        """Lets a paused batch go on."""
        rooms, batch = await self._asked(request)
        moved = await rooms.dispatch.resume(batch.ids.batch_id)
        return queue_pb2.ResumeBatchResponse(batch=await self._moved(rooms, batch, moved))

    async def FetchBatchResults(  # noqa: N802
        self,
        request: queue_pb2.FetchBatchResultsRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[queue_pb2.FetchBatchResultsResponse]:
        """What has ended, with its documents."""
        rooms, batch = await self._asked(request)
        wanted = {convert.identifier(each, "document_ids") for each in request.document_ids}
        bytes_max = min(_CHUNK_BYTES, self._queue_settings.message_bytes_max - _HEADROOM_BYTES)
        handing_out = self._handing_out(rooms)
        async for response in handing_out.fetch(
            batch, _position(request.after_position), wanted, bytes_max=bytes_max, check=self._check(batch)
        ):
            yield response

    async def AcknowledgeBatchResults(  # noqa: N802
        self,
        request: queue_pb2.AcknowledgeBatchResultsRequest,
        context: Any,  # noqa: ARG002
    ) -> queue_pb2.AcknowledgeBatchResultsResponse:
        """Deletes what was received and kept."""
        rooms, batch = await self._asked(request)
        deleted, after, through, sealer = 0, 0, _position(request.through_position), rooms.store.sealer
        while gone := await rooms.store.run(documents.delete_between, sealer, batch, after, through, limit=_DELETED_AT_ONCE):
            deleted, after = deleted + len(gone), gone[-1]
        return queue_pb2.AcknowledgeBatchResultsResponse(deleted_documents=deleted)

    def _rooms(self) -> QueueRooms:
        if self._queue_rooms is None:
            raise QueueNotConfigured("this appliance takes no batches to be signed later: its configuration has no [queue]")
        return self._queue_rooms

    async def _asked(self, request: Any) -> tuple[QueueRooms, QueuedBatch]:
        """The batch that a request names, of a school that its caller speaks for."""
        rooms = self._rooms()
        school_id = _school(request.school_id)
        return rooms, await self._handing_out(rooms).find(school_id, convert.identifier(request.batch_id, "batch_id"))

    def _handing_out(self, rooms: QueueRooms) -> HandingOut:
        return HandingOut(rooms.store, rooms.dispatch.bell, self._queue_engine.utc_now)

    def _check(self, batch: QueuedBatch) -> Callable[[], None]:
        """Raises why a stream must end."""
        request = current_visit().request(batch.ids.school_id, "")

        def check() -> None:
            if self._is_draining():
                raise shutting_down()
            request.check()

        return check

    async def _moved(
        self, rooms: QueueRooms, asked: QueuedBatch, moved: QueuedBatch | None, allowed: QueueState | None = None
    ) -> queue_pb2.Batch:
        """The batch as it is now. BatchEnded when it had ended otherwise."""
        if moved is None:
            raise BatchNotFound("the batch is gone", batch=asked.ids.batch_id)
        if moved.state.is_final and moved.state is not allowed:
            raise BatchEnded(f"the batch has ended: {moved.state.value}", state=moved.state.value)
        return await self._handing_out(rooms).told(documents.opened_header(rooms.store.sealer, moved))


def _school(school_id: str) -> str:
    current_visit().require_school(convert.identifier(school_id, "school_id"))
    return school_id


def _position(asked: int) -> int:
    return min(asked, convert.NUMBER_MAX)
