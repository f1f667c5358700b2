"""More than half of the servers decide, and whatever less than half of them say cannot move true time out of the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.timestamp.clock.agreement import agree, majority_of
from signer.timestamp.clock.sample import PPM, Leap, NoSample, TimeSample


def sample(lead_ns: int, doubt_ns: int = 10, *, taken_ns: int = 0, leap: Leap = Leap.NONE, reference: str = "r") -> TimeSample:
    return TimeSample(taken_ns, lead_ns, doubt_ns, leap, reference)


def named(*samples: TimeSample) -> dict[str, TimeSample]:
    return {f"s{index}": each for index, each in enumerate(samples)}


def test_one_server_of_three_that_is_off_is_outvoted_and_named() -> None:
    agreement = agree(named(sample(100), sample(104), sample(5000)), 3, 0)
    assert (agreement.sample.lead_ns, agreement.sample.doubt_ns) == (102, 8)
    assert agreement.liars == {"s2"}


def test_one_silent_server_of_three_is_no_matter() -> None:
    assert agree(named(sample(100), sample(104)), 3, 0).liars == frozenset()


@pytest.mark.parametrize(
    ("samples", "configured"),
    [
        ((), 1),
        ((sample(0),), 2),
        ((sample(0),), 3),
        ((sample(0), sample(50)), 2),
        ((sample(0), sample(50)), 3),
        ((sample(0), sample(50), sample(100)), 3),
        ((sample(0), sample(0), sample(50), sample(50)), 4),
    ],
)
def test_without_a_majority_of_all_that_are_configured_nobody_knows(samples: tuple[TimeSample, ...], configured: int) -> None:
    with pytest.raises(NoSample):
        agree(named(*samples), configured, 0)


def test_a_majority_that_lies_in_agreement_is_believed_as_nobody_can_tell() -> None:
    agreement = agree(named(sample(0), sample(5000), sample(5004)), 3, 0)
    assert agreement.sample.lead_ns == 5002
    assert agreement.liars == {"s0"}


def test_a_single_server_is_believed_as_far_as_it_vouches() -> None:
    agreement = agree(named(sample(7, 3)), 1, 0)
    assert (agreement.sample.lead_ns, agreement.sample.doubt_ns) == (7, 3)


def test_answers_taken_earlier_have_drifted_until_the_last() -> None:
    agreement = agree(named(sample(0, 0), sample(100, 0, taken_ns=PPM)), 2, 100)
    assert agreement.sample.taken_ns == PPM
    assert agreement.sample.lead_ns == 100


def test_any_believed_announcement_of_a_leap_second_counts_and_a_liars_does_not() -> None:
    assert agree(named(sample(0), sample(0, leap=Leap.INSERT)), 2, 0).sample.leap is Leap.INSERT
    assert agree(named(sample(0), sample(0), sample(900, leap=Leap.DELETE)), 3, 0).sample.leap is Leap.NONE


@given(
    truth=st.integers(-(10**12), 10**12),
    honest=st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1, 1)), min_size=1, max_size=5),
    lies=st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 10**7)), max_size=4),
    silent=st.integers(0, 2),
)
def test_true_time_is_in_the_answer_whenever_more_than_half_tell_the_truth(
    truth: int, honest: list[tuple[int, float]], lies: list[tuple[int, int]], silent: int
) -> None:
    told = [sample(truth + int(doubt * part), doubt) for doubt, part in honest] + [sample(lead, doubt) for lead, doubt in lies]
    configured = len(told) + silent
    if len(honest) < majority_of(configured):
        return
    agreement = agree(named(*told), configured, 0)
    assert abs(agreement.sample.lead_ns - truth) <= agreement.sample.doubt_ns
    assert not {f"s{index}" for index in range(len(honest))} & agreement.liars
