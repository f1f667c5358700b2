"""What the pools and the clock report, passed on to journal, metrics and logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from signer.errors import JournalUnavailable, PinHeld, PinLocked, PinSourceUnreadable, SignerError
from signer.journal import Journal, NoteKind
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics, PinState
from signer.timestamp.clock import ClockStanding
from signer.tokens.credentials import CredentialTable
from signer.tokens.pool import TokenPool
from signer.tokens.standing import TokenState
from signer.tokens.wire import PinCount, Ready
from signer.workers.supervisor import PlaceState

_log = get_logger(__name__)
_LOOK_S = 1.0
_PIN_STATES: dict[type, PinState] = {PinHeld: PinState.HELD, PinLocked: PinState.LOCKED, PinSourceUnreadable: PinState.SOURCE_UNREADABLE}


def pin_state(pool: TokenPool) -> PinState:
    """Whether a token's PIN can be used."""
    return _PIN_STATES.get(type(pool.fault), PinState.READY)


class Watch:
    """The pools' and the clock's events, and gauges that are read from them once a second."""

    def __init__(self, journal: Journal, metrics: Metrics, credentials: CredentialTable) -> None:
        self._journal = journal
        self._metrics = metrics
        self._credentials = credentials
        self._notes: set[asyncio.Task[None]] = set()

    def token_ready(self, token: str, ready: Ready) -> None:
        """A worker has logged in: its keys become credentials; a restored token file is journalled."""
        self._credentials.refresh(token, ready)
        if ready.restored_files:
            _log.error("token file restored from the safe copy", token=token, files=ready.restored_files)
            self._note(NoteKind.TOKEN_RESTORED, token, {"files": ", ".join(ready.restored_files)})
        if ready.orphan_certificates:
            _log.warning("certificates without a private key", token=token, subjects=ready.orphan_certificates)

    def worker_lost(self, token: str, cause: str) -> None:
        """A token worker died, hung or gave up."""
        self._metrics.worker_restarts.labels(kind="token", name=token, cause=cause).inc()
        self._note(NoteKind.WORKER_LOST, token, {"cause": cause})

    def document_worker_lost(self, _worker: str, cause: str) -> None:
        """A document worker died or was killed for its time or memory."""
        self._metrics.worker_restarts.labels(kind="document", name="", cause=cause).inc()

    def token_held(self, token: str, fault: SignerError) -> None:
        """No worker of the token will try its PIN again before an operator acts."""
        self._credentials.hold(token, fault)
        self._note(NoteKind.PIN_HELD, token, {"reason": fault.reason.value})

    def status_unknown(self, credential_id: str, why: str) -> None:
        """A credential signs although nobody can tell whether its certificate is revoked, as the policy allows."""
        _log.warning("signing without certificate status", credential=credential_id, message=why)
        self._note(NoteKind.STATUS_UNKNOWN, credential_id, {"message": why})

    def trust_changed(self, change: str, anchor_id: str, subject: str, client: str) -> None:
        """An operator's call changed which CAs are believed."""
        _log.warning("trust changed", change=change, anchor=anchor_id, subject=subject, client=client)
        self._note(NoteKind.TRUST_CHANGED, anchor_id, {"change": change, "subject": subject, "client": client})

    def clock_changed(self, standing: ClockStanding) -> None:
        """The built-in authority's clock came to be trusted, or ceased to be (EN 319 421 §7.12 wants it on record)."""
        detail: dict[str, str | int] = {"state": standing.state.value, "message": standing.message}
        if standing.offset_s is not None and standing.bound_s is not None:
            detail |= {"offset_us": round(standing.offset_s * 1e6), "bound_us": round(standing.bound_s * 1e6)}
        self._note(NoteKind.CLOCK_CHANGED, "clock", detail)

    async def run(self, pools: Mapping[str, TokenPool]) -> None:
        """Keeps the gauges true, until cancelled."""
        while True:
            for name, pool in pools.items():
                self._gauge(name, pool)
            await asyncio.sleep(_LOOK_S)

    def _gauge(self, name: str, pool: TokenPool) -> None:
        metrics = self._metrics
        metrics.token_queue_depth.labels(token=name).set(pool.queue_depth)
        metrics.token_queue_oldest_seconds.labels(token=name).set(pool.queue_age_s)
        metrics.token_sessions.labels(token=name, state="open").set(pool.sessions_open)
        metrics.token_sessions.labels(token=name, state="busy").set(pool.sessions_busy)
        for state in PlaceState:
            metrics.token_workers.labels(token=name, state=state.value).set(sum(place.state is state for place in pool.places))
        metrics.token_pin_state.labels(token=name).set(pin_state(pool))
        for token_state in TokenState:
            metrics.token_state.labels(token=name, state=token_state.value).set(pool.standing.state is token_state)
        for count in PinCount:
            metrics.token_pin_count.labels(token=name, count=count.value).set(pool.pin_count is count)

    def _note(self, kind: NoteKind, subject: str, detail: dict[str, str | int]) -> None:
        async def write() -> None:
            try:
                await self._journal.note(kind, subject, detail)
            except JournalUnavailable as error:
                _log.error("note not journalled", kind=kind.value, subject=subject, message=error.message)

        task = asyncio.get_running_loop().create_task(write())
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)
