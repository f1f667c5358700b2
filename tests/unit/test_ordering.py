"""Times that order timestamps: never twice, never back, over restarts and crashes; serial numbers in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.errors import ClockUntrusted, JournalUnavailable
from signer.journal import Journal
from signer.pipeline.serials import Serials
from signer.timestamp.ordering import OrderedClock
from tests.support.stores import Store

START = datetime(2026, 5, 30, 10, tzinfo=UTC)
LEAD_MAX = timedelta(milliseconds=100)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@asynccontextmanager
async def journal_in(store: Store) -> AsyncIterator[Journal]:
    journal = Journal(store.url)
    await journal.start()
    try:
        yield journal
    finally:
        await journal.stop()


async def never_before(_until: datetime) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC)


@settings(max_examples=50)
@given(st.lists(st.floats(-0.09, 0.5), max_size=30))
def test_no_time_is_given_twice_however_the_clock_moves(moves: list[float]) -> None:
    async def given_times() -> list[datetime]:
        clock = Clock()
        ordered = OrderedClock(clock, Reserved().reserve, LEAD_MAX)
        times = []
        for move in moves:
            await ordered.ready()
            times += [ordered(), ordered()]
            clock.move(move)
            if times[-1] - clock.now >= LEAD_MAX:
                clock.now = times[-1]
        return times

    times = asyncio.run(given_times())
    assert times == sorted(set(times))


class Reserved:
    """A journal's part: kept while daemons come and go. fails: the next reservations are not written."""

    def __init__(self) -> None:
        self.until = datetime(1970, 1, 1, tzinfo=UTC)
        self.fails = 0

    async def reserve(self, until: datetime) -> datetime:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise JournalUnavailable("disk full")
        before, self.until = self.until, max(self.until, until)
        return before


async def test_a_daemon_begins_behind_the_time_its_predecessor_had_reserved() -> None:
    clock, reserved = Clock(), Reserved()
    first = OrderedClock(clock, reserved.reserve, LEAD_MAX)
    await first.ready()
    last = first()
    second = OrderedClock(clock, reserved.reserve, LEAD_MAX)
    waiting = asyncio.create_task(second.ready())
    await asyncio.sleep(0.01)
    assert not waiting.done(), "it waits while its predecessor may still have given that time"
    clock.move(2.5)
    await asyncio.wait_for(waiting, 20)
    assert second() > max(last, START + timedelta(seconds=2))


async def test_a_clock_that_went_back_a_little_is_led_and_one_that_went_back_more_ends_issuing() -> None:
    clock = Clock()
    ordered = OrderedClock(clock, Reserved().reserve, LEAD_MAX)
    await ordered.ready()
    before = ordered()
    clock.move(-0.05)
    assert ordered() == before + timedelta(microseconds=1)
    clock.move(-0.1)
    with pytest.raises(ClockUntrusted, match=r"went back by 0\.150 s"):
        ordered()
    clock.move(0.2)
    assert ordered() == clock.now, "it goes on by itself"


async def test_a_clock_far_behind_what_was_given_before_is_not_waited_for() -> None:
    clock, reserved = Clock(), Reserved()
    await OrderedClock(clock, reserved.reserve, LEAD_MAX).ready()
    clock.move(-3600)
    with pytest.raises(ClockUntrusted, match="3602 s behind"):
        await OrderedClock(clock, reserved.reserve, LEAD_MAX).ready()


async def test_no_time_is_given_that_was_not_durably_reserved() -> None:
    clock, reserved = Clock(), Reserved()
    ordered = OrderedClock(clock, reserved.reserve, LEAD_MAX)
    with pytest.raises(ClockUntrusted):
        ordered()
    reserved.fails = 1
    with pytest.raises(JournalUnavailable):
        await ordered.ready()
    await ordered.ready()
    clock.move(3)
    with pytest.raises(ClockUntrusted, match="ran out"):
        ordered()


async def test_the_journal_remembers_up_to_when_time_was_reserved(store: Store) -> None:
    later = START + timedelta(seconds=2, microseconds=1)
    async with journal_in(store) as journal:
        assert (await journal.reserve_time(START)).year == 1970
        assert await journal.reserve_time(later) == START
        assert await journal.reserve_time(START) == later, "what was reserved is never taken back"
    async with journal_in(store) as journal:
        assert await journal.reserve_time(later) == later


async def test_numbers_and_times_have_one_order_whoever_asks_at_once(store: Store) -> None:
    async with journal_in(store) as journal:
        ordered = OrderedClock(lambda: datetime.now(UTC), journal.reserve_time, LEAD_MAX)
        serials = Serials(journal.reserve_serials, ready=ordered.ready)

        async def issue() -> tuple[int, datetime]:
            serial = await serials.take()
            return serial, ordered()

        issued = await asyncio.gather(*(issue() for _ in range(2500)))
    assert [serial for serial, _ in sorted(issued)] == list(range(1, 2501))
    times = [time for _, time in sorted(issued)]
    assert times == sorted(set(times))


async def test_serial_numbers_are_never_given_twice_over_restarts_and_by_callers_at_once(store: Store) -> None:
    given: list[int] = []
    for _ in range(3):
        async with journal_in(store) as journal:
            two = [Serials(journal.reserve_serials), Serials(journal.reserve_serials)]
            given += await asyncio.gather(*(two[number % 2].take() for number in range(30)))
    assert len(set(given)) == 90
    assert max(given[:30]) < min(given[30:60]) <= max(given[30:60]) < min(given[60:])


async def test_a_prefix_tells_daemons_with_journals_of_their_own_apart(store: Store) -> None:
    async with journal_in(store) as journal:
        assert await Serials(journal.reserve_serials, prefix=5).take() == (5 << 64) + 1
