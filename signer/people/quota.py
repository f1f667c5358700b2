"""What a quota limits, and its day: Vietnam's, which has one time zone without summer time."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

AVERAGED_S: Final = 10
"""A rate is one over any so many seconds."""
_DAY_S: Final = 86_400
_VIETNAM_S: Final = 7 * 3600


class Limit(Enum):
    """What of a quota is used up; the value is the metric's label and the error's metadata."""

    RATE = "signatures_per_second"
    DAY = "signatures_per_day"
    RPCS = "concurrent_rpcs"


def day_of(now: datetime) -> int:
    """Vietnam's day, counted from 1970-01-01."""
    return int((now.timestamp() + _VIETNAM_S) // _DAY_S)


def rest_of_day_s(now: datetime) -> float:
    """Seconds until Vietnam's midnight."""
    return _DAY_S - (now.timestamp() + _VIETNAM_S) % _DAY_S
