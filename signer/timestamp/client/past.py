from __future__ import annotations

from collections import deque
from statistics import median

_REMEMBERED = 256
_LAST_MINUTES_S = 300.0


class Past:
    """What an authority did lately, for people: no part of how it is asked. Times are seconds on one clock, given by the caller."""

    def __init__(self) -> None:
        self.certificate = b""
        """DER: who signed the last timestamp; empty before the first."""
        self.failure = ""
        """How the last request failed, if it was the last one that ended."""
        self._latencies: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def granted(self, certificate: bytes, latency_s: float, now_s: float) -> None:
        """A timestamp that stood every check."""
        self.certificate, self.failure = certificate, ""
        self._latencies.append((now_s, latency_s))

    def failed(self, text: str) -> None:
        """No timestamp, or none that stood."""
        self.failure = text

    def latency_s(self, now_s: float) -> float | None:
        """Median of the last five minutes; None without a timestamp in them."""
        recent = [latency_s for at_s, latency_s in self._latencies if now_s - at_s <= _LAST_MINUTES_S]
        return median(recent) if recent else None
