"""One token's queue and workers, on the daemon's side.

    submit(digests) → fair queue → frames of about 10 ms of work, two in each worker's hands → answers

1. A job waits in the fair queue until a worker has room. Until then its key is certainly unused: it can be cancelled, its deadline can
   pass, and if the token heals in time it never notices. If it does not, the job fails a little before its deadline, so that its caller
   still hears of it. After a fault jobs go out one at a time until one was signed: a token that only half heals costs one job at a time.
2. Once a job is in a worker's hands, its caller waits for the outcome whatever happens: the answer, or SignatureOutcomeUnknown when the
   worker died. The pool never signs a job twice; repeating is the caller's decision, after it has journalled it.

Owned by the event loop; no locks.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    PinLocked,
    QueueFull,
    SignatureOutcomeUnknown,
    SignerError,
    TokenRefused,
    TokenRemoved,
    TokenTimedOut,
    TokenUnavailable,
)
from signer.model import KeptKey
from signer.telemetry import origins, traces
from signer.telemetry.steps import Step
from signer.tokens.fair import FairQueue, Weight, evenly
from signer.tokens.jobs import FrameInHand, SignJob, TokenSignature
from signer.tokens.places import TokenPlaces
from signer.tokens.settings import TokenSettings
from signer.tokens.standing import Pace, SignTime, Standing, token_state
from signer.tokens.wire import COUNT, PinCount, Ready, SignCall, SignItem
from signer.workers.gathering import Gathering
from signer.workers.process import WorkerLost, WorkerProcess
from signer.workers.supervisor import Place, PlaceState

_FRAME_S = 0.010
_LOT_S = 0.100
_FRAME_ITEMS_MAX = 64
_FRAMES_IN_HAND = 2
_SWEEP_S = 0.25
_RETRY_AFTER_FULL_S = 1.0
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

    workers: their places, with what an operator can do to them. standing, pace: what was seen of the token. weight: of those that wait.
    """

    def __init__(
        self,
        settings: TokenSettings,
        *,
        processes: int,
        lock_path: Path,
        log_level: str,
        events: PoolEvents,
        weight: Weight = evenly,
    ) -> None:
        self.settings = settings
        self.ready: Ready | None = None
        self.standing = Standing()
        self.pace = Pace()
        self._events = events
        self._queue: FairQueue[SignJob] = FairQueue(weight)
        self._job_ids = itertools.count(1)
        self._workers: list[WorkerProcess] = []
        self._is_feeding_soon = False
        self._sign_time = SignTime(_FRAME_S)
        self._is_in_doubt = False
        self._is_closed = False
        self._sweeper: asyncio.Task[None] | None = None
        self.workers = TokenPlaces(
            settings,
            processes=processes,
            lock_path=lock_path,
            log_level=log_level,
            serve=self._serve,
            on_loss=lambda cause: events.worker_lost(settings.name, cause),
            on_change=self._note_change,
        )

    @property
    def places(self) -> list[Place]:
        """One a worker."""
        return self.workers.places

    @property
    def settled(self) -> asyncio.Event:
        """Set once each worker has logged in or failed to, for the first time."""
        return self.workers.settled

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
        return self.workers.fault

    @property
    def pin_count(self) -> PinCount | None:
        """The PIN's counter as the token told it last: when it was logged in to, or when its PIN was held. None: it has not yet."""
        fault = self.fault
        if isinstance(fault, PinLocked):
            return PinCount.LOCKED
        if fault is not None and COUNT in fault.metadata:
            return PinCount(fault.metadata[COUNT])
        return self.ready.pin_count if self.ready is not None else None

    @property
    def problem(self) -> str:
        """Why nothing is signed now, in words; empty while one worker is ready."""
        if any(place.state is PlaceState.READY for place in self.places):
            return ""
        if self.workers.pause_reason is not None:
            return (
                f"token {self.name} was taken out of use: {self.workers.pause_reason or 'no reason given'}; `signer tokens resume` ends it"
            )
        return self.fault.message if self.fault else f"token {self.name} is not ready; it is tried again by itself"

    async def start(self) -> None:
        """Starts the workers, one after the other; returns without waiting for them."""
        self.workers.start()
        self._sweeper = asyncio.create_task(self._sweep(), name=f"sweep {self.name}")

    async def close(self) -> None:
        """Lets workers finish their login or frame, finalise and leave; jobs that still wait get TokenUnavailable."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self.workers.close()
        self._fail_waiting(self._stopping())

    def _stopping(self) -> TokenUnavailable:
        return TokenUnavailable(f"token {self.name}: the daemon is stopping", token=self.name)

    def submit(
        self,
        *,
        key_id: bytes,
        algorithm: SignatureAlgorithm,
        digests: Sequence[bytes],
        line: str,
        check: Callable[[], None],
        kept: KeptKey | None = None,
        give_up_s: float = math.inf,
    ) -> asyncio.Future[list[TokenSignature | SignerError]]:
        """Queues digests of one key; the future gets a signature or an error for each, in order, when all have ended.

        line: whose turn they take. kept: the key itself, when it is one of the store. give_up_s: until when to wait for a token that is
        away, on the loop's clock. Raises PinHeld, PinLocked or PinSourceUnreadable at once. Errors of single digests: what `check` raises
        while it still waits, QueueFull, TokenRefused, TokenRemoved or TokenUnavailable (nothing released), TokenSignatureWrong (withheld),
        TokenTimedOut or SignatureOutcomeUnknown (key maybe used, nothing released). Cancelling the future takes waiting digests out of
        the queue.
        """
        self.raise_if_held()
        if self._is_closed:
            raise self._stopping()
        results: Gathering[TokenSignature] = Gathering(len(digests))
        now_s, origin = asyncio.get_running_loop().time(), origins.current()
        for index, digest in enumerate(digests):
            if len(self._queue) >= self.settings.queue_max:
                results.settle(index, self._full())
            else:
                item = SignItem(next(self._job_ids), key_id, algorithm, digest)
                self._queue.put(line, SignJob(item, check, results, index, now_s, kept, origin, give_up_s))
        self._feed_soon()
        return results.future

    def raise_if_held(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable when no worker will be tried again before an operator acts."""
        if self.workers.are_held:
            self.workers.raise_if_refused()

    def raise_if_closed_to_keys(self) -> None:
        """Why no key may be made or destroyed now: the PIN was refused somewhere, or an operator took the token out of use."""
        self.workers.raise_if_refused()
        if self.workers.pause_reason is not None:
            raise TokenUnavailable(self.problem, token=self.name)

    def _full(self) -> QueueFull:
        return QueueFull(
            f"token {self.name}: {self.settings.queue_max} digests are waiting already; repeat in a moment",
            retry_after_s=_RETRY_AFTER_FULL_S,
            token=self.name,
            limit=self.settings.queue_max,
        )

    def _note_change(self, error: SignerError | None) -> None:
        if error is not None:
            self.standing.fail(error)
        self.standing.look(token_state(self.places, self.fault, is_paused=self.workers.pause_reason is not None))
        if error is not None and self.workers.are_held:
            self._events.token_held(self.name, error)
            self._fail_waiting(error)

    async def _serve(self, worker: WorkerProcess) -> None:
        self.ready = _decode_ready(worker.ready_body)
        self._events.token_ready(self.name, self.ready)
        self._workers.append(worker)
        self.workers.learn(worker.spec.name, self.ready)
        self._feed()
        try:
            loss = await worker.wait_lost()
            self._is_in_doubt = True
            self.standing.fail(self.lost_error(loss))
            raise loss
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
                _tell_waits(jobs, now_s)
                kept = {job.item.key_id: job.kept for job in jobs if job.kept is not None}
                call = _encode(SignCall([job.item for job in jobs], list(kept.values())))
                worker.open_call(call, FrameInHand(self, jobs), origins.distinct(job.origin for job in jobs))

    def _idlest(self) -> WorkerProcess | None:
        frames = 1 if self._is_in_doubt else _FRAMES_IN_HAND
        with_room = [worker for worker in self._workers if worker.calls_open < frames and not worker.is_lost]
        return min(with_room, key=lambda worker: worker.calls_open, default=None)

    @property
    def lot_max(self) -> int:
        """Digests that a worker signs in a tenth of a second, as measured: what may wait for one another. 1 for a slow token."""
        return self._signed_in(_LOT_S)

    def _signed_in(self, seconds: float) -> int:
        by_time = round(seconds * self.settings.sessions / max(self._sign_time.seconds, 1e-6))
        return max(self.settings.sessions, min(by_time, _FRAME_ITEMS_MAX * self.settings.sessions))

    def _frame_items(self) -> int:
        if self._is_in_doubt:
            return 1
        fair_share = -(-len(self._queue) // max(1, len(self._workers)))
        return max(self.settings.sessions, min(self._signed_in(_FRAME_S), fair_share))

    def signed(self, sign_s: float) -> None:
        """Learns how long a signature takes, for the size of frames; and that the token works."""
        self._sign_time.add(sign_s)
        self.pace.add(asyncio.get_running_loop().time(), sign_s)
        self._is_in_doubt = False
        if self.standing.is_failing:
            self.standing.heal()

    def failed(self, error: SignerError) -> None:
        """Remembers a fault of the token's."""
        if not isinstance(error, TokenRefused):
            self.standing.fail(error)

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
            self._queue.remove_where(lambda job: not (job.is_wanted() and self._is_worth_waiting(job)))

    def _is_worth_waiting(self, job: SignJob) -> bool:
        if self._workers or asyncio.get_running_loop().time() < job.give_up_s:
            return True
        kind = TokenRemoved if isinstance(self.fault, TokenRemoved) else TokenUnavailable
        message = f"not back before the deadline, no key was used; repeat with the same ids: {self.problem}"
        job.results.settle(job.index, kind(message, token=self.name))
        return False


def _tell_waits(jobs: Sequence[SignJob], now_s: float) -> None:
    """Where it is traced: how long the one that waited longest of a request waited."""
    traced = [job for job in reversed(jobs) if job.origin is not None and job.origin.span is not None]
    for job in {id(job.origin): job for job in traced}.values():
        traces.waited(job.origin, Step.QUEUE, now_s - job.queued_s)
