"""When a queued batch may be worked on: the law between open, opening and closing, and the hours of a Vietnamese day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from signer.queue.schedule import DailyHours, Interval, Schedule

START = datetime(2026, 5, 20, tzinfo=UTC)
moments = st.integers(0, 14 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
intervals = st.tuples(moments, moments).map(sorted).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Interval(*pair))
daily = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda pair: DailyHours(*pair))
schedules = st.builds(Schedule, moments, st.lists(intervals, max_size=3).map(tuple), st.lists(daily, max_size=2).map(tuple))


@given(schedules, moments)
def test_it_opens_at_the_first_moment_that_is_open_and_stays_so_until_it_closes(schedule: Schedule, now: datetime) -> None:
    opening = schedule.opens(now)
    minute = timedelta(minutes=1)
    if opening is not None:
        assert now <= opening < schedule.deadline
        assert schedule.is_open(opening)
        assert opening == now or not schedule.is_open(opening - minute)
        until = min(schedule.closes(opening), opening + timedelta(days=1))
        assert opening < until <= schedule.deadline
        assert schedule.is_open(until - minute)
    closed_until = min(opening or schedule.deadline, now + timedelta(days=2))
    step = now
    while step < closed_until:
        assert not schedule.is_open(step)
        step += timedelta(minutes=7)


def test_hours_are_vietnams_and_may_run_past_midnight() -> None:
    night = Schedule(START + timedelta(days=9), daily_hours=(DailyHours(22 * 60, 5 * 60),))
    three_at_night, noon = START.replace(hour=20), START.replace(hour=5)
    assert night.is_open(three_at_night)
    assert night.closes(three_at_night) == START.replace(hour=22)
    assert not night.is_open(noon)
    assert night.opens(noon) == START.replace(hour=15)
