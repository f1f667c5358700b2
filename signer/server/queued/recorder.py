"""Outcomes on their way into rows: what ended while the last ones were written, and a moment after, goes with the next.

Nothing waits for that moment: what a crash finds unwritten is answered from the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from signer.queue import documents
from signer.queue.model import EndedDocument, Portion, QueuedBatch
from signer.queue.store import QueueStore

_WAITING_MAX = 256
_TOGETHER_S = 0.05


class Recorder:
    """Of one turn. `expect` each portion, `put` each outcome, `close` at the end. on_kept: told of how many are durable."""

    def __init__(self, store: QueueStore, batch: QueuedBatch, on_kept: Callable[[Sequence[EndedDocument]], None]) -> None:
        self.kept = 0
        self._store = store
        self._batch = batch
        self._on_kept = on_kept
        self._left: dict[int, int] = {}
        self._waiting: list[EndedDocument] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def expect(self, portion: Portion) -> None:
        """Its documents that have no outcome yet; none: it is closed with the next outcomes."""
        self._left[portion.number] = len(portion.documents) - len(portion.ended)

    async def put(self, ended: Sequence[EndedDocument]) -> None:
        """To be kept soon; waits while too many do. JournalUnavailable when earlier ones could not be kept."""
        self._waiting += ended
        if self._writing is None or self._writing.done():
            if self._writing is not None:
                self._writing.result()
            self._writing = asyncio.create_task(self._write())
        if len(self._waiting) > _WAITING_MAX:
            await self._writing

    async def close(self) -> None:
        """Until all are kept. JournalUnavailable when they could not be: the journal still answers for what was signed."""
        self._closing.set()
        if self._writing is not None:
            await self._writing
        await self._write()

    async def _write(self) -> None:
        while self._waiting or self._finished():
            ended, self._waiting = self._waiting, []
            for each in ended:
                self._left[each.portion] -= 1
            finished = self._finished()
            await self._store.run(self._keep, ended, finished)
            for number in finished:
                del self._left[number]
            self.kept += len(ended)
            self._on_kept(ended)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TOGETHER_S):
                    await self._closing.wait()

    def _finished(self) -> list[int]:
        return [number for number, left in self._left.items() if not left]

    def _keep(self, connection: Connection, ended: Sequence[EndedDocument], finished: Sequence[int]) -> None:
        if ended:
            documents.keep(connection, self._store.sealer, self._batch.ids.batch_id, self._batch.number, ended)
        if finished:
            documents.close_portions(connection, self._batch, finished)
