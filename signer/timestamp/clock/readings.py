"""The system clock and the steady clock, read together.

The steady clock is CLOCK_MONOTONIC_RAW plus the time this machine was suspended (CLOCK_BOOTTIME − CLOCK_MONOTONIC): it counts suspend,
nobody can set it and NTP does not slew it. CLOCK_BOOTTIME alone is slewed with the system clock, by up to a tenth, and would hide that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

_WINDOW_NS_FINE = 50_000
_TRIES = 4


class Reading(NamedTuple):
    """Both clocks at one moment, ns. doubt_ns: how far apart the moments of reading may lie.

    A tuple, as every timestamp makes one: a frozen dataclass takes three times as long.
    """

    wall_ns: int
    steady_ns: int
    doubt_ns: int


Clocks = Callable[[], Reading]


def read_clocks() -> Reading:
    """Both clocks. Read again when something came between, as a busy machine does; the narrowest of a few tries is taken."""
    best = _read_once()
    for _ in range(_TRIES):
        if best.doubt_ns <= _WINDOW_NS_FINE:
            break
        best = min(best, _read_once(), key=lambda reading: reading.doubt_ns)
    return best


def _read_once() -> Reading:
    read = time.clock_gettime_ns
    before_ns = read(time.CLOCK_MONOTONIC_RAW)
    suspended_ns = read(time.CLOCK_BOOTTIME) - read(time.CLOCK_MONOTONIC)
    wall_ns = read(time.CLOCK_REALTIME)
    after_ns = read(time.CLOCK_MONOTONIC_RAW)
    # suspended_ns is too small by what came between its two readings, at most the whole window: once for it, once for the wall's moment.
    return Reading(wall_ns, before_ns + suspended_ns, 2 * (after_ns - before_ns))
