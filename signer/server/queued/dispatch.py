"""Whose turn it is: between the line, the rows and the turns. One a daemon, owned by the event loop.

A turn that ends puts the next one of its batch into the line: at once while there is something to do, later where something must pass
first. Every few seconds is looked after what nobody else looks after: turns of daemons that went away, of our own whose end could not be
written, deadlines of batches that are held, and documents whose time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from signer.errors import Cancelled, JournalUnavailable, ServiceUnreachable, SignerError
from signer.queue import documents, keeping, rows
from signer.queue.keeping import Vitals
from signer.queue.line import Line, Place, open_line
from signer.queue.model import EndedDocument, QueuedBatch, QueueState, Wish
from signer.queue.settings import QueueSettings
from signer.queue.store import QueueStore
from signer.rpc_status import to_rpc_status
from signer.server.queued.bell import Bell
from signer.server.queued.results import failed
from signer.server.queued.turn import Running, TurnEnd, Turns, expired
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_LOOK_S: Final = 5.0
_LINE_LOOKS: Final = 12
"""Looks until the line is compared with the rows."""
_PAUSE_S: Final = (1.0, 5.0, 15.0, 30.0, 60.0)
"""Until the next turn of a batch that can't go on, by how many ended nothing."""
_PAUSE_S_MAX: Final = 600.0
"""Whatever a cause asks for: an operator may raise a quota, or mend a token, long before."""
_PATIENCE_S: Final = 15.0
_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Where:
    """store_url, line_url: databases. is_alone: no other daemon can work on them."""

    store_url: str
    line_url: str
    is_alone: bool


class Dispatch:
    """`start`, then `look` every now and then, then `stop`. on_vitals: told how much there is."""

    def __init__(self, store: QueueStore, settings: QueueSettings, where: Where, turns: Turns, utc_now: Callable[[], datetime]) -> None:
        self.bell = Bell()
        self._store = store
        self._settings = settings
        self._where = where
        self._turns = turns
        self._utc_now = utc_now
        self._worker_id = secrets.token_hex(8)
        self._running: dict[str, Running] = {}
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: Line | None = None

    async def start(self) -> None:
        """Opens rows and line, and takes up what an earlier run left. ConfigError or JournalUnavailable."""
        self._loop = asyncio.get_running_loop()
        await self._store.start()
        if self._where.is_alone:
            now = self._utc_now()
            await self._store.run(keeping.forget_cut_off, now, is_start=True)
        self._line = open_line(self._where.line_url, self._worker_id, self._settings.batches_at_once, self._work)
        await asyncio.to_thread(self._line.start)
        await self._look_after_workers()
        await self._look_after_line()

    async def stop(self) -> None:
        """No turn goes on, and none begins; whatever stands in the line stays there."""
        self._is_stopping = True
        for running in list(self._running.values()):
            running.stop()
        for running in list(self._running.values()):
            await running.ended.wait()
        if self._line is not None:
            await asyncio.to_thread(self._line.stop)
        with contextlib.suppress(JournalUnavailable):
            await self._store.run(keeping.forget_worker, self._worker_id)
        await self._store.stop()

    async def run(self, on_vitals: Callable[[Vitals], None]) -> None:
        """Looks after everything, until it is cancelled."""
        for count in itertools.count(1):
            try:
                await self._look()
                if count % _LINE_LOOKS == 0:
                    await self._look_after_line()
                on_vitals(await self._store.run(keeping.vitals))
            except JournalUnavailable as error:
                _log.error("queue not looked after", message=error.message)
            await asyncio.sleep(_LOOK_S)

    async def accepted(self, batch: QueuedBatch) -> None:
        """A batch that has just come."""
        await self._put(batch)
        self.bell.ring(batch.ids.batch_id)

    async def ask(self, batch_id: str, wish: Wish) -> QueuedBatch | None:
        """The batch, paused or cancelled; None when it has gone. ServiceUnreachable when whoever works on it does not end in time."""
        until_s = asyncio.get_running_loop().time() + _PATIENCE_S
        with self.bell.listening(batch_id) as news:
            while (batch := await self._store.run(rows.ask, batch_id, wish)) is not None and batch.state is QueueState.RUNNING:
                if batch_id in self._running:
                    self._running[batch_id].stop()
                if asyncio.get_running_loop().time() > until_s:
                    raise ServiceUnreachable("the batch is told to stop, and what it has under way takes long; repeat in a moment")
                await news.wait(_POLL_S)
        if batch is not None and batch.state.is_final and batch.end is None:
            await self._finish(batch)
        self.bell.ring(batch_id)
        return await self._store.run(rows.find, batch_id)

    async def resume(self, batch_id: str) -> QueuedBatch | None:
        """The batch, in the line again if it was paused."""
        batch = await self._store.run(rows.resume, batch_id)
        if batch is not None and batch.state is QueueState.QUEUED:
            await self._put(batch)
        self.bell.ring(batch_id)
        return batch

    def _work(self, batch_id: str, turn: int) -> None:
        """On a thread of the line's; in a context of its own, so that nothing of the line's comes along."""
        if self._loop is None or self._is_stopping:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: the next run finds the turn in its row
            contextvars.Context().run(asyncio.run_coroutine_threadsafe, self._turn(batch_id, turn), self._loop).result()

    async def _turn(self, batch_id: str, turn: int) -> None:
        begun = await self._store.run(self._begin, batch_id, turn)
        if begun is None:
            return
        running = self._running[batch_id] = Running(begun, is_stopped=self._is_stopping)
        self.bell.ring(batch_id)
        try:
            end = await self._turns.run(running, self.bell.ring_soon)
        except Exception as error:  # noqa: BLE001 - a bug must not end the batch; the log has it whole
            _log.exception("turn failed by a bug", batch=batch_id, kind=type(error).__name__)
            end = TurnEnd(QueueState.QUEUED)
        try:
            await self._end(begun, end)
        except JournalUnavailable as error:  # its row says that we work on it: `_look` takes it up again
            _log.error("turn not ended", batch=batch_id, message=error.message)
        finally:
            del self._running[batch_id]
            running.ended.set()
            self.bell.ring(batch_id)

    def _begin(self, connection: Connection, batch_id: str, turn: int) -> QueuedBatch | None:
        begun = rows.begin_turn(connection, batch_id, turn, self._worker_id)
        return None if begun is None else documents.opened_header(self._store.sealer, begun)

    async def _end(self, begun: QueuedBatch, end: TurnEnd) -> None:
        idle_turns = 0 if end.kept else begun.idle_turns + 1
        waiting = to_rpc_status(end.waiting).SerializeToString() if end.waiting is not None else b""
        batch_id, turn = begun.ids.batch_id, begun.turn
        ended = await self._store.run(self._end_turn, batch_id, turn, end.state, waiting=waiting, idle_turns=idle_turns)
        if ended is None:
            return
        if end.waiting is not None:
            _log.info("queued batch waits", batch=batch_id, reason=end.waiting.reason.value, message=end.waiting.message)
        if ended.state.is_final and ended.left:
            await self._finish(ended)
        elif ended.state.is_final:
            await self._tell_end(ended)
        elif ended.state is not QueueState.PAUSED and not self._is_stopping:
            await self._put(ended, self._delay_s(ended, end))

    def _end_turn(self, connection: Connection, /, batch_id: str, turn: int, state: QueueState, **how: Any) -> QueuedBatch | None:
        """Closes the batch as well where every document has its outcome."""
        ended = rows.end_turn(connection, batch_id, turn, state, **how)
        if ended is not None and ended.state.is_final and not ended.left:
            self._close(connection, batch_id)
        return ended

    def _close(self, connection: Connection, batch_id: str) -> None:
        now = self._utc_now()
        rows.close(connection, batch_id, now, now + timedelta(days=self._settings.results_days))

    def _delay_s(self, batch: QueuedBatch, end: TurnEnd) -> float:
        to_deadline_s = max(0.0, (batch.deadline - self._utc_now()).total_seconds())
        if end.opens is not None:
            return min(to_deadline_s, max(0.0, (end.opens - self._utc_now()).total_seconds()))
        if end.kept and end.state is QueueState.QUEUED:
            return 0.0
        asked_s = min(_PAUSE_S_MAX, (end.waiting.retry_after_s if end.waiting else None) or 0.0)
        return min(to_deadline_s, max(asked_s, _PAUSE_S[min(batch.idle_turns, len(_PAUSE_S)) - 1]))

    async def _put(self, batch: QueuedBatch, delay_s: float = 0.0) -> None:
        if self._line is not None:
            await asyncio.to_thread(self._line.put, _place(batch, delay_s))

    async def _look(self) -> None:
        await self._look_after_workers()
        now = self._utc_now()
        for batch in await self._store.run(rows.overdue, now):
            if batch.ids.batch_id not in self._running:
                await self._finish(batch)
        for batch_id, running in list(self._running.items()):
            now_kept = await self._store.run(rows.find, batch_id)
            if now_kept is None or now_kept.wish is not Wish.NONE:
                running.stop()
        history = timedelta(days=self._settings.history_days)
        while await self._store.run(keeping.forget_results, now, history):
            pass
        await self._store.run(keeping.forget_cut_off, now, is_start=False)

    async def _look_after_workers(self) -> None:
        """Takes up what daemons that went away worked on, and what we did and don't know of any more.

        Out of the line first: a turn that nobody works on would hold its school's others up, and is found again as long as its row says so.
        """
        now = self._utc_now()
        await self._store.run(keeping.report_worker, self._worker_id, now)
        silent = await self._store.run(keeping.silent_workers, self._worker_id, now, is_alone=self._where.is_alone)
        for lost in await self._store.run(rows.left_behind, [self._worker_id, *silent]):
            batch_id, turn = lost.ids.batch_id, lost.turn
            if batch_id in self._running or self._line is None:
                continue
            await asyncio.to_thread(self._line.take_out, batch_id, turn)
            batch = await self._store.run(rows.take_up, batch_id, turn)
            if batch is not None:
                _log.warning("queued batch taken up again", batch=batch_id, turn=batch.turn)
                if batch.state is QueueState.QUEUED:
                    await self._put(batch)
        for worker_id in silent:
            await self._store.run(keeping.forget_worker, worker_id)

    async def _look_after_line(self) -> None:
        """Whatever must stand in the line stands there: also what it gave us while rows were away, or while we were about to stop."""
        for batch in await self._store.run(rows.in_line):
            if self._line is not None:
                await asyncio.to_thread(self._line.put_again, _place(batch))

    async def _finish(self, batch: QueuedBatch) -> None:
        """Every document that has no outcome gets it, and the batch its end. Repeated by `_look` where it was cut off."""
        error = expired(batch) if batch.state is QueueState.EXPIRED else Cancelled("the batch was cancelled before this document's turn")
        is_left = True
        while is_left:
            is_left = await self._store.run(self._fail_portion, batch, error)
        await self._store.run(self._close, batch.ids.batch_id)
        await self._tell_end(batch)

    async def _tell_end(self, batch: QueuedBatch) -> None:
        _log.info("queued batch ended", batch=batch.ids.batch_id, state=batch.state.value)
        self.bell.ring(batch.ids.batch_id)
        if self._line is not None:
            await asyncio.to_thread(self._line.forget, batch.ids.batch_id, batch.turn)

    def _fail_portion(self, connection: Connection, batch: QueuedBatch, error: SignerError) -> bool:
        portion = documents.open_portion(connection, self._store.sealer, batch, -1)
        if portion is None:
            return False
        left = [each for each in portion.documents if each.index not in portion.ended]
        ended: list[EndedDocument] = [failed(each.index, each.document_id, portion.number, error) for each in left]
        documents.keep(connection, self._store.sealer, batch.ids.batch_id, batch.number, ended)
        documents.close_portions(connection, batch, [portion.number])
        return True


def _place(batch: QueuedBatch, delay_s: float = 0.0) -> Place:
    return Place(batch.ids.batch_id, batch.turn, batch.ids.school_id, batch.priority, delay_s)
