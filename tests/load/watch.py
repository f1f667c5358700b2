"""What the appliance's processes take while the load runs: looked at every half second, from /proc."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.usage import Groups, cpu_s, rss_bytes

_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """at_s: since the run began. cores: CPU seconds a second since the look before, by group; rss_mb: resident now (10^6 bytes)."""

    at_s: float
    cores: dict[str, float]
    rss_mb: dict[str, float]


@dataclass
class Watch:
    """What was seen, in order."""

    groups: Groups
    looks: list[Look] = field(default_factory=list)

    @contextmanager
    def watching(self, start_at: float) -> Iterator[None]:
        """While the block runs. start_at: time.time() of the run's beginning."""
        over = threading.Event()
        thread = threading.Thread(target=self._run, args=(start_at, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _run(self, start_at: float, over: threading.Event) -> None:
        spent_s, looked_s = self._spent_s(), time.monotonic()
        while not over.wait(_EVERY_S):
            now_spent_s, now_s = self._spent_s(), time.monotonic()
            took_s = now_s - looked_s
            cores = {group: max(0.0, seconds - spent_s.get(group, 0.0)) / took_s for group, seconds in now_spent_s.items()}
            rss_mb = {group: rss_bytes(pids) / 1e6 for group, pids in self.groups().items()}
            self.looks.append(Look(time.time() - start_at, cores, rss_mb))
            spent_s, looked_s = now_spent_s, now_s

    def _spent_s(self) -> dict[str, float]:
        return {group: cpu_s(pids) for group, pids in self.groups().items()}
