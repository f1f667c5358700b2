"""How much a client or a school may still sign, now: a rate over a sliding window, a count a day, RPCs at once.

The rate is counted in seconds of the loop's clock: eleven of them are looked at, so that in any ten seconds, wherever they begin, no more
than ten times the rate is granted. Pure: both times are arguments.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from signer.errors import QuotaExceeded
from signer.people.client import Quota, QuotaSubject
from signer.people.quota import AVERAGED_S, Limit, rest_of_day_s

_RPC_RETRY_S: Final = 1.0
_UNLIMITED: Final = 2**63


@dataclass(slots=True)
class Meter:
    """What a client or school has used, and may use. recent: signatures granted by second. unsaved: of `today`, not in the store yet.

    rpcs: open here; rpcs_elsewhere: with other daemons, as far as is known.
    """

    subject: QuotaSubject
    subject_id: str
    quota: Quota | None = None
    day: int = 0
    today: int = 0
    unsaved: int = 0
    rpcs: int = 0
    rpcs_elsewhere: int = 0
    recent: deque[tuple[int, int]] = field(default_factory=deque)

    @property
    def limits_signatures(self) -> bool:
        """Whether its quota says how many it may sign."""
        quota = self.quota
        return quota is not None and bool(quota.signatures_per_second_max or quota.signatures_per_day_max)

    def turn_day(self, day: int) -> int:
        """Begins a new day; how many of the old one are not in the store yet."""
        left, self.day, self.today, self.unsaved = self.unsaved, day, 0, 0
        return left

    def room(self, now_s: float) -> tuple[int, Limit]:
        """How many signatures are left, and which limit says so. The day must be the present one."""
        quota = self.quota
        if quota is None:
            return _UNLIMITED, Limit.RATE
        left, limit = _UNLIMITED, Limit.RATE
        if quota.signatures_per_second_max:
            left = self._window_max(quota) - self._granted_since(int(now_s) - AVERAGED_S)
        if quota.signatures_per_day_max and quota.signatures_per_day_max - self.today < left:
            left, limit = quota.signatures_per_day_max - self.today, Limit.DAY
        return max(0, left), limit

    def grant(self, count: int, now_s: float) -> None:
        """They may be signed."""
        self.today += count
        self.unsaved += count
        if self.quota is None or not self.quota.signatures_per_second_max:
            return
        second = int(now_s)
        if self.recent and self.recent[-1][0] == second:
            self.recent[-1] = second, self.recent[-1][1] + count
        else:
            self.recent.append((second, count))

    def give_back(self, count: int) -> None:
        """They were not signed after all. What was granted yesterday is left as it is."""
        count = min(count, self.today)
        self.today -= count
        self.unsaved -= count
        while count and self.recent:
            second, granted = self.recent.pop()
            if granted > count:
                self.recent.append((second, granted - count))
            count -= min(count, granted)

    def require_rpc(self) -> None:
        """QuotaExceeded when as many RPCs are open as may be."""
        if self.quota is not None and 0 < self.quota.concurrent_rpcs_max <= self.rpcs + self.rpcs_elsewhere:
            raise self.refusal(Limit.RPCS, _RPC_RETRY_S)

    def retry_s(self, limit: Limit, now_s: float, now: datetime) -> float:
        """When more may be signed."""
        if limit is Limit.DAY:
            return rest_of_day_s(now)
        return max(0.1, self.recent[0][0] + AVERAGED_S + 1 - now_s) if self.recent else 1.0

    def refusal(self, limit: Limit, retry_after_s: float) -> QuotaExceeded:
        """Why no more."""
        allowed = getattr(self.quota, f"{limit.value}_max")
        return QuotaExceeded(
            f"{self.subject.value} {self.subject_id} has used its {limit.value.replace('_', ' ')} ({allowed:g}); repeat in "
            f"{math.ceil(retry_after_s)} s, or ask the operator for more",
            retry_after_s=retry_after_s,
            quota=limit.value,
            subject=self.subject.value,
            subjectId=self.subject_id,
        )

    @staticmethod
    def _window_max(quota: Quota) -> int:
        return max(1, math.floor(quota.signatures_per_second_max * AVERAGED_S))

    def _granted_since(self, second: int) -> int:
        while self.recent and self.recent[0][0] < second:
            self.recent.popleft()
        return sum(count for _second, count in self.recent)
