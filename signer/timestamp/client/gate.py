from __future__ import annotations

from signer.timestamp.client.failure import AskFailed, Failure
from signer.timestamp.client.health import Admission, Health, TsaState
from signer.timestamp.client.pace import Pace
from signer.timestamp.client.turns import Turns
from signer.timestamp.settings import TsaSettings


class Gate:
    """What a question passes before it leaves. Times are seconds on the loop's clock."""

    def __init__(self, settings: TsaSettings) -> None:
        self.health = Health(settings.failures_max, settings.pause_s_max, settings.quarantine_s)
        self.turns = Turns(settings.concurrency_max)
        self._pace = Pace(settings.per_second_max)

    def require_open(self, now_s: float) -> None:
        """AskFailed while the authority is left alone."""
        if (wait_s := self.health.wait_s(now_s)) > 0:
            raise self._paused(wait_s)

    def take_pace(self, now_s: float, deadline_s: float) -> float:
        """How long to wait before leaving; AskFailed when that is beyond the deadline."""
        if now_s + self._pace.wait_s(now_s) >= deadline_s:
            raise AskFailed(Failure.NO_TIME, "the deadline comes before its turn at per_second_max")
        return self._pace.take(now_s)

    def admit(self, now_s: float) -> Admission:
        """The right to ask now; AskFailed when there is none."""
        admission = self.health.admit(now_s)
        if admission is None:
            raise self._paused(self.health.wait_s(now_s) or 1.0)
        return admission

    def _paused(self, wait_s: float) -> AskFailed:
        why = "quarantined" if self.health.state is TsaState.QUARANTINED else "left alone after failures"
        return AskFailed(Failure.PAUSED, f"{why} for another {wait_s:.0f} s", retry_after_s=wait_s)
