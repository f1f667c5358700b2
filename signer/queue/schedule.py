"""When a batch may be worked on: intervals, hours of each day in Vietnam's time, and a deadline. Pure; `now` arrives as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Final

VIETNAM_TIME: Final = timezone(timedelta(hours=7))
DAY_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True)
class Interval:
    """Aware times; the end is outside. None: without a bound."""

    start: datetime | None
    end: datetime | None

    def has(self, now: datetime) -> bool:
        """Whether a moment lies in it."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


@dataclass(frozen=True, slots=True)
class DailyHours:
    """Minutes after midnight; an end below the start is of the next day, one that equals it makes a whole day."""

    start_minute: int
    end_minute: int

    def interval(self, of_day: datetime) -> Interval:
        """Those that begin on the day of a moment."""
        midnight = datetime.combine(of_day.astimezone(VIETNAM_TIME).date(), time(), VIETNAM_TIME)
        minutes = (self.end_minute - self.start_minute) % DAY_MINUTES or DAY_MINUTES
        start = midnight + timedelta(minutes=self.start_minute)
        return Interval(start, start + timedelta(minutes=minutes))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Open while it is in one of the intervals and in one of the daily hours; without any of a kind, that kind is always open."""

    deadline: datetime
    intervals: tuple[Interval, ...] = ()
    daily_hours: tuple[DailyHours, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Whether the batch may be worked on."""
        return _is_in(self.intervals, now) and _is_in(self._hours_around(now), now)

    def opens(self, now: datetime) -> datetime | None:
        """The first moment from now on that is open; None when none comes before the deadline."""
        beginnings = {now, *(each.start for each in self.intervals if each.start is not None and each.start > now)}
        candidates = beginnings.union(*(self._daily_starts(at) for at in beginnings))
        opening = next((at for at in sorted(candidates) if self.is_open(at)), None)
        return opening if opening is not None and opening < self.deadline else None

    def closes(self, now: datetime) -> datetime:
        """Until when an open batch may be worked on, at most."""
        ends = [self.deadline]
        for kind in (self.intervals, self._hours_around(now)):
            of_kind = [each.end for each in kind if each.has(now)]
            if of_kind:
                ends.append(max(end or self.deadline for end in of_kind))
        return min(ends)

    def _hours_around(self, now: datetime) -> tuple[Interval, ...]:
        """Those of today, and of yesterday, which may run past midnight."""
        return tuple(hours.interval(day) for hours in self.daily_hours for day in (now - timedelta(days=1), now))

    def _daily_starts(self, at: datetime) -> list[datetime]:
        """Of the day and the next: what opens later than that was open a day before."""
        days = (at, at + timedelta(days=1))
        found = [hours.interval(day).start for hours in self.daily_hours for day in days]
        return [start for start in found if start is not None and start > at]


def _is_in(intervals: tuple[Interval, ...], now: datetime) -> bool:
    return not intervals or any(each.has(now) for each in intervals)
