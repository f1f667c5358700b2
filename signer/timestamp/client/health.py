"""May this authority be asked? A circuit breaker (failures) and a quarantine (lies), as a pure state machine.

| state       | asked?                                   | success | failure                                | lie        |
|-------------|------------------------------------------|---------|----------------------------------------|------------|
| READY       | yes                                      | READY   | READY; OPEN at `failures_max` in a row | QUARANTINED|
| OPEN        | no; after its pause one trial at a time  | READY   | OPEN, the pause twice as long          | QUARANTINED|
| QUARANTINED | no; after its time one trial at a time   | READY   | OPEN, the shortest pause               | QUARANTINED|

An answer to a question asked before the last change of state changes nothing, unless it is a lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PAUSE_S_MIN = 1.0
RETRY_AFTER_S_MAX = 3600.0
_DOUBLINGS_MAX = 20


class TsaState(IntEnum):
    """Value of `signer_tsa_state`; the contract's TimestampAuthorityState has the same names."""

    READY = 0
    OPEN = 1
    QUARANTINED = 2


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to ask once. era: which stretch of one state it belongs to."""

    era: int
    is_trial: bool


@dataclass(slots=True)
class Health:
    """One authority's standing. Times are seconds on one clock, given by the caller."""

    failures_max: int
    pause_s_max: float
    quarantine_s: float
    state: TsaState = TsaState.READY
    until_s: float = 0.0
    _era: int = 0
    _failures: int = 0
    _pauses: int = 0
    _trial_runs: bool = False

    def admit(self, now_s: float) -> Admission | None:
        """The right to ask now, or None. Each must be given back by `succeeded`, `failed`, `lied` or `abandoned`."""
        if self.state is TsaState.READY:
            return Admission(self._era, is_trial=False)
        if now_s < self.until_s or self._trial_runs:
            return None
        self._trial_runs = True
        return Admission(self._era, is_trial=True)

    def wait_s(self, now_s: float) -> float:
        """How long until it may be asked; 0 when it may be now."""
        return 0.0 if self.state is TsaState.READY else max(0.0, self.until_s - now_s)

    def succeeded(self, admission: Admission) -> None:
        """A timestamp that stood every check."""
        if admission.era == self._era:
            self._failures = self._pauses = 0
            if self.state is not TsaState.READY:
                self._enter(TsaState.READY, 0.0)

    def failed(self, admission: Admission, now_s: float, retry_after_s: float | None = None) -> None:
        """No answer, or none that holds a timestamp. retry_after_s: when it wants to be asked again, by its own words."""
        if admission.era != self._era:
            return
        self._failures += 1
        if retry_after_s is None and not admission.is_trial and self._failures < self.failures_max:
            return
        if self.state is TsaState.QUARANTINED:
            self._pauses = 0
        pause_s = min(self.pause_s_max, PAUSE_S_MIN * 2.0 ** min(self._pauses, _DOUBLINGS_MAX))
        self._pauses += 1
        self._enter(TsaState.OPEN, now_s + max(pause_s, min(retry_after_s or 0.0, RETRY_AFTER_S_MAX)))

    def lied(self, now_s: float) -> None:
        """A timestamp that did not stand up to verification."""
        self._enter(TsaState.QUARANTINED, now_s + self.quarantine_s)

    def abandoned(self, admission: Admission) -> None:
        """The question was given up for reasons of our own."""
        if admission.era == self._era and admission.is_trial:
            self._trial_runs = False

    def _enter(self, state: TsaState, until_s: float) -> None:
        self.state, self.until_s = state, until_s
        self._era += 1
        self._failures = 0
        self._trial_runs = False
