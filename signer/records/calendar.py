"""When a school year's records are due, and when they lock: the regulations' days, and what a Department or school sets instead.

All days begin and end in Vietnam's time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

VIETNAM = dt.timezone(dt.timedelta(hours=7))
_RELEASE_BY, _LOCK, _SUPPLEMENTARY_LOCK = (5, 30), (6, 30), (8, 15)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One school year's dates. school_year: its first calendar year. release_by: refuses nothing. Past a lock time, nothing changes."""

    school_year: int
    release_by: dt.datetime
    lock_time: dt.datetime
    supplementary_lock_time: dt.datetime

    def lock_of(self, *, supplementary: bool) -> dt.datetime:
        """When a record locks. supplementary: the pupil is assessed once more in summer."""
        return self.supplementary_lock_time if supplementary else self.lock_time

    def is_locked(self, now: dt.datetime, *, supplementary: bool = False) -> bool:
        """Whether records are immutable by now."""
        return now >= self.lock_of(supplementary=supplementary)


def regular_calendar(school_year: int) -> Calendar:
    """The regulations' own: release by 30 May; records lock when 30 June has ended, with supplementary assessment when 15 August has."""
    return Calendar(
        school_year,
        release_by=_end_of(school_year + 1, *_RELEASE_BY),
        lock_time=_end_of(school_year + 1, *_LOCK),
        supplementary_lock_time=_end_of(school_year + 1, *_SUPPLEMENTARY_LOCK),
    )


def _end_of(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=VIETNAM) + dt.timedelta(days=1)


def vietnamese_day(now: dt.datetime) -> dt.date:
    """The day it is in Vietnam."""
    return now.astimezone(VIETNAM).date()
