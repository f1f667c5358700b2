"""Reading chronyc's tracking report, field by field. What real chronyds report is asked in tests/e2e/test_clock_chronyd.py."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.timestamp.clock.chrony import Movement, Tracking, judge, parse_tracking
from signer.timestamp.clock.readings import Reading
from signer.timestamp.clock.sample import SECOND_NS, Leap, Outcome, SourceFailed

NOW_S = 1_795_332_346
LINE = (
    "7F000001,127.0.0.1,4,1795332336.000000000,-0.300016642,0.300016642,0.300016642,0.000,-2.296,1.000,0.000036472,0.211151421,16.0,Normal"
)
UNSYNCHRONISED = "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised"


def changed(index: int, value: str) -> str:
    fields = LINE.split(",")
    fields[index] = value
    return ",".join(fields)


def reading(wall_s: float, steady_s: float) -> Reading:
    return Reading(round(wall_s * SECOND_NS), round(steady_s * SECOND_NS), 0)


def test_a_report_says_how_far_the_clock_is_off_and_how_sure_that_is() -> None:
    tracking = parse_tracking(LINE + "\n")
    assert tracking.slow_ns == -300_016_642
    assert tracking.doubt_ns == 36_472 // 2 + 211_151_421
    sample = judge(tracking, Movement(), reading(NOW_S, 50), reading(NOW_S, 50))
    assert sample.lead_ns == (NOW_S - 50) * SECOND_NS - 300_016_642
    assert sample.leap is Leap.NONE


def test_a_clock_that_moved_while_chronyd_was_asked_leaves_that_open() -> None:
    sample = judge(parse_tracking(LINE), Movement(), reading(NOW_S, 50), reading(NOW_S + 3, 51))
    assert sample.doubt_ns >= 2 * SECOND_NS


def test_what_the_clock_moved_since_chronyd_measured_is_open_until_it_has_measured_again() -> None:
    movement, tracking = Movement(), parse_tracking(LINE)

    def doubt_s(wall_s: float, steady_s: float, report: Tracking) -> float:
        now = reading(wall_s, steady_s)
        return (judge(report, movement, now, now).doubt_ns - report.doubt_ns) / SECOND_NS

    measured, measured_again = (replace(tracking, updated_ns=(NOW_S + after_s) * SECOND_NS) for after_s in (15, 40))
    assert doubt_s(NOW_S, 50, tracking) == 0
    assert doubt_s(NOW_S + 16 + 0.8, 66, measured) == pytest.approx(0.8), "the jump may have come after the measurement"
    assert doubt_s(NOW_S + 32 + 0.8, 82, measured) == pytest.approx(0.8)
    assert doubt_s(NOW_S + 33 + 0.5, 83, measured) == pytest.approx(1.1)
    assert doubt_s(NOW_S + 48 + 0.5, 98, measured_again) == 0


@pytest.mark.parametrize(("word", "leap"), [("Insert second", Leap.INSERT), ("Delete second", Leap.DELETE)])
def test_an_announced_leap_second_is_read(word: str, leap: Leap) -> None:
    assert parse_tracking(changed(13, word)).leap is leap


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (UNSYNCHRONISED, Outcome.UNSYNCHRONISED),
        (changed(2, "0"), Outcome.UNSYNCHRONISED),
        (changed(2, "16"), Outcome.UNSYNCHRONISED),
        (changed(0, "7F7F0101"), Outcome.UNSYNCHRONISED),
        (changed(13, "Something new"), Outcome.UNSYNCHRONISED),
        (changed(10, "-1"), Outcome.NONSENSE),
        (changed(4, "nan"), Outcome.NONSENSE),
        (changed(4, "inf"), Outcome.NONSENSE),
        (changed(4, "fast"), Outcome.NONSENSE),
        ("", Outcome.NONSENSE),
        ("506 Cannot talk to daemon", Outcome.NONSENSE),
    ],
)
def test_a_report_that_is_none_or_of_no_use_is_refused_by_kind(line: str, outcome: Outcome) -> None:
    with pytest.raises(SourceFailed) as failed:
        parse_tracking(line)
    assert failed.value.outcome is outcome


@pytest.mark.parametrize("age_s", [-2, 3_601, 86_400])
def test_a_chronyd_that_has_not_measured_for_an_hour_or_will_have_vouches_for_nothing(age_s: int) -> None:
    after = reading(NOW_S - 10 + age_s + 0.3, 50)
    with pytest.raises(SourceFailed, match="last measured"):
        judge(parse_tracking(LINE), Movement(), after, after)


_ODD = ["", "1", "-1", "0", "1.5", "-2.5", "1e9", "1e99999999", "nan", "-inf", "99999999999.0", "٣.0", "Normal", "7F000001", "0x10", " 1.0"]


@given(st.lists(st.tuples(st.integers(0, 14), st.sampled_from(_ODD)), min_size=1, max_size=4))
def test_whatever_chronyc_prints_is_read_or_refused_by_name(changes: list[tuple[int, str]]) -> None:
    fields, after = LINE.split(","), reading(NOW_S, 50)
    for index, text in changes:
        fields[index : index + 1] = [text]
    with contextlib.suppress(SourceFailed):
        assert judge(parse_tracking(",".join(fields)), Movement(), after, after).doubt_ns >= 0
