"""The document workers' queue, on the daemon's side.

Two documents are in each worker's hands, so that it never waits for the daemon. A worker works in order: when it dies, the first
document it held is the suspect and is tried once more; the second was not begun and goes back to the front of the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from signer.documents.settings import DocumentSettings
from signer.documents.wire import PrepareCall, PreparedReply, Start
from signer.errors import DocumentTooCostly, SignerError, WorkerUnavailable
from signer.workers.process import INHERITED, Call, WorkerLost, WorkerProcess, WorkerSpec
from signer.workers.supervisor import Place
from signer.workers.waiters import Waiters

_IN_HAND = 2
_TRIES_MAX = 2
_START_S_MAX = 60.0
_MIB = 1024 * 1024
_INHERITED = tuple(name for name in INHERITED if name != "CREDENTIALS_DIRECTORY")
_decode_reply = msgspec.msgpack.Decoder(PreparedReply).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True, eq=False)
class _Job:
    body: bytes
    future: asyncio.Future[PreparedReply]
    tries: int = 0


class DocumentPool:
    """All document workers. `start` once, `prepare` from any task, `close` once. Owned by the event loop; no locks."""

    def __init__(
        self,
        settings: DocumentSettings,
        *,
        processes: int,
        log_level: str,
        on_loss: Callable[[str, str], None] = lambda _name, _cause: None,
    ) -> None:
        self._settings = settings
        self._jobs: deque[_Job] = deque()
        self._waiters = Waiters()
        self._tasks: list[asyncio.Task[None]] = []
        self.places = [Place(self._spec(index, log_level), self._serve, on_loss=on_loss) for index in range(processes)]

    async def start(self) -> None:
        """Starts the workers; returns without waiting for them."""
        self._tasks = [asyncio.create_task(place.run(), name=place.spec.name) for place in self.places]

    async def close(self) -> None:
        """Ends the workers; documents that still wait get WorkerUnavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._jobs:
            if not job.future.done():
                job.future.set_exception(WorkerUnavailable("the daemon is stopping"))

    async def prepare(self, call: PrepareCall) -> PreparedReply:
        """Prepares one document.

        Raises a leaf of DocumentError; DocumentTooCostly when it exceeded its time or memory or killed its worker twice. May be cancelled
        at any time: no key is near.
        """
        job = _Job(_encode(call), asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._waiters.wake_one()
        return await job.future

    def _spec(self, index: int, log_level: str) -> WorkerSpec:
        start = Start(name=str(index), memory_bytes_max=self._settings.memory_mib_max * _MIB, log_level=log_level)
        return WorkerSpec(
            name=f"documents#{index}",
            module="signer.documents.worker",
            start_body=_encode(start),
            start_s_max=_START_S_MAX,
            inherit=_INHERITED,
        )

    async def _serve(self, worker: WorkerProcess) -> None:
        in_hand: deque[tuple[_Job, Call]] = deque()
        worker.on_lost = self._waiters.wake_all
        try:
            while True:
                worker.raise_if_lost()
                while len(in_hand) < _IN_HAND and (job := self._next_job()):
                    in_hand.append((job, worker.open_call(job.body)))
                if in_hand:
                    await self._finish(worker, *in_hand[0])
                    in_hand.popleft()
                else:
                    await self._waiters.wait()
        except WorkerLost as loss:
            if in_hand:
                self._suspect(in_hand.popleft()[0], loss)
            self._jobs.extendleft(job for job, _call in reversed(in_hand))
            raise
        except asyncio.CancelledError:
            self._jobs.extendleft(job for job, _call in reversed(in_hand))
            raise

    def _next_job(self) -> _Job | None:
        while self._jobs:
            job = self._jobs.popleft()
            if not job.future.done():
                return job
        return None

    async def _finish(self, worker: WorkerProcess, job: _Job, call: Call) -> None:
        try:
            frame = await call.answer(self._settings.document_s_max)
            prepared = _decode_reply(frame.body)
        except SignerError as error:
            if not job.future.done():
                job.future.set_exception(error)
        except msgspec.MsgspecError:
            worker.lose("babbled")
            raise WorkerLost("babbled") from None
        else:
            if not job.future.done():
                job.future.set_result(prepared)
        finally:
            worker.forget(call)

    def _suspect(self, job: _Job, loss: WorkerLost) -> None:
        """The document in work when a worker was lost: too slow fails at once, a crash gets one more try."""
        job.tries += 1
        if job.future.done():
            return
        if loss.cause == "timed-out":
            limit = f"{self._settings.document_s_max:g} s"
            job.future.set_exception(DocumentTooCostly(f"preparing the document took longer than {limit}; simplify or shrink it"))
        elif job.tries >= _TRIES_MAX:
            job.future.set_exception(
                DocumentTooCostly("the document ended the process that reads it, twice; it is probably made to do harm")
            )
        else:
            self._jobs.appendleft(job)
