"""The document workers' queue, on the daemon's side.

Documents travel to a worker in small frames, two frames in each worker's hands, so that it never waits for the daemon. A worker works in
order and answers one by one: when it dies, the first document without an answer is the suspect and is tried once more, alone; the others
were not begun and go back to the front of the queue.

Owned by the event loop; no locks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from signer.documents.settings import DocumentSettings
from signer.documents.wire import (
    REPLIES,
    Call,
    Calls,
    CheckedRecordReply,
    CheckRecordCall,
    ExamineCall,
    ExaminedReply,
    ExaminedXmlReply,
    ExtendCall,
    ExtendedReply,
    PrepareCall,
    PreparedReply,
    RefusedReply,
    Reply,
    Start,
    VerifiedReply,
    VerifyCall,
    XmlCall,
)
from signer.errors import (
    CertificateRevoked,
    DocumentError,
    DocumentTooCostly,
    InternalError,
    InvalidArgument,
    Reason,
    SignerError,
    VerificationFailed,
    WorkerUnavailable,
    leaves,
)
from signer.formats.pades.appearance.artwork import Artwork
from signer.records.layout import Layout
from signer.telemetry import origins
from signer.telemetry.origins import Origin
from signer.workers.gathering import Gathering
from signer.workers.process import INHERITED, WorkerLost, WorkerProcess, WorkerSpec
from signer.workers.supervisor import Place

_R = TypeVar("_R", bound=Reply)
_FRAMES_IN_HAND = 2
_FRAME_DOCUMENTS_MAX = 8
_FRAME_BYTES_MAX = 256 * 1024
"""What a core's cache holds beside other work: half a megabyte costs both sides of the socket a third more for each byte."""
_TRIES_MAX = 2
_START_S_MAX = 60.0
_MIB = 1024 * 1024
_INHERITED = tuple(name for name in INHERITED if name != "CREDENTIALS_DIRECTORY")
_BELIEVED = (DocumentError, InvalidArgument, VerificationFailed, CertificateRevoked)
"""What a worker may refuse a document with."""
_decoder: msgspec.msgpack.Decoder[Reply | RefusedReply] = msgspec.msgpack.Decoder(Reply | RefusedReply)
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True, eq=False)
class _Job:
    call: Call
    results: Gathering[Any]
    index: int
    artwork: Artwork | None = None
    origin: Origin | None = None
    tries: int = 0

    def settle(self, result: Reply | SignerError) -> None:
        self.results.settle(self.index, result)


class DocumentPool:
    """All document workers. `start` once, `prepare`, `examine` and `extend` from any task, `close` once."""

    def __init__(
        self,
        settings: DocumentSettings,
        *,
        processes: int,
        log_level: str,
        layouts: tuple[Layout, ...] = (),
        on_loss: Callable[[str, str], None] = lambda _name, _cause: None,
    ) -> None:
        self._settings = settings
        self._jobs: deque[_Job] = deque()
        self._workers: list[WorkerProcess] = []
        self._is_feeding_soon = False
        self._tasks: list[asyncio.Task[None]] = []
        start = Start(name="", memory_bytes_max=settings.memory_mib_max * _MIB, log_level=log_level, layouts=layouts)
        self.places = [Place(self._spec(index, start), self._serve, on_loss=on_loss) for index in range(processes)]

    async def start(self) -> None:
        """Starts the workers; returns without waiting for them."""
        self._tasks = [asyncio.create_task(place.run(), name=place.spec.name) for place in self.places]

    async def close(self) -> None:
        """Ends the workers; documents that still wait get WorkerUnavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._jobs:
            job.settle(WorkerUnavailable("the daemon is stopping"))
        self._jobs.clear()

    async def prepare(self, calls: Sequence[PrepareCall], artwork: Artwork | None = None) -> list[PreparedReply | SignerError]:
        """Prepares documents; a reply or an error for each, in order, when all have ended. artwork: what their appearances show.

        Errors: a leaf of DocumentError; DocumentTooCostly when a document exceeded its time or memory or killed its worker twice. May be
        cancelled at any time: no key is near.
        """
        return await self._ask(calls, artwork)

    async def examine(self, call: ExamineCall) -> ExaminedReply:
        """What a signed document lacks. Raises as `prepare` returns, and DocumentUnsigned, VerificationFailed or CertificateRevoked."""
        return await self._ask_one(call, ExaminedReply)

    async def extend(self, call: ExtendCall) -> ExtendedReply:
        """The update that raises a document. Raises as `prepare` returns."""
        return await self._ask_one(call, ExtendedReply)

    async def verify(self, call: VerifyCall) -> VerifiedReply:
        """What every signature of a document is worth. Raises as `prepare` returns."""
        return await self._ask_one(call, VerifiedReply)

    async def check_record(self, call: CheckRecordCall) -> CheckedRecordReply:
        """Whether a record is fit to be signed. Raises as `prepare` returns."""
        return await self._ask_one(call, CheckedRecordReply)

    async def examine_xml(self, calls: Sequence[XmlCall]) -> list[ExaminedXmlReply | SignerError]:
        """Where XML is signed; as `prepare`, and RecordUnfit for a record that must not be."""
        return await self._ask(calls)

    async def _ask_one(self, call: Call, kind: type[_R]) -> _R:
        (reply,) = await self._ask([call])
        if isinstance(reply, kind):
            return reply
        raise reply

    async def _ask(self, calls: Sequence[Call], artwork: Artwork | None = None) -> list[Any]:
        results: Gathering[Any] = Gathering(len(calls))
        origin = origins.current()
        self._jobs.extend(_Job(call, results, index, artwork, origin) for index, call in enumerate(calls))
        self.feed_soon()
        return await results.future

    def _spec(self, index: int, start: Start) -> WorkerSpec:
        return WorkerSpec(
            name=f"documents#{index}",
            module="signer.documents.worker",
            start_body=_encode(msgspec.structs.replace(start, name=str(index))),
            start_s_max=_START_S_MAX,
            silence_s_max=self._settings.document_s_max,
            inherit=_INHERITED,
        )

    async def _serve(self, worker: WorkerProcess) -> None:
        self._workers.append(worker)
        self._feed()
        try:
            raise await worker.wait_lost()
        finally:
            self._workers.remove(worker)

    def feed_soon(self) -> None:
        """Feeds when the loop comes round: what is asked for in one go travels together."""
        if not self._is_feeding_soon:
            self._is_feeding_soon = True
            asyncio.get_running_loop().call_soon(self._feed)

    def _feed(self) -> None:
        self._is_feeding_soon = False
        while self._jobs and (worker := self._idlest()) is not None:
            jobs = self._next_jobs()
            if jobs:
                calls = _encode(Calls([job.call for job in jobs], jobs[0].artwork))
                worker.open_call(calls, _Frame(self, jobs), origins.distinct(job.origin for job in jobs))

    def _idlest(self) -> WorkerProcess | None:
        with_room = [worker for worker in self._workers if worker.calls_open < _FRAMES_IN_HAND and not worker.is_lost]
        return min(with_room, key=lambda worker: worker.calls_open, default=None)

    def _next_jobs(self) -> list[_Job]:
        """The next frame's documents: few enough to spread over the workers, with one artwork at most, and a suspect alone."""
        count_max = max(1, min(_FRAME_DOCUMENTS_MAX, -(-len(self._jobs) // max(1, len(self._workers)))))
        jobs: list[_Job] = []
        size_bytes = 0
        while self._jobs and len(jobs) < count_max:
            job = self._jobs[0]
            size_bytes += len(job.call.document)
            if jobs and (size_bytes > _FRAME_BYTES_MAX or job.tries or jobs[0].tries or job.artwork is not jobs[0].artwork):
                break
            self._jobs.popleft()
            if job.results.is_wanted:
                jobs.append(job)
        return jobs

    def take_back(self, unanswered: Sequence[_Job], loss: WorkerLost, *, was_in_work: bool) -> None:
        """A worker was lost with these in its hands. was_in_work: whether it was at the first of them."""
        waiting = list(unanswered)
        if was_in_work and waiting:
            suspect = waiting.pop(0)
            verdict = self._judge(suspect, loss)
            if verdict is None:
                waiting.insert(0, suspect)
            else:
                suspect.settle(verdict)
        self._jobs.extendleft(reversed(waiting))
        self.feed_soon()

    def _judge(self, suspect: _Job, loss: WorkerLost) -> DocumentTooCostly | None:
        """Too slow fails at once; a crash gets one more try."""
        suspect.tries += 1
        if loss.cause == "timed-out":
            limit = f"{self._settings.document_s_max:g} s"
            return DocumentTooCostly(f"work on the document took longer than {limit}; simplify or shrink it")
        if suspect.tries >= _TRIES_MAX:
            return DocumentTooCostly("the document ended the process that reads it, twice; it is probably made to do harm")
        return None


class _Frame:
    """A frame in a worker's hands (workers.process.CallListener)."""

    def __init__(self, pool: DocumentPool, jobs: list[_Job]) -> None:
        self._pool = pool
        self._jobs = deque(jobs)

    def reply(self, body: bytes) -> None:
        answer = _decoder.decode(body)
        if not self._jobs:
            raise ValueError("more answers than documents")
        job = self._jobs.popleft()
        job.settle(_as_error(answer) if isinstance(answer, RefusedReply) else _of_kind(job.call, answer))

    def ended(self, error: SignerError | None) -> None:
        for job in self._jobs:
            job.settle(error or InternalError("the document worker left documents unanswered"))
        self._pool.feed_soon()

    def lost(self, loss: WorkerLost, *, is_oldest: bool) -> None:
        self._pool.take_back(list(self._jobs), loss, was_in_work=is_oldest and loss.error is None)


def _of_kind(call: Call, answer: Reply) -> Reply | SignerError:
    """The answer, if it is one to what was asked."""
    if isinstance(answer, REPLIES[type(call)]):
        return answer
    return InternalError(f"a document worker answered {type(call).__name__} with {type(answer).__name__}")


def _as_error(answer: RefusedReply) -> SignerError:
    """The refusal of a document; a worker can't name any other kind of error."""
    kind = leaves().get(Reason(answer.reason), InternalError)
    if not issubclass(kind, _BELIEVED):
        return InternalError(f"a document worker reported {answer.reason}: {answer.message}")
    error = kind(answer.message)
    error.metadata.update(answer.metadata)
    return error
