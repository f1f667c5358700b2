from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from signer.errors import ClockUntrusted

_SLICE = timedelta(seconds=2)
_MARGIN = timedelta(milliseconds=200)
_STEP = timedelta(microseconds=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class OrderedClock:
    """A clock that never gives a time twice and never goes back, over restarts and crashes too: for TSTInfo.ordering (RFC 3161 §2.4.2).

    Time is reserved durably, a slice at a time, before any of it is given: whoever comes later begins behind it. A restart waits out what
    is left of its predecessor's slice, two seconds at most.

    clock: the authority's, guarded. reserve: as `Journal.reserve_time`. lead_max: how far a time given may be ahead of the clock, because
    the clock went back; beyond it none is given until the clock has caught up. Owned by the event loop.
    """

    def __init__(self, clock: Callable[[], datetime], reserve: Callable[[datetime], Awaitable[datetime]], lead_max: timedelta) -> None:
        self._clock = clock
        self._reserve = reserve
        self._lead_max = lead_max
        self._reserving = asyncio.Lock()
        self._last = self._begins = self._ends = _NEVER

    async def ready(self) -> None:
        """Waits until the time that comes is ours.

        Raises what the clock and the journal raise, and ClockUntrusted when the clock is far behind what was given before.
        """
        while not self._begins < (now := self._clock()) < self._ends - _MARGIN:
            if now <= self._begins:
                await self._wait(self._begins - now)
                continue
            async with self._reserving:
                if now >= self._ends - _MARGIN:
                    ends = now + _SLICE
                    before = await self._reserve(ends)
                    if before != self._ends:
                        self._begins = before
                    self._ends = ends

    async def _wait(self, left: timedelta) -> None:
        if left > 2 * _SLICE:
            raise ClockUntrusted(f"the clock is {left.total_seconds():.0f} s behind timestamps that were given already")
        await asyncio.sleep(left.total_seconds() + _STEP.total_seconds())

    def __call__(self) -> datetime:
        """A time behind every other; call it right after `ready`. Raises ClockUntrusted when there is none."""
        now = self._clock()
        given = max(now, self._last + _STEP)
        if given - now > self._lead_max:
            raise ClockUntrusted(f"the clock went back by {(given - now).total_seconds():.3f} s; no timestamps until it has caught up")
        if not self._begins < given < self._ends:
            raise ClockUntrusted("the time reserved for ordered timestamps ran out meanwhile; ask again", retry_after_s=1.0)
        self._last = given
        return given
