"""Keeps one place for a worker filled: start, serve, and again after a loss, with growing pauses.

The pause starts at 0.2 s, doubles to 30 s, and starts anew after a worker has served for 30 s: a crash loop costs little, a single
crash heals at once.
"""

from __future__ import annotations

import asyncio
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
    READY = "ready"
    HEALING = "healing"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between starts, in seconds."""

    first_s: float = 0.2
    max_s: float = 30.0
    healthy_after_s: float = 30.0


@dataclass(slots=True)
class Place:
    """One place for a worker; `state` and `fault` are read by health and by `signer tokens`.

    serve: works with a ready worker until it is lost (raises WorkerLost) or no longer wanted (returns). is_final: tells the errors after
    which another start would do harm (a refused PIN): the place is then held until the daemon is told otherwise. turn: places that share
    one start one at a time, and the next one only after `before_start` has raised nothing: so a PIN that is refused is sent once.
    """

    spec: WorkerSpec
    serve: Callable[[WorkerProcess], Awaitable[None]]
    is_final: Callable[[SignerError], bool] = lambda _error: False
    on_loss: Callable[[str, str], None] = lambda _name, _cause: None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    before_start: Callable[[], None] = lambda: None
    backoff: Backoff = Backoff()
    state: PlaceState = PlaceState.STARTING
    fault: SignerError | None = None
    worker: WorkerProcess | None = None
    restarts: int = 0

    async def run(self) -> None:
        """Runs until cancelled, or until a final fault holds the place."""
        pause_s = self.backoff.first_s
        clock = asyncio.get_running_loop().time
        try:
            while True:
                started_s = clock()
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
                if clock() - started_s > self.backoff.healthy_after_s:
                    pause_s = self.backoff.first_s
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self.backoff.max_s)
        finally:
            if self.state is not PlaceState.HELD:
                self.state = PlaceState.STOPPED

    async def _serve_once(self) -> None:
        async with self.turn:
            self.before_start()
            self.worker = await WorkerProcess.start(self.spec)
        self.state, self.fault = PlaceState.READY, None
        _log.info("worker ready", worker=self.spec.name, pid=self.worker.pid)
        try:
            await self.serve(self.worker)
        finally:
            worker, self.worker = self.worker, None
            await asyncio.shield(worker.close())

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
