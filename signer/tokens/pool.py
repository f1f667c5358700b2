"""One token's queue and workers, on the daemon's side.

    submit(digests) → fair queue → frames of about 10 ms of work, two in each worker's hands → answers

1. A job waits in the fair queue until a worker has room. Until then its key is certainly unused: it can be cancelled, its deadline can
   pass, and if the token heals in time it never notices.
2. Once a job is in a worker's hands, its caller waits for the outcome whatever happens: the answer, or SignatureOutcomeUnknown when the
   worker died. The pool never signs a job twice; repeating is the caller's decision, after it has journalled it.

Owned by the event loop; no locks.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
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
    SignatureOutcomeUnknown,
    SignerError,
    TokenTimedOut,
    TokenUnavailable,
)
from signer.model import KeptKey
from signer.tokens.fair import FairQueue
from signer.tokens.jobs import FrameInHand, SignJob, TokenSignature
from signer.tokens.settings import TokenSettings
from signer.tokens.start import worker_spec
from signer.tokens.wire import Ready, SignCall, SignItem
from signer.workers.gathering import Gathering
from signer.workers.process import WorkerLost, WorkerProcess, WorkerSpec
from signer.workers.supervisor import Place, PlaceState

_FRAME_S = 0.010
_FRAME_ITEMS_MAX = 64
_FRAMES_IN_HAND = 2
_SWEEP_S = 0.25
_RETRY_AFTER_FULL_S = 1.0
_FINAL_FAULTS = (PinHeld, PinLocked, PinSourceUnreadable)
_decode_ready = msgspec.msgpack.Decoder(Ready).decode
_encode = msgspec.msgpack.Encoder().encode


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

    settled: set once each worker has logged in or failed to, for the first time.
    """

    def __init__(self, settings: TokenSettings, *, processes: int, lock_path: Path, log_level: str, events: PoolEvents) -> None:
        self.settings = settings
        self.ready: Ready | None = None
        self.settled = asyncio.Event()
        self._unsettled = {f"{settings.name}#{index}" for index in range(processes)}
        self._events = events
        self._queue: FairQueue[SignJob] = FairQueue()
        self._job_ids = itertools.count(1)
        self._workers: list[WorkerProcess] = []
        self._is_feeding_soon = False
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
    def queue_age_s(self) -> float:
        """How long the digest that was queued first has waited; 0 when none waits."""
        now_s = asyncio.get_running_loop().time()
        return max((now_s - job.queued_s for job in self._queue.heads()), default=0.0)

    @property
    def sessions_open(self) -> int:
        """Sessions of the workers that are ready."""
        return len(self._workers) * self.settings.sessions

    @property
    def sessions_busy(self) -> int:
        """Those of them with something to sign now."""
        in_hand = [sum(len(frame) for frame in worker.listeners if isinstance(frame, FrameInHand)) for worker in self._workers]
        return sum(min(self.settings.sessions, digests) for digests in in_hand)

    @property
    def fault(self) -> SignerError | None:
        """Why a worker last failed to start, if one has not recovered since."""
        return next((place.fault for place in self.places if place.fault is not None), None)

    @property
    def problem(self) -> str:
        """Why nothing is signed now, in words; empty while one worker is ready."""
        if any(place.state is PlaceState.READY for place in self.places):
            return ""
        return self.fault.message if self.fault else f"token {self.name} is not ready; it is tried again by itself"

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
        self,
        *,
        key_id: bytes,
        algorithm: SignatureAlgorithm,
        digests: Sequence[bytes],
        line: str,
        check: Callable[[], None],
        kept: KeptKey | None = None,
    ) -> asyncio.Future[list[TokenSignature | SignerError]]:
        """Queues digests of one key; the future gets a signature or an error for each, in order, when all have ended.

        line: whose turn they take. kept: the key itself, when it is one of the store. Raises PinHeld, PinLocked or PinSourceUnreadable at
        once. Errors of single digests: what `check` raises while it still waits, QueueFull, TokenRefused or TokenRemoved (key unused),
        TokenSignatureWrong (withheld), TokenTimedOut or SignatureOutcomeUnknown (key maybe used, nothing released). Cancelling the future
        takes waiting digests out of the queue.
        """
        self.raise_if_held()
        results: Gathering[TokenSignature] = Gathering(len(digests))
        now_s = asyncio.get_running_loop().time()
        for index, digest in enumerate(digests):
            if len(self._queue) >= self.settings.queue_max:
                results.settle(index, self._full())
            else:
                item = SignItem(next(self._job_ids), key_id, algorithm, digest)
                self._queue.put(line, SignJob(item, check, results, index, now_s, kept))
        self._feed_soon()
        return results.future

    def raise_if_held(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable when no worker will be tried again before an operator acts."""
        if self.places and all(place.state is PlaceState.HELD for place in self.places):
            fault = next(place.fault for place in self.places if place.fault is not None)
            raise fault.copy()

    def _full(self) -> QueueFull:
        return QueueFull(
            f"token {self.name}: {self.settings.queue_max} digests are waiting already; repeat in a moment",
            retry_after_s=_RETRY_AFTER_FULL_S,
            token=self.name,
            limit=self.settings.queue_max,
        )

    def _raise_if_refused(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable once any worker met it: no other one may try the PIN again."""
        for place in self.places:
            if place.state is PlaceState.HELD and place.fault is not None:
                raise place.fault.copy()

    def _spec(self, index: int, lock_path: Path, log_level: str) -> WorkerSpec:
        return worker_spec(self.settings, f"{self.name}#{index}", "signer.tokens.worker", lock_path=lock_path, log_level=log_level)

    async def _run_place(self, place: Place) -> None:
        await place.run()
        self._settle(place.spec.name)
        if place.state is PlaceState.HELD and all(other.state is PlaceState.HELD for other in self.places):
            fault = place.fault or InternalError("a held worker has no fault")
            self._events.token_held(self.name, fault)
            self._fail_waiting(fault)

    def _settle(self, worker: str) -> None:
        self._unsettled.discard(worker)
        if not self._unsettled:
            self.settled.set()

    def _note_loss(self, worker: str, cause: str) -> None:
        self._settle(worker)
        self._events.worker_lost(self.name, cause)

    async def _serve(self, worker: WorkerProcess) -> None:
        self.ready = _decode_ready(worker.ready_body)
        self._settle(worker.spec.name)
        self._events.token_ready(self.name, self.ready)
        self._workers.append(worker)
        self._feed()
        try:
            raise await worker.wait_lost()
        finally:
            self._workers.remove(worker)
            await asyncio.shield(worker.finish_calls())

    def _feed_soon(self) -> None:
        """Feeds when the loop comes round: what is submitted in one go travels in one frame."""
        if not self._is_feeding_soon:
            self._is_feeding_soon = True
            asyncio.get_running_loop().call_soon(self._feed)

    def _feed(self) -> None:
        """Hands waiting jobs to workers with room, the idlest first."""
        self._is_feeding_soon = False
        while len(self._queue) and (worker := self._idlest()) is not None:
            jobs = [job for job in self._queue.take(self._frame_items()) if job.is_wanted()]
            if jobs:
                now_s = asyncio.get_running_loop().time()
                for job in jobs:
                    job.taken_s = now_s
                kept = {job.item.key_id: job.kept for job in jobs if job.kept is not None}
                worker.open_call(_encode(SignCall([job.item for job in jobs], list(kept.values()))), FrameInHand(self, jobs))

    def _idlest(self) -> WorkerProcess | None:
        with_room = [worker for worker in self._workers if worker.calls_open < _FRAMES_IN_HAND and not worker.is_lost]
        return min(with_room, key=lambda worker: worker.calls_open, default=None)

    @property
    def lot_max(self) -> int:
        """Digests that a worker signs in about 10 ms, as measured: what may travel and wait together. 1 for a slow token."""
        by_time = round(_FRAME_S * self.settings.sessions / max(self._sign_s, 1e-6))
        return max(self.settings.sessions, min(by_time, _FRAME_ITEMS_MAX * self.settings.sessions))

    def _frame_items(self) -> int:
        fair_share = -(-len(self._queue) // max(1, len(self._workers)))
        return max(self.settings.sessions, min(self.lot_max, fair_share))

    def signed(self, sign_s: float) -> None:
        """Learns how long a signature takes, for the size of frames."""
        self._sign_s += (sign_s - self._sign_s) * 0.1

    def frame_ended(self, left: Iterable[SignJob], error: SignerError) -> None:
        """A worker is through with a frame, or gone: what it left unanswered gets the error, and there is room for more."""
        for job in left:
            job.results.settle(job.index, error.copy())
        self._feed_soon()

    def lost_error(self, loss: WorkerLost) -> SignerError:
        """What a lost worker means for the digests it held."""
        return loss.error or self._unknown(loss)

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

    def _fail_waiting(self, error: SignerError) -> None:
        for job in self._queue.take(len(self._queue)):
            job.results.settle(job.index, error.copy())

    async def _sweep(self) -> None:
        """Takes out what is late or cancelled, so that callers hear of it also while no worker is ready."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._queue.remove_where(lambda job: not job.is_wanted())
