"""What is told about each time source: counted every time, logged when it changes."""

from __future__ import annotations

from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.clock.sample import Outcome

_log = get_logger(__name__)


class Reports:
    """Owned by the event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last: dict[str, Outcome] = {}

    def tell(self, source: str, outcome: Outcome, text: str) -> None:
        """How a source answered."""
        self._metrics.clock_source_checks.labels(source=source, outcome=outcome.value).inc()
        if self._last.get(source) is outcome:
            return
        self._last[source] = outcome
        log = _log.info if outcome is Outcome.AGREED else _log.warning
        log("time source", source=source, outcome=outcome.value, message=text)
