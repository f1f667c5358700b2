"""May the clock be believed now? A pure state machine over what the sources said and what both clocks read.

| state        | when                                                                  | left by                                         |
|--------------|-----------------------------------------------------------------------|-------------------------------------------------|
| TRUSTED      | bound ≤ error_max                                                     | any of the others                               |
| UNKNOWN      | no sample yet, or its doubt and the drift since exceed error_max      | a sample                                        |
| OFF          | only with the clock's measured error does the bound exceed it         | the clock put right; a sample                   |
| CONTRADICTED | a sample that can't be true if the one before was                     | a sample that agrees with the old one, or three |
|              |                                                                       | new ones that agree with one another            |
| LEAP_SECOND  | 2 s before to 2 s after a month's end with an announced leap second   | a sample taken after it                         |

A contradiction means that the steady clock stood still (a virtual machine that was halted), or that the sources moved (a chronyd whose
clock was set behind its back): which of them, three measurements must show.

Of two samples that agree, the one that leaves less open now is kept: a slow answer does not make a good one forgotten. One whose doubt
alone exceeds error_max can contradict, but vouches for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from signer.errors import ClockUntrusted
from signer.timestamp.clock.readings import Clocks, Reading
from signer.timestamp.clock.sample import SECOND_NS, Leap, TimeSample
from signer.timestamp.clock.standing import ClockStanding, ClockState

_VOTES_TO_CONVINCE = 3
_LEAP_MARGIN_NS = 2 * SECOND_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER_ASKED = "no time source has been asked yet"


class _Verdict(NamedTuple):
    state: ClockState
    offset_ns: int | None
    bound_ns: int | None


class ClockGuard:
    """The authority's clock. Owned by the event loop.

    error_max: how far it may be off. on_change: told the state whenever a look finds another one than the look before; must not block.
    """

    def __init__(self, clocks: Clocks, *, error_max: timedelta, drift_ppm: float, on_change: Callable[[ClockState], None]) -> None:
        self._clocks = clocks
        self._limit_ns = error_max // timedelta(microseconds=1) * 1000
        self._drift_ppm = drift_ppm
        self._on_change = on_change
        self._kept: TimeSample | None = None
        self._rival: TimeSample | None = None
        self._votes = 0
        self._leap_ns: int | None = None
        self._state = ClockState.UNKNOWN
        self._checked: TimeSample | None = None
        self._trouble = _NEVER_ASKED

    def now(self) -> datetime:
        """The system clock's time, UTC; ClockUntrusted when it may be further from true time than `error_max`."""
        reading = self._clocks()
        verdict = self._judge(reading)
        if verdict.state is not ClockState.TRUSTED:
            raise ClockUntrusted(f"no timestamp is issued: {self._explain(verdict)}", state=verdict.state.value)
        return _as_datetime(reading.wall_ns)

    def standing(self) -> ClockStanding:
        """How the clock stands now."""
        reading = self._clocks()
        verdict, checked = self._judge(reading), self._checked
        return ClockStanding(
            state=verdict.state,
            offset_s=None if verdict.offset_ns is None else verdict.offset_ns / SECOND_NS,
            bound_s=None if verdict.bound_ns is None else verdict.bound_ns / SECOND_NS,
            age_s=None if checked is None else (reading.steady_ns - checked.taken_ns) / SECOND_NS,
            message=self._explain(verdict),
        )

    def heard(self, sample: TimeSample) -> None:
        """The sources said what time it is."""
        if self._kept is not None:
            self._forget_after_leap(sample.taken_ns + self._kept.lead_ns)
        if self._is_around_leap(sample.taken_ns + sample.lead_ns):
            self._trouble = "the time sources are not believed around a leap second"
            return
        if self._kept is not None and not self._is_believed(self._kept, sample):
            self._trouble = "the time sources contradict what they said before"
            return
        if sample.doubt_ns > self._limit_ns:
            self._trouble = f"the time sources vouch to {sample.doubt_ns / SECOND_NS:.3f} s only"
            return
        if self._kept is None or self._rival is not None or sample.doubt_ns <= self._kept.doubt_at(sample.taken_ns, self._drift_ppm):
            self._kept = sample
        self._rival, self._votes, self._trouble = None, 0, ""
        self._checked = sample
        self._leap_ns = None if sample.leap is Leap.NONE else _month_end_ns(sample.taken_ns + sample.lead_ns)

    def not_heard(self, why: str) -> None:
        """The sources did not say what time it is."""
        self._trouble = why

    def _is_believed(self, kept: TimeSample, sample: TimeSample) -> bool:
        """Whether a sample agrees with the kept one, or enough others with it against that."""
        if kept.agrees_with(sample, self._drift_ppm):
            return True
        rival, self._rival = self._rival, sample
        if rival is None or not rival.agrees_with(sample, self._drift_ppm):
            self._votes = 1
        elif rival.reference != sample.reference:
            self._votes += 1
        return self._votes >= _VOTES_TO_CONVINCE

    def _judge(self, reading: Reading) -> _Verdict:
        verdict = self._measure(reading)
        if verdict.state is not self._state:
            self._state = verdict.state
            self._on_change(verdict.state)
        return verdict

    def _measure(self, reading: Reading) -> _Verdict:
        if self._leap_ns is not None and self._kept is not None:
            self._forget_after_leap(reading.steady_ns + self._kept.lead_ns)
        kept = self._kept
        if kept is None:
            return _Verdict(ClockState.UNKNOWN, None, None)
        true_ns = reading.steady_ns + kept.lead_ns
        offset_ns = reading.wall_ns - true_ns
        doubt_ns = kept.doubt_at(reading.steady_ns, self._drift_ppm) + reading.doubt_ns
        bound_ns = abs(offset_ns) + doubt_ns
        if self._is_around_leap(true_ns):
            state = ClockState.LEAP_SECOND
        elif self._rival is not None:
            state = ClockState.CONTRADICTED
        elif bound_ns <= self._limit_ns:
            state = ClockState.TRUSTED
        else:
            state = ClockState.OFF if doubt_ns <= self._limit_ns else ClockState.UNKNOWN
        return _Verdict(state, offset_ns, bound_ns)

    def _is_around_leap(self, true_ns: int) -> bool:
        return self._leap_ns is not None and abs(true_ns - self._leap_ns) <= _LEAP_MARGIN_NS

    def _forget_after_leap(self, true_ns: int) -> None:
        """What was said before a leap second holds no longer after it: POSIX time moved against the steady clock."""
        if self._leap_ns is not None and true_ns > self._leap_ns + _LEAP_MARGIN_NS:
            self._kept = self._rival = self._leap_ns = None
            self._votes, self._trouble = 0, "the leap second is over and the time sources have not been asked since"

    def _explain(self, verdict: _Verdict) -> str:
        if verdict.offset_ns is None or verdict.bound_ns is None:
            return self._trouble
        direction = "fast" if verdict.offset_ns > 0 else "slow"
        said = (
            f"the clock is {abs(verdict.offset_ns) / SECOND_NS:.6f} s {direction}, "
            f"off by at most {verdict.bound_ns / SECOND_NS:.6f} s; the limit is {self._limit_ns / SECOND_NS:g} s"
        )
        if verdict.state is ClockState.LEAP_SECOND:
            said = f"a leap second is announced for this moment; {said}"
        return f"{self._trouble}; {said}" if self._trouble else said


class Clock(Protocol):
    """The built-in authority's clock, guarded or not."""

    def now(self) -> datetime:
        """The time, UTC; ClockUntrusted when nothing vouches for it."""

    def standing(self) -> ClockStanding:
        """How the clock stands now."""


class UnguardedClock:
    """The system clock as it is, for `guard = "unguarded"`."""

    def now(self) -> datetime:
        """The system clock's time, UTC."""
        return datetime.now(UTC)

    def standing(self) -> ClockStanding:
        """Nobody knows."""
        return ClockStanding(ClockState.UNGUARDED, None, None, None, 'nobody checks the clock: [timestamp.clock] guard = "unguarded"')


def _as_datetime(posix_ns: int) -> datetime:
    return datetime.fromtimestamp(posix_ns / SECOND_NS, UTC)


def _month_end_ns(true_ns: int) -> int:
    """The next end of a UTC month: the only moments a leap second may come (RFC 5905 §7.3, ITU-R TF.460)."""
    now = _as_datetime(true_ns)
    following = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (following - _EPOCH) // timedelta(microseconds=1) * 1000
