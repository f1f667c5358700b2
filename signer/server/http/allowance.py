from __future__ import annotations

from dataclasses import dataclass, field

_SECOND = 1.0


@dataclass(slots=True)
class Allowance:
    """So many a second, `burst_s` worth at once (GCRA). per_second: 0 for no limit. Pure: `now_s` is an argument."""

    per_second: float
    burst_s: float = _SECOND
    _next_s: float = 0.0

    def take(self, now_s: float) -> float:
        """Takes one and returns 0; or takes none and returns in how many seconds there will be one."""
        if not self.per_second:
            return 0.0
        at_s = max(now_s, self._next_s)
        wait_s = at_s + 1 / self.per_second - max(self.burst_s, 1 / self.per_second) - now_s
        if wait_s > 0:
            return wait_s
        self._next_s = at_s + 1 / self.per_second
        return 0.0

    def is_whole(self, now_s: float) -> bool:
        """Whether nothing of it is spent: a new one would be the same."""
        return self._next_s <= now_s


@dataclass(slots=True)
class Allowances:
    """One each; those that are whole again are forgotten, so no more are kept than spent lately."""

    per_second: float
    burst_s: float = _SECOND
    _by_name: dict[str, Allowance] = field(default_factory=dict)
    _look_s: float = 0.0

    def take(self, name: str, now_s: float) -> float:
        """As `Allowance.take`."""
        if not self.per_second:
            return 0.0
        if now_s >= self._look_s:
            self._look_s = now_s + self.burst_s
            self._by_name = {name: allowance for name, allowance in self._by_name.items() if not allowance.is_whole(now_s)}
        allowance = self._by_name.get(name)
        if allowance is None:
            allowance = self._by_name[name] = Allowance(self.per_second, self.burst_s)
        return allowance.take(now_s)

    def __len__(self) -> int:
        return len(self._by_name)
