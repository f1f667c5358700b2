"""One token's queue and workers, on the daemon's side.

    submit(job) → fair queue → frames of about 10 ms of work, two in each worker's hands → answers

1. A job waits in the fair queue until a worker has room. Until then its key is certainly unused: it can be cancelled, its deadline can
   pass, and if the token heals in time it never notices.
2. Once a job is in a worker's hands, its caller waits for the outcome whatever happens: the answer, or SignatureOutcomeUnknown when the
   worker died. The pool never signs a job twice; repeating is the caller's decision, after it has journalled it.

Owned by the event loop; no locks.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    InternalError,
    PinHeld,
    PinLocked,
    PinSourceUnreadable,
    QueueFull,
    Reason,
    SignatureOutcomeUnknown,
    SignerError,
    TokenTimedOut,
    TokenUnavailable,
    leaves,
)
from signer.tokens.fair import FairQueue
from signer.tokens.settings import TokenSettings
from signer.tokens.wire import Ready, SignAnswer, SignCall, SignItem, SignReply, Start
from signer.workers.frames import Kind
from signer.workers.process import INHERITED, Call, WorkerLost, WorkerProcess, WorkerSpec
from signer.workers.supervisor import Place, PlaceState
from signer.workers.waiters import Waiters

_FRAME_S = 0.010
_FRAME_ITEMS_MAX = 64
_FRAMES_IN_HAND = 2
_SWEEP_S = 0.25
_RETRY_AFTER_FULL_S = 1.0
_FINAL_FAULTS = (PinHeld, PinLocked, PinSourceUnreadable)
_decode_reply = msgspec.msgpack.Decoder(SignReply).decode
_decode_ready = msgspec.msgpack.Decoder(Ready).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class TokenSignature:
    """A released signature and where its time went, in seconds."""

    signature: bytes
    queue_s: float
    token_s: float


@dataclass(slots=True, eq=False)
class SignJob:
    """One digest to sign. line: whose turn it takes. check: raises why the job is no longer wanted (deadline, cancelled)."""

    key_id: bytes
    algorithm: SignatureAlgorithm
    digest: bytes
    line: str
    check: Callable[[], None]
    future: asyncio.Future[TokenSignature]
    id: int = 0
    queued_s: float = 0.0
    taken_s: float = 0.0


class PoolEvents(Protocol):
    """What the pool tells whoever watches (journal, metrics)."""

    def token_ready(self, token: str, ready: Ready) -> None:
        """A worker has logged in."""

    def worker_lost(self, token: str, cause: str) -> None:
        """A worker died or was given up."""

    def token_held(self, token: str, fault: SignerError) -> None:
        """Every worker is held until an operator acts."""


class TokenPool:
    """The workers of one token. `start` once, `submit` from any task, `close` once.

    settled: set once the first worker has logged in or failed to.
    """

    def __init__(self, settings: TokenSettings, *, processes: int, lock_path: Path, log_level: str, events: PoolEvents) -> None:
        self.settings = settings
        self.ready: Ready | None = None
        self.settled = asyncio.Event()
        self._events = events
        self._queue: FairQueue[SignJob] = FairQueue()
        self._job_ids = itertools.count(1)
        self._waiters = Waiters()
        self._sign_s = _FRAME_S
        self._tasks: list[asyncio.Task[None]] = []
        specs = [self._spec(index, lock_path, log_level) for index in range(processes)]
        shared: dict[str, Any] = {"on_loss": self._note_loss, "turn": asyncio.Lock(), "before_start": self._raise_if_refused}
        self.places = [Place(spec, self._serve, is_final=lambda error: isinstance(error, _FINAL_FAULTS), **shared) for spec in specs]

    @property
    def name(self) -> str:
        """The token's configured name."""
        return self.settings.name

    @property
    def queue_depth(self) -> int:
        """Digests that wait."""
        return len(self._queue)

    @property
    def fault(self) -> SignerError | None:
        """Why a worker last failed to start, if one has not recovered since."""
        return next((place.fault for place in self.places if place.fault is not None), None)

    async def start(self) -> None:
        """Starts the workers, one after the other; returns without waiting for them."""
        self._tasks = [asyncio.create_task(self._run_place(place), name=place.spec.name) for place in self.places]
        self._tasks.append(asyncio.create_task(self._sweep(), name=f"sweep {self.name}"))

    async def close(self) -> None:
        """Lets workers finish their login or frame, finalise and leave; jobs that still wait get TokenUnavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail_waiting(TokenUnavailable(f"token {self.name}: the daemon is stopping", token=self.name))

    def submit(
        self, *, key_id: bytes, algorithm: SignatureAlgorithm, digest: bytes, line: str, check: Callable[[], None]
    ) -> asyncio.Future[TokenSignature]:
        """Queues one digest; the future gets its signature.

        Raises QueueFull, PinHeld, PinLocked or PinSourceUnreadable at once. The future raises what `check` raises while the job still waits
        (key unused), TokenRefused or TokenRemoved (key unused), TokenSignatureWrong (withheld), TokenTimedOut or SignatureOutcomeUnknown
        (key maybe used, nothing released). Cancelling the future takes a waiting job out of the queue.
        """
        loop = asyncio.get_running_loop()
        job = SignJob(key_id, algorithm, digest, line, check, loop.create_future(), next(self._job_ids), loop.time())
        self.raise_if_held()
        if len(self._queue) >= self.settings.queue_max:
            raise QueueFull(
                f"token {self.name}: {self.settings.queue_max} digests are waiting already; repeat in a moment",
                retry_after_s=_RETRY_AFTER_FULL_S,
                token=self.name,
                limit=self.settings.queue_max,
            )
        self._queue.put(line, job)
        self._waiters.wake_one()
        return job.future

    def raise_if_held(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable when no worker will be tried again before an operator acts."""
        if self.places and all(place.state is PlaceState.HELD for place in self.places):
            fault = next(place.fault for place in self.places if place.fault is not None)
            raise _fresh(fault)

    def _raise_if_refused(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable once any worker met it: no other one may try the PIN again."""
        for place in self.places:
            if place.state is PlaceState.HELD and place.fault is not None:
                raise _fresh(place.fault)

    def _spec(self, index: int, lock_path: Path, log_level: str) -> WorkerSpec:
        settings = self.settings
        start = Start(
            name=settings.name,
            module=str(settings.module),
            label=settings.label,
            serial=settings.serial,
            pin=str(settings.pin),
            sessions=settings.sessions,
            lock_path=str(lock_path),
            softhsm_token_directory=str(settings.softhsm_token_directory or ""),
            safe_copy_directory=str(settings.softhsm_copy or ""),
            log_level=log_level,
        )
        pin_variable = (start.pin.removeprefix("env:"),) if start.pin.startswith("env:") else ()
        return WorkerSpec(
            name=f"{settings.name}#{index}",
            module="signer.tokens.worker",
            start_body=_encode(start),
            start_s_max=settings.login_s_max,
            environment=dict(settings.environment),
            inherit=INHERITED + pin_variable,
        )

    async def _run_place(self, place: Place) -> None:
        await place.run()
        if place.state is PlaceState.HELD and all(other.state is PlaceState.HELD for other in self.places):
            self.settled.set()
            fault = place.fault or InternalError("a held worker has no fault")
            self._events.token_held(self.name, fault)
            self._fail_waiting(fault)

    def _note_loss(self, _worker: str, cause: str) -> None:
        self.settled.set()
        self._events.worker_lost(self.name, cause)

    async def _serve(self, worker: WorkerProcess) -> None:
        self.ready = _decode_ready(worker.ready_body)
        self.settled.set()
        self._events.token_ready(self.name, self.ready)
        worker.on_lost = self._waiters.wake_all
        room = asyncio.Semaphore(_FRAMES_IN_HAND)
        collecting: set[asyncio.Task[None]] = set()
        try:
            while True:
                await room.acquire()
                jobs = await self._next_jobs(worker)
                call = worker.open_call(_encode(SignCall([SignItem(job.id, job.key_id, job.algorithm, job.digest) for job in jobs])))
                task = asyncio.create_task(self._collect(worker, call, jobs, room))
                collecting.add(task)
                task.add_done_callback(collecting.discard)
        finally:
            if collecting:
                await asyncio.shield(asyncio.gather(*collecting))

    async def _next_jobs(self, worker: WorkerProcess) -> list[SignJob]:
        """The next frame's jobs, none of them cancelled or late; raises WorkerLost as soon as the worker is gone."""
        while True:
            worker.raise_if_lost()
            jobs = [job for job in self._queue.take(self._frame_items()) if self._still_wanted(job)]
            if jobs:
                now_s = asyncio.get_running_loop().time()
                for job in jobs:
                    job.taken_s = now_s
                if len(self._queue):
                    self._waiters.wake_one()
                return jobs
            if not len(self._queue):
                await self._waiters.wait()

    def _frame_items(self) -> int:
        by_time = round(_FRAME_S * self.settings.sessions / max(self._sign_s, 1e-6))
        ready = sum(place.state is PlaceState.READY for place in self.places) or 1
        fair_share = -(-len(self._queue) // ready)
        return max(self.settings.sessions, min(by_time, _FRAME_ITEMS_MAX * self.settings.sessions, fair_share))

    @staticmethod
    def _still_wanted(job: SignJob) -> bool:
        if job.future.done():
            return False
        try:
            job.check()
        except SignerError as error:
            job.future.set_exception(error)
            return False
        return True

    async def _collect(self, worker: WorkerProcess, call: Call, jobs: list[SignJob], room: asyncio.Semaphore) -> None:
        pending = {job.id: job for job in jobs}
        try:
            while (frame := await call.answer(self.settings.call_s_max)).kind is Kind.REPLY:
                for answer in _decode_reply(frame.body).answers:
                    job = pending.pop(answer.job_id, None)
                    if job is not None:
                        self._settle(job, answer)
        except WorkerLost as loss:
            error = loss.error or self._unknown(loss)
        except (SignerError, msgspec.MsgspecError) as wrong:
            error = InternalError(f"token {self.name}: the worker broke the protocol: {wrong}")
            worker.lose("babbled")
        else:
            error = InternalError(f"token {self.name}: the worker left digests unanswered")
        finally:
            worker.forget(call)
            room.release()
        for job in pending.values():
            if not job.future.done():
                job.future.set_exception(_fresh(error))

    def _unknown(self, loss: WorkerLost) -> SignerError:
        if loss.cause == "timed-out":
            return TokenTimedOut(
                f"token {self.name} gave no answer for {self.settings.call_s_max:g} s; its worker was killed. "
                "The key may have been used, but no signature left the appliance. Repeat with the same ids.",
                token=self.name,
            )
        return SignatureOutcomeUnknown(
            f"token {self.name}: the worker died ({loss.cause}) with this digest in its hands. "
            "The key may have been used, but no signature left the appliance. Repeat with the same ids.",
            token=self.name,
        )

    def _settle(self, job: SignJob, answer: SignAnswer) -> None:
        if job.future.done():
            return
        if answer.signature:
            self._sign_s += (answer.sign_s - self._sign_s) * 0.1
            job.future.set_result(TokenSignature(answer.signature, job.taken_s - job.queued_s, answer.sign_s))
        else:
            kind = leaves()[Reason(answer.reason)]
            job.future.set_exception(kind(answer.message, token=self.name))

    def _fail_waiting(self, error: SignerError) -> None:
        for job in self._queue.take(len(self._queue)):
            if not job.future.done():
                job.future.set_exception(_fresh(error))

    async def _sweep(self) -> None:
        """Takes out what is late or cancelled, so that callers hear of it also while no worker is ready."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._queue.remove_where(lambda job: not self._still_wanted(job))


def _fresh(error: SignerError) -> SignerError:
    """A copy for one waiter: an exception instance raised in several tasks would share its traceback."""
    copy = type(error)(error.message, retry_after_s=error.retry_after_s)
    copy.metadata.update(error.metadata)
    return copy
