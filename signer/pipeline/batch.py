"""A batch: documents in, outcomes out in the order they end, then a summary that accounts for every one of them.

At most a window of documents and bytes is in work at once; `submit` waits when the window is full, so the caller's stream is read no
further (back-pressure), and memory is bounded whatever the batch's length.

Documents that arrive close together go their way as one lot (see `document`). The first one leaves at once, with those of the same message,
so a single document waits for nobody; while lots are in work, later ones are collected for up to 2 ms or sixteen documents; before a slow
token each goes alone, so that results come as they are made. While two full lots are ahead of it, a lot waits until it is full: it would
only wait for the token. Without that a batch falls into lots of two or three, for a window that is full takes in what has just left it, and
each costs what a full one does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from signer.errors import InternalError, SignerError, TimestampPending
from signer.formats.insertions import Additions
from signer.model import StageTimes
from signer.pipeline.document import sign_documents
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.observe import Observer
from signer.pipeline.pacing import paced
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import Request
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_LOT_DOCUMENTS_MAX = 16
_LOT_WAIT_S = 0.002
_LOTS_AHEAD = 2


class Done(Protocol):
    """A document's good end."""

    @property
    def additions(self) -> Additions:
        """What makes the finished file of the document that was sent."""

    @property
    def times(self) -> StageTimes:
        """Where its time went."""

    @property
    def replayed(self) -> bool:
        """Whether a stored outcome was returned."""


DoneT = TypeVar("DoneT", bound=Done)


class Work(Protocol[DoneT]):
    """What a batch does with its documents."""

    @property
    def lot_max(self) -> int:
        """How many documents may wait for one another without anybody noticing."""

    async def run(self, documents: Sequence[IncomingDocument]) -> Sequence[DoneT | SignerError]:
        """A result for each of a lot, in order."""

    def ended(self, results: Sequence[tuple[str, DoneT | SignerError]]) -> None:
        """Told of documents' ends by their ids, refused ones included: those that ended together, each once."""


@dataclass(frozen=True, slots=True)
class ItemOutcome(Generic[DoneT]):
    """One document's end: a result, or an error. content: what was sent, None for a document that never reached the path."""

    document_id: str
    index: int
    content: bytes | None
    result: DoneT | SignerError


@dataclass(slots=True)
class Tally:
    """Counts of a batch; received == signed + replayed + failed + pending once it has ended."""

    received: int = 0
    signed: int = 0
    replayed: int = 0
    failed: int = 0
    pending: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    queue_s: float = 0.0
    document_s: float = 0.0
    token_s: float = 0.0
    timestamp_s: float = 0.0
    journal_s: float = 0.0

    @property
    def ended(self) -> int:
        """Documents that have their outcome."""
        return self.signed + self.replayed + self.failed + self.pending

    def add(self, result: Done | SignerError) -> None:
        """Counts one ended item."""
        if isinstance(result, TimestampPending):
            self.pending += 1
        elif isinstance(result, SignerError):
            self.failed += 1
            self.failures[result.reason.value] += 1
        elif result.replayed:
            self.replayed += 1
        else:
            self.signed += 1
            self.queue_s += result.times.queue_s
            self.document_s += result.times.document_s
            self.token_s += result.times.token_s
            self.timestamp_s += result.times.timestamp_s
            self.journal_s += result.times.journal_s

    @property
    def times(self) -> StageTimes:
        """Stage times summed over the signed items, in seconds."""
        return StageTimes(self.queue_s, self.document_s, self.token_s, self.timestamp_s, self.journal_s)


class SigningWork:
    """Signing (`document`). covered: digests of the files released, by document id, where the plan wants evidence over them."""

    def __init__(self, engine: Engine, request: Request, plan: ReadyPlan) -> None:
        self.covered: dict[str, bytes] = {}
        self.request = request
        self.plan = plan
        self._engine = engine
        self._observer = Observer(engine, plan)
        self._door = engine.keys[plan.credential.token_name]

    @property
    def lot_max(self) -> int:
        """One before a slow token."""
        return self._door.lot_max

    async def run(self, documents: Sequence[IncomingDocument]) -> Sequence[SignedDocument | SignerError]:
        """Signs them."""
        async with paced(self.request, len(documents)) as allowance:
            return await sign_documents(self._engine, self.request, self.plan, documents, allowance)

    def ended(self, results: Sequence[tuple[str, SignedDocument | SignerError]]) -> None:
        """Counts them."""
        for document_id, result in results:
            if self.plan.evidence is not None and isinstance(result, SignedDocument):
                self.covered[document_id] = result.material.digest(self.plan.evidence)
        self._observer.observe_all([result for _document_id, result in results])


class Batch(Generic[DoneT]):
    """One running batch. `submit` and `refuse` from the reading side, `outcomes` from the writing side, `end_of_input` once."""

    def __init__(self, engine: Engine, request: Request, work: Work[DoneT], *, documents_max: int, bytes_max: int) -> None:
        self.tally = Tally()
        self._engine = engine
        self.request = request
        self._work = work
        self._documents_max = documents_max
        self._bytes_max = bytes_max
        self._in_work = 0
        self._in_work_bytes = 0
        self._room = asyncio.Event()
        self._ended: asyncio.Queue[ItemOutcome[DoneT] | None] = asyncio.Queue()
        self._input_ended = False
        self._lot: list[tuple[int, IncomingDocument]] = []
        self._lot_timer: asyncio.Handle | None = None
        self._ahead = 0

    async def submit(self, index: int, document: IncomingDocument) -> None:
        """Starts one document, once there is room in the window."""
        size_bytes = len(document.content)
        while self._in_work and (self._in_work >= self._documents_max or self._in_work_bytes + size_bytes > self._bytes_max):
            self._room.clear()
            await self._room.wait()
        self.tally.received += 1
        self._in_work += 1
        self._in_work_bytes += size_bytes
        self._lot.append((index, document))
        if len(self._lot) >= self._lot_max:
            self._send_lot()
        elif self._lot_timer is None:
            loop = asyncio.get_running_loop()
            self._lot_timer = loop.call_later(_LOT_WAIT_S, self._send_if_due) if self._ahead else loop.call_soon(self._send_if_due)

    def refuse(self, index: int, document_id: str, error: SignerError) -> None:
        """Ends a document that never reached the path (too large, duplicate id …)."""
        self.tally.received += 1
        self._end([ItemOutcome(document_id, index, None, error)])

    def end_of_input(self) -> None:
        """No more documents will come."""
        self._input_ended = True
        self._send_lot()
        self._close_if_done()

    async def outcomes(self) -> AsyncIterator[list[ItemOutcome[DoneT]]]:
        """Documents' ends: those that are there, up to a lot of them. Stops when the input has ended and nothing is in work."""
        while (outcome := await self._ended.get()) is not None:
            together = [outcome]
            while len(together) < _LOT_DOCUMENTS_MAX and not self._ended.empty() and (outcome := self._ended.get_nowait()) is not None:
                together.append(outcome)
            self._leave_window(together)
            yield together
            self._close_if_done()

    def _leave_window(self, outcomes: Sequence[ItemOutcome[DoneT]]) -> None:
        """A result that waits for a slow reader still holds its document: it counts against the window until it is taken."""
        for outcome in outcomes:
            if outcome.content is not None:
                self._in_work -= 1
                self._in_work_bytes -= len(outcome.content)
        self._room.set()

    @property
    def _lot_max(self) -> int:
        return min(_LOT_DOCUMENTS_MAX, self._work.lot_max)

    def _send_if_due(self) -> None:
        """The 2 ms are over, or the message is read, or some of what was ahead has ended."""
        self._stop_timer()
        if self._ahead < _LOTS_AHEAD * self._lot_max:
            self._send_lot()

    def _send_lot(self) -> None:
        self._stop_timer()
        if self._lot:
            lot, self._lot = self._lot, []
            self._ahead += len(lot)
            self._engine.start_task(self._run(lot))

    def _stop_timer(self) -> None:
        if self._lot_timer is not None:
            self._lot_timer.cancel()
            self._lot_timer = None

    async def _run(self, lot: list[tuple[int, IncomingDocument]]) -> None:
        documents = [document for _index, document in lot]
        try:
            results = await self._work.run(documents)
        except Exception as error:  # noqa: BLE001 - a bug must not end the batch; the log has it whole
            reference = secrets.token_hex(8)
            _log.exception("lot failed by a bug", documents=len(documents), reference=reference)
            results = [InternalError(f"internal error: {type(error).__name__}", reference=reference) for _ in documents]
        self._ahead -= len(lot)
        if self._lot_timer is None or not self._ahead:
            self._send_if_due()
        self._end(
            [
                ItemOutcome(document.document_id, index, document.content, result)
                for (index, document), result in zip(lot, results, strict=True)
            ]
        )

    def _end(self, outcomes: Sequence[ItemOutcome[DoneT]]) -> None:
        for outcome in outcomes:
            self.tally.add(outcome.result)
            self._tell_failure(outcome)
        self._work.ended([(outcome.document_id, outcome.result) for outcome in outcomes])
        for outcome in outcomes:
            self._ended.put_nowait(outcome)

    def _tell_failure(self, outcome: ItemOutcome[DoneT]) -> None:
        """The first, second, fourth, eighth … of a reason: 10,000 damaged documents are fourteen lines, each with how many so far."""
        if isinstance(outcome.result, SignerError):
            so_far = self.tally.failures[outcome.result.reason.value]
            if so_far.bit_count() == 1:
                _log.info("document failed", reason=outcome.result.reason.value, index=outcome.index, so_far=so_far)

    def _close_if_done(self) -> None:
        if self._input_ended and not self._in_work:
            self._ended.put_nowait(None)
