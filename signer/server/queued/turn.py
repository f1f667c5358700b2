"""A turn of a batch: its documents go the way of a streamed batch's, for a minute at most; what can't be signed now waits for another.

 1  the batch is past its deadline: it has expired; its windows are closed: it waits until one opens
 2  its client may still ask for it, its plan can be carried out, its key's holder allows it (as the header of a stream)
 3  its token is there
 4  documents are fed until the time is up, something halts the turn (its token stays away, …), or somebody asks for an end
 5  those under way end, and every outcome is durable

A plan that is refused for good fails every document that is left, as it would fail the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from signer.access.callers import CallerTable
from signer.config.server import LimitSettings
from signer.control.quotas import Quotas
from signer.errors import DeadlineExceeded, JournalUnavailable, SignerError, TokenUnavailable
from signer.pipeline.batch import Batch, ItemOutcome, SigningWork
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import Request
from signer.queue import documents
from signer.queue.model import EndedDocument, Portion, QueuedBatch, QueuedDocument, QueueState
from signer.queue.store import QueueStore
from signer.server.activating import list_proof
from signer.server.planning import ready_plan
from signer.server.queued import convert as queue_convert
from signer.server.queued.reading import ReadAhead
from signer.server.queued.reasons import AGAIN, HALTING, STOPPED
from signer.server.queued.recorder import Recorder
from signer.server.queued.results import ended, failed
from signer.telemetry import origins
from signer.telemetry.logs import get_logger
from signer.telemetry.origins import Origin
from signer.tokens.pool import TokenPool
from signer.v1 import batch_pb2, queue_pb2

_log = get_logger(__name__)
_FEED_S: Final = 50.0
_END_S: Final = 120.0
_AWAY_LOOK_S: Final = 2.0
_AWAY_LOOKS: Final = 4
"""In a row that find no worker of the token ready: one that was lost is back long before."""
_IDLE_TURNS_MAX: Final = 6
"""Turns in a row that ended nothing, after which a document that can be tried again for ever has failed."""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """What becomes of the batch. waiting: why it waits. opens: when it can go on; None: that is not known. kept: outcomes of this turn."""

    state: QueueState
    waiting: SignerError | None = None
    opens: datetime | None = None
    kept: int = 0


@dataclass(slots=True)
class Running:
    """A batch that is being worked on. Whoever wants its turn to end calls `stop`."""

    batch: QueuedBatch
    request: Request | None = None
    is_stopped: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """No key is used for a document that has not reached it."""
        self.is_stopped = True
        if self.request is not None:
            self.request.cancel()


class Turns:
    """Whoever works batches off. on_kept: told of outcomes that are durable. Owned by the event loop."""

    def __init__(
        self,
        engine: Engine,
        store: QueueStore,
        *,
        quotas: Quotas,
        callers: CallerTable,
        pools: Mapping[str, TokenPool],
        limits: LimitSettings,
    ) -> None:
        self._engine = engine
        self._store = store
        self._quotas = quotas
        self._callers = callers
        self._pools = pools
        self._limits = limits

    async def run(self, running: Running, on_kept: Callable[[str], None]) -> TurnEnd:
        """A turn. Raises nothing but bugs."""
        batch = running.batch
        submission = queue_pb2.BatchSubmission.FromString(batch.header)
        schedule = queue_convert.read_schedule(submission.schedule, batch.deadline)
        now = self._engine.utc_now()
        if now >= batch.deadline:
            return TurnEnd(QueueState.EXPIRED)
        if not schedule.is_open(now):
            closed = TokenUnavailable("outside the windows in which this batch may be worked on")
            return TurnEnd(QueueState.WAITING, closed, schedule.opens(now) or batch.deadline)
        request = running.request = self._request(batch, (schedule.closes(now) - now).total_seconds())
        origins.enter(Origin(request.request_id, batch.ids.batch_id))
        if running.is_stopped:
            request.cancel()
        recorder = Recorder(self._store, batch, lambda _ended: on_kept(batch.ids.batch_id))
        pass_ = _Pass(self._engine, self._store, running, request, recorder)
        try:
            self._callers.named(batch.ids.client_id).require_school(batch.ids.school_id)  # 2
            plan = await ready_plan(self._engine, request, submission.header.plan, submission.header.activation)
            if problem := self._pools[plan.credential.token_name].problem:  # 3
                raise TokenUnavailable(problem, token=plan.credential.token_name)
        except SignerError as error:
            if error.reason in HALTING | AGAIN:
                return TurnEnd(QueueState.WAITING, error)
            _log.warning("queued batch refused", batch=batch.ids.batch_id, reason=error.reason.value, message=error.message)
            return await pass_.fail_all(error)
        return await pass_.sign(plan, self._pools[plan.credential.token_name], self._limits)

    def _request(self, batch: QueuedBatch, open_s: float) -> Request:
        clock_s = asyncio.get_running_loop().time
        allowance = self._quotas.allowance(batch.ids.client_id, batch.ids.school_id)
        deadline_s = clock_s() + min(open_s, _FEED_S + _END_S)
        made = Request(batch.ids.client_id, batch.ids.school_id, batch.ids.request_id, deadline_s, clock_s, allowance=allowance)
        made.is_new = not batch.is_interrupted
        return made


class _Pass:
    """Steps 4 and 5."""

    def __init__(self, engine: Engine, store: QueueStore, running: Running, request: Request, recorder: Recorder) -> None:
        self._engine = engine
        self._store = store
        self._running = running
        self._batch = running.batch
        self._request = request
        self._recorder = recorder
        self._halt: SignerError | None = None
        self._again: SignerError | None = None
        self._is_through = False
        self._portion_of: dict[int, int] = {}
        self._field_of: dict[int, str] = {}

    async def fail_all(self, error: SignerError) -> TurnEnd:
        """Every document that is left has failed so."""
        portion = await self._portion(-1)
        while portion is not None:
            self._recorder.expect(portion)
            left = [each for each in portion.documents if each.index not in portion.ended]
            await self._recorder.put([failed(each.index, each.document_id, portion.number, error) for each in left])
            portion = await self._portion(portion.number)
        await self._recorder.close()
        return TurnEnd(QueueState.COMPLETED, kept=self._recorder.kept)

    async def sign(self, plan: ReadyPlan, pool: TokenPool, limits: LimitSettings) -> TurnEnd:
        """The documents that are left, as many as go."""
        work = SigningWork(self._engine, self._request, plan)
        batch: Batch[SignedDocument] = Batch(
            self._engine,
            self._request,
            work,
            documents_max=limits.batch_in_flight_documents,
            bytes_max=limits.batch_in_flight_bytes_max,
        )
        feeding = asyncio.create_task(self._feed(batch, plan))
        minding = asyncio.create_task(self._mind(pool))
        try:
            async for outcomes in batch.outcomes():
                await self._take(outcomes, plan)
            await feeding
            await self._recorder.close()
        except JournalUnavailable as error:
            self._halt = error
        finally:
            feeding.cancel()
            minding.cancel()
            await asyncio.gather(feeding, minding, return_exceptions=True)
        return self._end()

    def _end(self) -> TurnEnd:
        kept = self._recorder.kept
        if self._halt is not None:
            return TurnEnd(QueueState.WAITING, self._halt, kept=kept)
        if self._is_through and self._again is None:
            return TurnEnd(QueueState.COMPLETED, kept=kept)
        return TurnEnd(QueueState.QUEUED, self._again, kept=kept)

    async def _feed(self, batch: Batch[SignedDocument], plan: ReadyPlan) -> None:
        """Portion after portion."""
        until_s = self._request.clock_s() + min(_FEED_S, self._request.remaining_s)
        reading = ReadAhead(self._portions)
        try:
            while (portion := await reading.next()) is not None:
                self._recorder.expect(portion)
                for document in portion.documents:
                    if self._must_stop(until_s):
                        return
                    if document.index not in portion.ended:
                        await self._submit(batch, plan, portion.number, document)
            self._is_through = True
        except JournalUnavailable as error:
            self._halt = error
        finally:
            await reading.close()
            batch.end_of_input()

    async def _mind(self, pool: TokenPool) -> None:
        """Halts the turn when its token stays away: its school's other batches wait behind it, and nobody is told why."""
        away = 0
        while away < _AWAY_LOOKS:
            await asyncio.sleep(_AWAY_LOOK_S)
            away = away + 1 if pool.problem else 0
        self._halt = self._halt or TokenUnavailable(pool.problem, token=pool.name)
        self._request.cancel()

    def _must_stop(self, until_s: float) -> bool:
        return self._halt is not None or self._running.is_stopped or self._request.clock_s() >= until_s

    async def _submit(self, batch: Batch[SignedDocument], plan: ReadyPlan, portion: int, document: QueuedDocument) -> None:
        start = batch_pb2.DocumentStart.FromString(document.start)
        placement = replace(plan.placement, field_name=start.field_name) if start.field_name else plan.placement
        proof = list_proof(start.list_proof, "document.list_proof") if start.HasField("list_proof") else None
        self._portion_of[document.index] = portion
        self._field_of[document.index] = placement.field_name
        incoming = IncomingDocument(document.document_id, document.content, placement, start.file_name, proof)
        await batch.submit(document.index, incoming)

    async def _take(self, outcomes: list[ItemOutcome[SignedDocument]], plan: ReadyPlan) -> None:
        kept: list[EndedDocument] = []
        for outcome in outcomes:
            portion, field_name = self._portion_of.pop(outcome.index), self._field_of.pop(outcome.index)
            if isinstance(outcome.result, SignerError) and self._comes_again(outcome.result):
                continue
            kept.append(ended(outcome, plan, portion, field_name))
        if kept:
            await self._recorder.put(kept)

    def _comes_again(self, error: SignerError) -> bool:
        if error.reason in HALTING:
            self._halt = self._halt or error
        elif error.reason not in AGAIN or (error.reason not in STOPPED and self._batch.idle_turns >= _IDLE_TURNS_MAX):
            return False
        else:
            self._again = error
        return True

    async def _portions(self, after: int, bytes_wanted: int) -> list[Portion]:
        return await self._store.run(documents.open_portions, self._store.sealer, self._batch, after, bytes_wanted)

    async def _portion(self, after: int) -> Portion | None:
        return await self._store.run(documents.open_portion, self._store.sealer, self._batch, after)


def expired(batch: QueuedBatch) -> SignerError:
    """For a document that was not signed by the batch's deadline."""
    return DeadlineExceeded(f"not signed by the batch's deadline, {batch.deadline:%Y-%m-%d %H:%M:%S} UTC")
