"""The places for one token's workers, and whether they may log in: held after a refused PIN, released, paused, resumed.

Rules:
- Places start one at a time. Once any worker's PIN was refused, no other one tries it before `release`.
- What an operator paused stays so until `resume` or the daemon's end; a held PIN stays held across both.
- The token that was ready first is the one that is looked for from then on (`identity`); another one in its place gets the PIN once an
  operator has released it, or the daemon was restarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from signer.errors import InternalError, PinHeld, PinLocked, PinSourceUnreadable, SignerError
from signer.tokens.settings import TokenSettings
from signer.tokens.standing import is_foreign
from signer.tokens.start import worker_spec
from signer.tokens.wire import Identity, PinCaution, Ready
from signer.workers.process import WorkerProcess, WorkerSpec
from signer.workers.supervisor import Place, PlaceState

_FINAL_FAULTS = (PinHeld, PinLocked, PinSourceUnreadable)


class TokenPlaces:
    """Owned by the event loop; `start` and `close` once.

    serve: works with a ready worker (`Place.serve`). on_change: told after each change, with the error that caused it if there is one.
    settled: set once each worker has logged in or failed to, for the first time.
    """

    def __init__(
        self,
        settings: TokenSettings,
        *,
        processes: int,
        lock_path: Path,
        log_level: str,
        serve: Callable[[WorkerProcess], Awaitable[None]],
        on_loss: Callable[[str], None],
        on_change: Callable[[SignerError | None], None],
    ) -> None:
        self.settled = asyncio.Event()
        self.pause_reason: str | None = None
        self._settings = settings
        self._lock_path = lock_path
        self._log_level = log_level
        self._on_loss = on_loss
        self._on_change = on_change
        self._known = Identity()
        self._caution = settings.pin_caution
        self._refusal: SignerError | None = None
        self._changed = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        shared: dict[str, Any] = {"on_loss": self._note_loss, "on_waiting": self._note_waiting, "turn": asyncio.Lock()}
        shared |= {"before_start": self.raise_if_refused, "is_final": lambda error: isinstance(error, _FINAL_FAULTS)}
        self.places = [Place(self._spec(f"{settings.name}#{index}"), serve, **shared) for index in range(processes)]
        self._unsettled = {place.spec.name for place in self.places}

    @property
    def fault(self) -> SignerError | None:
        """Why a worker last failed, if one has not recovered since."""
        return next((place.fault for place in self.places if place.fault is not None), None)

    @property
    def are_held(self) -> bool:
        """Whether no worker is left that works or will be tried."""
        return bool(self.places) and all(place.state is PlaceState.HELD for place in self.places)

    def start(self) -> None:
        """Starts the workers that are not held, one after the other; returns without waiting for them."""
        self._start([place for place in self.places if place.state is not PlaceState.HELD])

    async def close(self) -> None:
        """Lets workers finish their login or frame, finalise and leave."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    def learn(self, worker: str, ready: Ready) -> None:
        """A worker is ready: from now on this token is looked for, and its PIN is known to be right."""
        self._known, self._caution, self._refusal = ready.identity, self._settings.pin_caution, None
        self._renew_specs()
        self._settle(worker)
        self._note(None)

    def raise_if_refused(self) -> None:
        """PinHeld, PinLocked or PinSourceUnreadable once any process met it: no other one may try the PIN again."""
        if self._refusal is not None:
            raise self._refusal.copy()

    def refuse(self, error: SignerError) -> None:
        """A login beside the workers' failed: a refused PIN holds them as well; any other error does not concern them."""
        if isinstance(error, _FINAL_FAULTS):
            self._refusal = self._refusal or error

    async def release(self, *, allow_final_try: bool) -> None:
        """Lets a held token log in once more, or another one in place of the one that was known; the PIN is read anew.

        Raises PinHeld, PinLocked or PinSourceUnreadable when it is held again. Returns once one worker is ready, or waits for its token.
        """
        if self.fault is not None and is_foreign(self.fault):
            self._known = Identity()
            await self.close()
        held = [place for place in self.places if place.state is PlaceState.HELD or place.spec.name not in self._tasks]
        if not held:
            return
        self._refusal = None
        if self._caution is not PinCaution.LOCKED:
            self._caution = PinCaution.LOCKED if allow_final_try else PinCaution.FINAL_TRY
        self._renew_specs()
        for place in held:
            place.state, place.fault = PlaceState.STARTING, None
        if self.pause_reason is not None:
            return
        self._start(held)
        while all(place.state is PlaceState.STARTING for place in held):
            self._changed.clear()
            await self._changed.wait()
        self.raise_if_refused()

    def _start(self, places: list[Place]) -> None:
        for place in places:
            self._tasks[place.spec.name] = asyncio.create_task(self._run(place), name=place.spec.name)

    async def pause(self, reason: str) -> None:
        """Ends the workers once they are through with what they have in hand; nothing is begun before `resume`."""
        self.pause_reason = reason
        self._note(None)
        await self.close()
        self._note(None)

    def resume(self) -> None:
        """Starts them again."""
        if self.pause_reason is not None:
            self.pause_reason = None
            for place in self.places:
                if place.state is not PlaceState.HELD:
                    place.state, place.fault = PlaceState.STARTING, None
            self.start()
            self._note(None)

    async def _run(self, place: Place) -> None:
        await place.run()
        self._settle(place.spec.name)
        if place.state is PlaceState.HELD:
            self._refusal = self._refusal or place.fault or InternalError("a held worker has no fault")
            self._note(place.fault)

    def _note_loss(self, worker: str, cause: str) -> None:
        self._settle(worker)
        self._on_loss(cause)
        self._note(next((place.fault for place in self.places if place.spec.name == worker), None))

    def _note_waiting(self, _worker: str, error: SignerError) -> None:
        """The token is not there: the others, whose turn has not come, would not find it either."""
        self._unsettled.clear()
        self.settled.set()
        self._note(error)

    def _settle(self, worker: str) -> None:
        self._unsettled.discard(worker)
        if not self._unsettled:
            self.settled.set()

    def _note(self, error: SignerError | None) -> None:
        self._changed.set()
        self._on_change(error)

    def key_worker_spec(self) -> WorkerSpec:
        """How to start the process that makes keys on the token these workers know."""
        return self._spec(f"{self._settings.name}#keys", "signer.tokens.key_worker")

    def _renew_specs(self) -> None:
        for place in self.places:
            place.spec = self._spec(place.spec.name)

    def _spec(self, name: str, module: str = "signer.tokens.worker") -> WorkerSpec:
        return worker_spec(
            self._settings,
            name,
            module,
            lock_path=self._lock_path,
            log_level=self._log_level,
            pin_caution=self._caution,
            known=self._known,
        )
