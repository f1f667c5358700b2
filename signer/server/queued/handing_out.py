"""What became of a queued batch, as it becomes known (WatchBatch), and with its documents (FetchBatchResults)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from signer.errors import BatchNotFound
from signer.queue import documents, rows
from signer.queue.model import EndedDocument, QueuedBatch, QueuedDocument
from signer.queue.store import QueueStore
from signer.server.queued import convert as queue_convert
from signer.server.queued.bell import Bell, News
from signer.server.queued.results import content, handed_out
from signer.v1 import batch_pb2, queue_pb2

_Watched = queue_pb2.WatchBatchResponse
_Fetched = queue_pb2.FetchBatchResultsResponse
_WATCHED_AT_ONCE: Final = 256
_FETCHED_AT_ONCE: Final = 16
_PORTIONS_KEPT: Final = 8
_LOOK_S: Final = 1.0


class HandingOut:
    """Owned by the event loop. check: raises why a call must end (its caller is gone, the daemon stops)."""

    def __init__(self, store: QueueStore, bell: Bell, utc_now: Callable[[], datetime]) -> None:
        self._store = store
        self._bell = bell
        self._utc_now = utc_now

    async def find(self, school_id: str, batch_id: str) -> QueuedBatch:
        """A school's batch, its header opened; BatchNotFound."""
        return self._found(await self._store.run(rows.find, batch_id, school_id), school_id, batch_id)

    def _found(self, batch: QueuedBatch | None, school_id: str, batch_id: str) -> QueuedBatch:
        if batch is None:
            raise BatchNotFound(f"school {school_id} has no queued batch {batch_id!r}", batch=batch_id)
        return documents.opened_header(self._store.sealer, batch)

    async def told(self, batch: QueuedBatch) -> queue_pb2.Batch:
        """A batch whose header is opened, with its summary once it has ended."""
        made = queue_convert.batch(batch, self._utc_now())
        if batch.end is not None:
            made.summary.CopyFrom(await self._summary(batch))
        return made

    async def watch(self, batch: QueuedBatch, after: int, check: Callable[[], None]) -> AsyncIterator[_Watched]:
        """Each item as it ends, the batch whenever it changed, its summary when it has ended."""
        with self._bell.listening(batch.ids.batch_id) as news:
            async for response in self._watch(batch, after, check, news):
                yield response

    async def _watch(self, batch: QueuedBatch, after: int, check: Callable[[], None], news: News) -> AsyncIterator[_Watched]:
        seen: QueuedBatch | None = None
        while True:
            check()
            items, batch, failures = await self._store.run(self._look, batch, after)
            for item in items:
                yield _Watched(item=queue_pb2.BatchItem(position=item.position, result=handed_out(item)))
                after = item.position
            if len(items) == _WATCHED_AT_ONCE:
                continue
            if seen is None or (batch.state, batch.ended, batch.waiting) != (seen.state, seen.ended, seen.waiting):
                yield _Watched(batch=queue_convert.batch(batch, self._utc_now()))
                seen = batch
            if batch.end is not None and batch.ended <= after:
                yield _Watched(summary=queue_convert.summary(batch, failures))
                return
            if batch.ended <= after:
                await news.wait(_LOOK_S)

    def _look(self, connection: Connection, batch: QueuedBatch, after: int) -> tuple[list[EndedDocument], QueuedBatch, dict[str, int]]:
        """What has ended after a position, the batch as it is, and once it has ended how many failed for what; BatchNotFound."""
        items = documents.items(connection, self._store.sealer, batch, after, limit=_WATCHED_AT_ONCE)
        found = self._found(rows.find(connection, batch.ids.batch_id, batch.ids.school_id), batch.ids.school_id, batch.ids.batch_id)
        return items, found, {} if found.end is None else documents.failures(connection, found.number)

    async def fetch(
        self, batch: QueuedBatch, after: int, document_ids: Collection[str], *, bytes_max: int, check: Callable[[], None]
    ) -> AsyncIterator[_Fetched]:
        """What has ended by now, with its content. bytes_max: of it in one message."""
        form = queue_pb2.BatchSubmission.FromString(batch.header).header.result_form
        portions = _Portions(self._store, batch)
        while items := await self._items(batch, after, _FETCHED_AT_ONCE, document_ids):
            for item in items:
                check()
                result = handed_out(item)
                body = content(item, await portions.document(item), form)
                result.content_size_bytes, result.content = len(body), body[:bytes_max]
                yield _Fetched(item=queue_pb2.BatchItem(position=item.position, result=result))
                for start in range(bytes_max, len(body), bytes_max):
                    yield _Fetched(chunk=batch_pb2.ResultChunk(data=body[start : start + bytes_max]))
                after = item.position

    async def _items(self, batch: QueuedBatch, after: int, limit: int, document_ids: Collection[str] = ()) -> list[EndedDocument]:
        return await self._store.run(documents.items, self._store.sealer, batch, after, limit=limit, document_ids=document_ids)

    async def _summary(self, batch: QueuedBatch) -> batch_pb2.BatchSummary:
        return queue_convert.summary(batch, await self._store.run(documents.failures, batch.number))


class _Portions:
    """Documents as they came; the last few portions are kept, for what ends together came together."""

    def __init__(self, store: QueueStore, batch: QueuedBatch) -> None:
        self._store = store
        self._batch = batch
        self._known: dict[int, dict[int, QueuedDocument]] = {}

    async def document(self, item: EndedDocument) -> QueuedDocument | None:
        """None where none is needed, or where it is gone."""
        if item.made is None or not item.made.additions:
            return None
        number = item.portion
        if number not in self._known:
            found = await self._store.run(documents.portion, self._store.sealer, self._batch, number)
            if len(self._known) >= _PORTIONS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[number] = {} if found is None else {each.index: each for each in found.documents}
        return self._known[number].get(item.index)
