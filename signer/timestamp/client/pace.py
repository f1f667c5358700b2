"""When may the next request leave? Evenly spaced, so that no second of the authority's clock holds more than agreed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """per_second_max: 0 for no limit. Pure: `now_s` is an argument."""

    per_second_max: float
    _next_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """How long a request that takes its turn now would wait."""
        return max(0.0, self._next_s - now_s) if self.per_second_max else 0.0

    def take(self, now_s: float) -> float:
        """Takes the next turn; how long to wait for it."""
        if not self.per_second_max:
            return 0.0
        at_s = max(now_s, self._next_s)
        self._next_s = at_s + 1 / self.per_second_max
        return at_s - now_s
