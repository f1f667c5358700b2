"""The guard's whole table, on clocks that are set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ClockUntrusted
from signer.timestamp.clock.guard import ClockGuard, UnguardedClock
from signer.timestamp.clock.readings import Reading
from signer.timestamp.clock.sample import SECOND_NS, Leap, TimeSample
from signer.timestamp.clock.standing import ClockState

MS = 1_000_000
BOOT = 1_000 * SECOND_NS
"""What the steady clock shows when a test begins."""
START = int(datetime(2026, 5, 29, 22, tzinfo=UTC).timestamp()) * SECOND_NS


@dataclass
class World:
    """True time, a wall clock that may be off, and a steady clock that may drift or stand still."""

    true_ns: int = START
    off_ns: int = 0
    steady_ns: int = BOOT
    changes: list[ClockState] = field(default_factory=list)
    guard: ClockGuard = field(init=False)
    readings: int = 0

    def __post_init__(self) -> None:
        self.guard = ClockGuard(self.read, error_max=timedelta(seconds=1), drift_ppm=500, on_change=self.changes.append)

    def read(self) -> Reading:
        self.readings += 1
        return Reading(self.true_ns + self.off_ns, self.steady_ns, 1_000)

    def passes(self, seconds: float, *, drift_ppm: float = 0, halted: bool = False) -> None:
        """halted: as a virtual machine is, whose every clock stands still."""
        span_ns = round(seconds * SECOND_NS)
        self.true_ns += span_ns
        if halted:
            self.off_ns -= span_ns
        else:
            self.steady_ns += span_ns + round(span_ns * drift_ppm / 1_000_000)

    def sample(self, doubt_ms: float = 5, lie_s: float = 0, leap: Leap = Leap.NONE, reference: str = "") -> TimeSample:
        lead_ns = self.true_ns + round(lie_s * SECOND_NS) - self.steady_ns
        return TimeSample(self.steady_ns, lead_ns, round(doubt_ms * MS), leap, reference or str(self.true_ns))

    def hears(self, **said: object) -> None:
        self.guard.heard(self.sample(**said))  # type: ignore[arg-type]

    def error(self) -> timedelta:
        """How far off the time is that is given; raises ClockUntrusted when none is."""
        return self.guard.now() - datetime.fromtimestamp(self.true_ns / SECOND_NS, UTC)

    @property
    def state(self) -> ClockState:
        return self.guard.standing().state

    def refuses(self, state: ClockState) -> str:
        with pytest.raises(ClockUntrusted) as refused:
            self.guard.now()
        assert refused.value.metadata["state"] == state.value
        assert self.state is state
        return refused.value.message


@pytest.fixture
def world() -> World:
    """Trusted."""
    made = World()
    made.hears()
    assert abs(made.error()) < timedelta(milliseconds=1)
    return made


def test_nothing_is_stamped_before_anybody_vouched_for_the_clock() -> None:
    fresh = World()
    assert "no time source has been asked yet" in fresh.refuses(ClockState.UNKNOWN)
    fresh.guard.not_heard("ntp1: no answer within 2 s")
    assert "ntp1: no answer within 2 s" in fresh.refuses(ClockState.UNKNOWN)
    standing = fresh.guard.standing()
    assert (standing.offset_s, standing.bound_s, standing.age_s) == (None, None, None)


@pytest.mark.parametrize("jump_s", [-86_400, -2, -1, 1, 2, 86_400])
def test_a_jump_is_noticed_at_the_very_stamp_and_its_end_as_well(world: World, jump_s: int) -> None:
    world.off_ns = jump_s * SECOND_NS
    assert f"{abs(jump_s)}.000000 s {'fast' if jump_s > 0 else 'slow'}" in world.refuses(ClockState.OFF)
    assert world.changes[-1] is ClockState.OFF
    world.off_ns = 0
    assert abs(world.error()) < timedelta(milliseconds=1)


def test_an_offset_that_the_accuracy_allows_is_allowed_and_told(world: World) -> None:
    world.off_ns = 900 * MS
    assert world.error() == timedelta(milliseconds=900)
    standing = world.guard.standing()
    assert standing.offset_s == pytest.approx(0.9)
    assert standing.bound_s == pytest.approx(0.905, abs=1e-4)


def test_what_the_sources_leave_open_counts_as_error(world: World) -> None:
    world.off_ns = 996 * MS
    world.refuses(ClockState.OFF)
    vague = World()
    vague.hears(doubt_ms=1001)
    vague.refuses(ClockState.UNKNOWN)


def test_silent_sources_are_outlived_only_while_the_drift_still_fits(world: World) -> None:
    world.guard.not_heard("all are silent")
    world.passes(0.99 / 500e-6)
    assert world.error() == timedelta(0)
    world.passes(0.01 / 500e-6)
    assert "all are silent" in world.refuses(ClockState.UNKNOWN)
    world.hears()
    assert world.error() == timedelta(0)


def test_suspend_is_counted_so_the_clock_stays_trusted(world: World) -> None:
    world.passes(600)
    assert world.error() == timedelta(0)


def test_a_slow_vague_answer_does_not_make_a_good_one_forgotten(world: World) -> None:
    world.passes(16)
    world.hears(doubt_ms=900)
    assert world.error() == timedelta(0)
    assert world.guard.standing().age_s == 0


def test_an_answer_that_is_too_vague_vouches_for_nothing_but_can_contradict(world: World) -> None:
    world.passes(16)
    world.hears(doubt_ms=1001)
    assert world.guard.standing().age_s == 16
    assert "vouch to 1.001 s only" in world.guard.standing().message
    for _ in range(4):
        world.passes(2)
        world.hears(doubt_ms=1001, lie_s=60)
        world.refuses(ClockState.CONTRADICTED)


def test_after_a_halt_nothing_is_stamped_from_the_next_check_until_the_clock_is_right(world: World) -> None:
    world.passes(30, halted=True)
    world.hears()
    assert "contradict" in world.refuses(ClockState.CONTRADICTED)
    for _ in range(2):
        world.passes(2)
        world.hears()
    world.refuses(ClockState.OFF)
    world.off_ns = 0
    assert world.error() == timedelta(0)


def test_sources_that_follow_a_jump_of_our_own_clock_are_not_believed_until_they_measured_again(world: World) -> None:
    world.off_ns = 2 * SECOND_NS
    for _ in range(5):
        world.passes(2)
        world.hears(lie_s=2, reference="chronyd measured before the jump")
        world.refuses(ClockState.CONTRADICTED)
    world.hears(lie_s=0)
    world.refuses(ClockState.OFF)
    world.off_ns = 0
    assert world.error() == timedelta(0)


def test_sources_that_contradict_one_another_in_time_convince_nobody(world: World) -> None:
    for lie_s in (10, 20, 30, 40, 50, 60):
        world.passes(2)
        world.hears(lie_s=lie_s)
        world.refuses(ClockState.CONTRADICTED)
    world.hears()
    assert world.error() == timedelta(0)


def test_a_contradiction_is_not_settled_by_silence(world: World) -> None:
    world.hears(lie_s=10)
    world.guard.not_heard("silent")
    world.refuses(ClockState.CONTRADICTED)


@pytest.mark.parametrize(("leap", "step_s"), [(Leap.INSERT, 1), (Leap.DELETE, -1)])
def test_an_announced_leap_second_stops_stamps_around_it_and_needs_a_new_check(leap: Leap, step_s: int) -> None:
    world = World(true_ns=int(datetime(2026, 6, 30, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND_NS)
    world.hears(leap=leap)
    world.passes(7)
    assert world.error() == timedelta(0)
    world.passes(2)
    assert "leap second" in world.refuses(ClockState.LEAP_SECOND)
    world.passes(2)
    world.true_ns -= step_s * SECOND_NS  # POSIX counts 23:59:59 twice, or not at all
    world.hears(leap=leap)
    world.refuses(ClockState.LEAP_SECOND)
    world.passes(2)
    assert "leap second is over" in world.refuses(ClockState.UNKNOWN)
    world.hears(leap=leap)
    assert world.error() == timedelta(0)


def test_the_first_word_after_a_leap_second_contradicts_nothing() -> None:
    world = World(true_ns=int(datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND_NS)
    world.hears(leap=Leap.INSERT)
    world.passes(30)
    world.true_ns -= SECOND_NS
    world.hears()
    assert world.error() == timedelta(0)


def test_an_announcement_that_is_taken_back_stops_nothing() -> None:
    world = World(true_ns=int(datetime(2026, 6, 30, 23, 59, 40, tzinfo=UTC).timestamp()) * SECOND_NS)
    world.hears(leap=Leap.INSERT)
    world.passes(5)
    world.hears()
    world.passes(15)
    assert world.error() == timedelta(0)


def test_each_change_is_told_once(world: World) -> None:
    world.off_ns = 2 * SECOND_NS
    for _ in range(5):
        world.refuses(ClockState.OFF)
    world.off_ns = 0
    world.guard.now()
    world.guard.now()
    assert world.changes == [ClockState.TRUSTED, ClockState.OFF, ClockState.TRUSTED]


def test_a_timestamp_costs_one_reading_of_the_clocks(world: World) -> None:
    before = world.readings
    world.guard.now()
    assert world.readings == before + 1


def test_an_unguarded_clock_says_so() -> None:
    clock = UnguardedClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=30)
    assert clock.standing().state is ClockState.UNGUARDED
    assert {state for state in ClockState if state.issues} == {ClockState.TRUSTED, ClockState.UNGUARDED}


_STEPS = st.one_of(
    st.tuples(st.just("passes"), st.floats(0, 3000), st.floats(-500, 500)),
    st.tuples(st.just("jumps"), st.floats(-5, 5), st.just(0.0)),
    st.tuples(st.just("hears"), st.floats(0, 2000), st.floats(-1, 1)),
    st.tuples(st.just("silent"), st.just(0.0), st.just(0.0)),
    st.tuples(st.just("echoes"), st.floats(-5, 5), st.just(0.0)),
)


@given(st.lists(_STEPS, max_size=30))
def test_whatever_happens_no_time_is_given_that_is_further_off_than_the_accuracy(steps: list[tuple[str, float, float]]) -> None:
    """The clock jumps, the steady clock drifts as allowed, honest sources answer as vaguely as they say, or repeat one old lie."""
    world = World()
    world.hears()
    for kind, amount, part in steps:
        if kind == "passes":
            world.passes(amount, drift_ppm=part)
        elif kind == "jumps":
            world.off_ns += round(amount * SECOND_NS)
        elif kind == "hears":
            sample = world.sample(doubt_ms=amount)
            world.guard.heard(replace(sample, lead_ns=sample.lead_ns + int(sample.doubt_ns * part)))
        elif kind == "echoes":
            echo = world.sample(lie_s=amount, reference="one old measurement")
            if not world.guard._kept or not world.guard._kept.agrees_with(echo, 500):
                world.guard.heard(echo)
        else:
            world.guard.not_heard("silent")
        try:
            assert abs(world.error()) <= timedelta(seconds=1, microseconds=1)
        except ClockUntrusted:
            continue
