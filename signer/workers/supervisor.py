"""Keeps one place for a worker filled: start, serve, and again after a loss, with growing pauses.

The pause starts at 0.2 s and doubles to 30 s; in the first two minutes of trouble it grows no longer than 2 s, and after a worker that
served for 5 s it starts anew. So a crash loop costs little, a single crash heals at once, and a device that comes back within minutes is
noticed within seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from signer.errors import InternalError, SignerError
from signer.telemetry.logs import get_logger
from signer.workers.process import WorkerLost, WorkerProcess, WorkerSpec

_log = get_logger(__name__)


class PlaceState(Enum):
    """What a worker's place is doing; the value is the metric's label."""

    STARTING = "starting"
    WAITING = "waiting"
    READY = "ready"
    HEALING = "healing"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between starts, in seconds: from first_s doubling to max_s; to brisk_max_s only, in the first brisk_s of trouble."""

    first_s: float = 0.2
    max_s: float = 30.0
    healthy_after_s: float = 5.0
    brisk_max_s: float = 2.0
    brisk_s: float = 120.0


@dataclass(slots=True)
class Place:
    """One place for a worker; `state` and `fault` are read by health and by `signer tokens`.

    serve: works with a ready worker until it is lost (raises WorkerLost) or no longer wanted (returns). is_final: tells the errors after
    which another start would do harm (a refused PIN): the place is then held until the daemon is told otherwise. turn: places that share
    one start one at a time, and the next one only after `before_start` has raised nothing: so a PIN that is refused is sent once.
    on_waiting: told what a worker waits for that can't become ready yet. spec: as it is when the next worker starts.
    """

    spec: WorkerSpec
    serve: Callable[[WorkerProcess], Awaitable[None]]
    is_final: Callable[[SignerError], bool] = lambda _error: False
    on_loss: Callable[[str, str], None] = lambda _name, _cause: None
    on_waiting: Callable[[str, SignerError], None] = lambda _name, _error: None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    before_start: Callable[[], None] = lambda: None
    backoff: Backoff = Backoff()
    state: PlaceState = PlaceState.STARTING
    fault: SignerError | None = None
    worker: WorkerProcess | None = None
    restarts: int = 0
    _ready_s: float = math.inf
    _trouble_s: float = math.inf
    _next_pause_s: float = 0.0

    async def run(self) -> None:
        """Runs until cancelled, or until a final fault holds the place."""
        try:
            while True:
                try:
                    await self._serve_once()
                except WorkerLost as loss:
                    if self._is_held_by(loss.error):
                        return
                    self._note_loss(loss.cause)
                except SignerError as error:
                    if self._is_held_by(error):
                        return
                    self._note_loss(error.reason.value)
                except Exception as error:  # noqa: BLE001 - a strange token or certificate must not leave a place empty in silence
                    _log.exception("worker given up by a bug", worker=self.spec.name)
                    self.fault = InternalError(f"worker {self.spec.name} was given up: {type(error).__name__}; the log has the rest")
                    self._note_loss("bug")
                else:
                    return
                await asyncio.sleep(self._pause_s())
        finally:
            if self.state is not PlaceState.HELD:
                self.state = PlaceState.STOPPED

    def _pause_s(self) -> float:
        """How long to wait after a loss."""
        backoff, now_s = self.backoff, asyncio.get_running_loop().time()
        if now_s - self._ready_s > backoff.healthy_after_s:
            self._trouble_s, self._next_pause_s = math.inf, 0.0
        self._ready_s = math.inf
        self._trouble_s = min(self._trouble_s, now_s)
        is_brisk = now_s - self._trouble_s < backoff.brisk_s
        pause_s = min(self._next_pause_s or backoff.first_s, backoff.brisk_max_s if is_brisk else backoff.max_s)
        self._next_pause_s = pause_s * 2
        return pause_s

    async def _serve_once(self) -> None:
        async with self.turn:
            self.before_start()
            self.worker = await WorkerProcess.start(self.spec, self._wait)
        self.state, self.fault, self._ready_s = PlaceState.READY, None, asyncio.get_running_loop().time()
        _log.info("worker ready", worker=self.spec.name, pid=self.worker.pid)
        try:
            await self.serve(self.worker)
        finally:
            worker, self.worker = self.worker, None
            await asyncio.shield(worker.close())

    def _wait(self, error: SignerError) -> None:
        if self.state is not PlaceState.READY:  # a ready worker that logs in anew is soon back
            self.state, self.fault = PlaceState.WAITING, error
        self.on_waiting(self.spec.name, error)

    def _is_held_by(self, error: SignerError | None) -> bool:
        self.fault = error or self.fault
        if error is None or not self.is_final(error):
            return False
        self.state = PlaceState.HELD
        _log.error("worker held", worker=self.spec.name, reason=error.reason.value, message=error.message)
        return True

    def _note_loss(self, cause: str) -> None:
        self.state = PlaceState.HEALING
        self.restarts += 1
        self.on_loss(self.spec.name, cause)
        _log.warning("worker lost", worker=self.spec.name, cause=cause, message=self.fault.message if self.fault else "")
