"""Keeps the guard informed: asks the sources in time, and soon when the clock is not trusted; tells people about changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.clock.chrony import Chronyd
from signer.timestamp.clock.guard import Clock, ClockGuard, UnguardedClock
from signer.timestamp.clock.readings import Clocks, read_clocks
from signer.timestamp.clock.reports import Reports
from signer.timestamp.clock.sample import NoSample, TimeSample
from signer.timestamp.clock.servers import NtpServers
from signer.timestamp.clock.settings import ClockSettings, GuardKind
from signer.timestamp.clock.standing import ClockStanding, ClockState

_log = get_logger(__name__)
_LOOK_S = 0.5
_SPACING_S = 2.0
"""Between two questions at the least, as NTP's bursts do (RFC 5905 §13)."""
_UNKNOWN = float("nan")
OnTold = Callable[[ClockStanding], None]


class TimeSource(Protocol):
    """Whoever says what time it is."""

    async def measure(self) -> TimeSample:
        """Raises NoSample."""


class ClockWatch:
    """The clock of the built-in authority, as `clock`, and what keeps it informed. Owned by the event loop.

    error_max: how far the clock may be off. on_told: hears of each change that is logged. settled: the sources have been asked once,
    whatever they said.
    """

    def __init__(
        self, settings: ClockSettings, error_max: timedelta, metrics: Metrics, on_told: OnTold, clocks: Clocks = read_clocks
    ) -> None:
        self._interval_s = settings.interval_s
        self._spacing_s = min(_SPACING_S, settings.interval_s)
        self._metrics = metrics
        self._on_told = on_told
        self._alarmed = asyncio.Event()
        self._told: ClockState | None = None
        self.settled = asyncio.Event()
        self.clock: Clock
        if settings.guard is GuardKind.UNGUARDED:
            self.clock, self._asked = UnguardedClock(), None
        else:
            guard = ClockGuard(clocks, error_max=error_max, drift_ppm=settings.drift_ppm, on_change=self._on_change)
            source = (NtpServers if settings.guard is GuardKind.NTP else Chronyd)(settings, clocks, Reports(metrics))
            self.clock, self._asked = guard, _Asked(guard, source)

    async def run(self) -> None:
        """Asks and tells, until cancelled. Returns at once when nobody guards."""
        clock_s, asked, impatience_s = asyncio.get_running_loop().time, self._asked, self._spacing_s
        while asked is not None:
            last_s = clock_s()
            await asked.ask()
            if self._tell().state is ClockState.TRUSTED:
                pause_s, impatience_s = self._interval_s, self._spacing_s
            else:  # soon again, but sources that are away for hours are not to be pestered meanwhile
                pause_s, impatience_s = impatience_s, min(self._interval_s, 2 * impatience_s)
            self.settled.set()
            if await self._wait(last_s + pause_s):
                impatience_s = self._spacing_s
                await asyncio.sleep(last_s + self._spacing_s - clock_s())
        self._tell()
        self.settled.set()

    async def _wait(self, until_s: float) -> bool:
        """Looks twice a second, until it is time or, earlier, the clock is found untrusted anew: whether that was so."""
        clock_s = asyncio.get_running_loop().time
        self._alarmed.clear()
        while (left_s := until_s - clock_s()) > 0 and not self._alarmed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._alarmed.wait(), min(_LOOK_S, left_s))
            self._tell()
        return self._alarmed.is_set()

    def _on_change(self, state: ClockState) -> None:
        if not state.issues:
            self._alarmed.set()

    def _tell(self) -> ClockStanding:
        """Metrics every time, a line when the state is another one than last time."""
        standing, metrics = self.clock.standing(), self._metrics
        for state in ClockState:
            metrics.clock_state.labels(state=state.value).set(standing.state is state)
        metrics.clock_offset_seconds.set(_UNKNOWN if standing.offset_s is None else standing.offset_s)
        metrics.clock_error_bound_seconds.set(_UNKNOWN if standing.bound_s is None else standing.bound_s)
        metrics.clock_check_age_seconds.set(_UNKNOWN if standing.age_s is None else standing.age_s)
        if standing.state is not self._told:
            self._told = standing.state
            log = _log.info if standing.state is ClockState.TRUSTED else _log.warning
            log(
                "clock",
                state=standing.state.value,
                issuing=standing.state.issues,
                offset_s=standing.offset_s,
                bound_s=standing.bound_s,
                message=standing.message,
            )
            self._on_told(standing)
        return standing


class _Asked:
    """A guard and whom it hears."""

    def __init__(self, guard: ClockGuard, source: TimeSource) -> None:
        self._guard = guard
        self._source = source

    async def ask(self) -> None:
        """One question."""
        try:
            self._guard.heard(await self._source.measure())
        except NoSample as nothing:
            self._guard.not_heard(nothing.text)
