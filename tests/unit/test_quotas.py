"""Quotas: never more than is allowed, in any ten seconds and on any day of Vietnam, whatever the order of calls."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from signer.control.quotas import Quotas
from signer.errors import QuotaExceeded
from signer.people.client import Quota, QuotaSubject
from signer.people.quota import Limit, day_of, rest_of_day_s

CLIENT, SCHOOL = QuotaSubject.CLIENT, QuotaSubject.SCHOOL
NOON = datetime(2026, 5, 29, 5, tzinfo=UTC)
"""In Vietnam."""


class Clock:
    """Both clocks at once, in seconds since noon."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s)

    def now_s(self) -> float:
        return 1000.25 + self.passed_s


def quotas(clock: Clock, *limits: Quota) -> tuple[Quotas, Counter[tuple[QuotaSubject, Limit]]]:
    refusals: Counter[tuple[QuotaSubject, Limit]] = Counter()
    made = Quotas(clock.now, clock.now_s, lambda *refused: refusals.update([refused]))
    for quota in limits:
        made.put(quota)
    return made, refusals


@given(
    rate=st.floats(0.1, 50),
    calls=st.lists(st.tuples(st.floats(0, 4), st.integers(1, 200)), max_size=60),
)
def test_in_no_ten_seconds_more_is_granted_than_ten_times_the_rate(rate: float, calls: list[tuple[float, int]]) -> None:
    clock = Clock()
    made, _refusals = quotas(clock, Quota(CLIENT, "c", signatures_per_second_max=rate))
    allowance = made.allowance("c", "s")
    granted: list[tuple[float, int]] = []
    for wait_s, count in calls:
        clock.passed_s += wait_s
        admitted, refusal = made.admit(allowance.meters, count)
        assert (admitted < count) == (refusal is not None)
        granted.append((clock.passed_s, admitted))
    for start_s, _count in granted:
        assert sum(count for at_s, count in granted if start_s <= at_s < start_s + 10) <= max(1, int(rate * 10))


@given(rate=st.floats(0.1, 50), count=st.integers(1, 600))
def test_whoever_comes_back_when_told_gets_more(rate: float, count: int) -> None:
    clock = Clock()
    made, _refusals = quotas(clock, Quota(SCHOOL, "s", signatures_per_second_max=rate))
    allowance = made.allowance("c", "s")
    left = count
    for _round in range(count + 1):
        admitted, refusal = made.admit(allowance.meters, left)
        left -= admitted
        if refusal is None:
            break
        assert refusal.retry_after_s is not None
        clock.passed_s += refusal.retry_after_s
    assert left == 0


def test_the_client_and_the_school_are_both_asked_and_the_scarcer_one_is_named() -> None:
    made, refusals = quotas(Clock(), Quota(CLIENT, "c", signatures_per_day_max=5), Quota(SCHOOL, "s", signatures_per_day_max=3))
    admitted, refusal = made.admit(made.allowance("c", "s").meters, 4)
    assert admitted == 3
    assert refusal is not None
    assert (refusal.metadata["subject"], refusal.metadata["subjectId"], refusal.metadata["quota"]) == ("school", "s", "signatures_per_day")
    admitted, refusal = made.admit(made.allowance("c", "other").meters, 4)
    assert admitted == 2, "the client has signed three already"
    assert refusal is not None
    assert refusal.metadata["subject"] == "client"
    assert refusals == {(SCHOOL, Limit.DAY): 1, (CLIENT, Limit.DAY): 1}


def test_a_day_ends_at_vietnams_midnight() -> None:
    clock = Clock()
    made, _refusals = quotas(clock, Quota(SCHOOL, "s", signatures_per_day_max=2))
    allowance = made.allowance("c", "s")
    assert made.admit(allowance.meters, 2) == (2, None)
    _admitted, refusal = made.admit(allowance.meters, 1)
    assert refusal is not None
    assert refusal.retry_after_s == 12 * 3600
    clock.passed_s = refusal.retry_after_s - 1
    assert made.admit(allowance.meters, 1)[0] == 0
    clock.passed_s += 1
    assert made.admit(allowance.meters, 3)[0] == 2


@given(st.floats(0, 4e9))
def test_days_follow_one_another_where_the_rest_of_one_ends(seconds: float) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    rest = timedelta(seconds=rest_of_day_s(now))
    assert day_of(now + rest + timedelta(seconds=1)) == day_of(now) + 1
    assert day_of(now + rest - timedelta(seconds=1)) == day_of(now)


def test_rpcs_are_counted_while_they_are_open() -> None:
    made, refusals = quotas(Clock(), Quota(CLIENT, "c", concurrent_rpcs_max=2))
    first, _second = made.enter(CLIENT, "c"), made.enter(CLIENT, "c")
    with pytest.raises(QuotaExceeded) as caught:
        made.enter(CLIENT, "c")
    assert caught.value.retry_after_s == 1.0
    made.enter(CLIENT, "another")
    made.leave(first)
    made.enter(CLIENT, "c")
    assert refusals == {(CLIENT, Limit.RPCS): 1}


class Saving(RuleBasedStateMachine):
    """Whatever is granted, given back, saved, lost on its way and begun anew: the store and the memory together know what was signed."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.made, _ = quotas(self.clock)
        self.signed: Counter[int] = Counter()
        self.store: Counter[int] = Counter()

    @rule(count=st.integers(1, 50), unused=st.integers(0, 50))
    def sign(self, count: int, unused: int) -> None:
        allowance = self.made.allowance("c", "")
        self.made.admit(allowance.meters, count)
        allowance.give_back(min(unused, count))
        self.signed[day_of(self.clock.now())] += count - min(unused, count)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.clock.passed_s += hours * 3600.0

    @rule(fails=st.booleans())
    def save(self, fails: bool) -> None:
        unsaved = self.made.take_unsaved()
        if fails:
            self.made.put_back(unsaved)
            return
        for (subject, day), count in unsaved.items():
            assert subject == (CLIENT, "c")
            self.store[day] += count

    @rule()
    def restart(self) -> None:
        self.save(fails=False)
        self.made, _ = quotas(self.clock)
        today = day_of(self.clock.now())
        self.made.restore(CLIENT, "c", today, self.store[today])

    @invariant()
    def nothing_is_lost(self) -> None:
        unsaved = self.made.take_unsaved()
        self.made.put_back(unsaved)
        known = self.store + Counter({day: count for (_subject, day), count in unsaved.items()})
        assert known == +self.signed
        assert self.made.meter(CLIENT, "c").today == self.signed[day_of(self.clock.now())]


TestSaving = Saving.TestCase
