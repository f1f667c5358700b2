"""Where a token is and what last went wrong with it, for `signer tokens`, health and metrics: what the daemon saw, no token is asked."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from signer.errors import PinLocked, SignerError, TokenRemoved
from signer.tokens.wire import FOREIGN
from signer.workers.supervisor import Place, PlaceState

_PACE_S = 60
_FASTER, _SLOWER = 0.1, 0.01
_SAMPLES_A_SECOND = 8


class TokenState(Enum):
    """Where a token is; the value is the metric's label."""

    STARTING = "starting"
    READY = "ready"
    HEALING = "healing"
    PIN_HELD = "pin-held"
    PIN_LOCKED = "pin-locked"
    ABSENT = "absent"
    FOREIGN = "foreign"
    PAUSED = "paused"


def is_foreign(error: SignerError) -> bool:
    """Whether a token is there, but not the one that was known."""
    return FOREIGN in error.metadata


def token_state(places: Iterable[Place], fault: SignerError | None, *, is_paused: bool) -> TokenState:
    """One state for the whole token: ready as soon as one worker is."""
    states = {place.state for place in places}
    if is_paused:
        return TokenState.PAUSED
    if PlaceState.READY in states:
        return TokenState.READY
    if states == {PlaceState.HELD}:
        return TokenState.PIN_LOCKED if isinstance(fault, PinLocked) else TokenState.PIN_HELD
    if isinstance(fault, TokenRemoved):
        return TokenState.FOREIGN if is_foreign(fault) else TokenState.ABSENT
    return TokenState.HEALING if fault is not None or PlaceState.HEALING in states else TokenState.STARTING


@dataclass(slots=True)
class FaultSeen:
    """A token's fault. healed_after_s: until it signed again; None: it has not yet."""

    at: datetime
    error: SignerError
    healed_after_s: float | None = None


@dataclass(slots=True)
class Standing:
    """What is remembered of one token. Owned by the event loop. now: the wall clock, aware."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    state: TokenState = TokenState.STARTING
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_fault: FaultSeen | None = None

    def look(self, state: TokenState) -> None:
        """The state, as it is now."""
        if state is not self.state:
            self.state, self.since = state, self.now()

    def fail(self, error: SignerError) -> None:
        """A fault. While it is not healed, further ones belong to the same incident: the first moment counts, and the last error."""
        if self.is_failing and self.last_fault is not None:
            self.last_fault.error = error
        else:
            self.last_fault = FaultSeen(self.now(), error)

    def heal(self) -> None:
        """It signed."""
        if self.is_failing and self.last_fault is not None:
            self.last_fault.healed_after_s = (self.now() - self.last_fault.at).total_seconds()

    @property
    def is_failing(self) -> bool:
        """Whether it has not signed since its last fault."""
        return self.last_fault is not None and self.last_fault.healed_after_s is None


class SignTime:
    """How long the token itself takes for a signature, as it goes. seconds: by now.

    A slow token is slow each time; on a busy host a fast one is so now and then, because its process waits for a core. So a faster
    signature moves it by a tenth of the difference, a slower one by a hundredth: else a busy host would be taken for a slow token, get
    small lots and frames, and be busier still.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def add(self, sign_s: float) -> None:
        """One signature."""
        self.seconds += (sign_s - self.seconds) * (_FASTER if sign_s < self.seconds else _SLOWER)


@dataclass(slots=True)
class _Second:
    at_s: int
    count: int = 0
    samples: list[float] = field(default_factory=list)


class Pace:
    """Signatures of the last minute: how many a second, and how long the median one took inside the token."""

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque(maxlen=_PACE_S)

    def add(self, now_s: float, sign_s: float) -> None:
        """One signature."""
        at_s = int(now_s)
        if not self._seconds or self._seconds[-1].at_s != at_s:
            self._seconds.append(_Second(at_s))
        second = self._seconds[-1]
        second.count += 1
        if len(second.samples) < _SAMPLES_A_SECOND:
            second.samples.append(sign_s)

    def a_second(self, now_s: float) -> float:
        """Signatures a second."""
        return sum(second.count for second in self._recent(now_s)) / _PACE_S

    def median_s(self, now_s: float) -> float:
        """Median time of a signature; 0 when there was none."""
        samples = [sample for second in self._recent(now_s) for sample in second.samples]
        return statistics.median(samples) if samples else 0.0

    def _recent(self, now_s: float) -> list[_Second]:
        return [second for second in self._seconds if second.at_s > now_s - _PACE_S]
