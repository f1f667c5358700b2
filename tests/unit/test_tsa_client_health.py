from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.timestamp.client.health import PAUSE_S_MIN, RETRY_AFTER_S_MAX, Admission, Health, TsaState
from signer.timestamp.client.pace import Pace


def health(failures_max: int = 3) -> Health:
    return Health(failures_max, pause_s_max=8.0, quarantine_s=600.0)


def admitted(one: Health, now_s: float) -> Admission:
    admission = one.admit(now_s)
    assert admission is not None
    return admission


def fail(one: Health, now_s: float, times: int = 1) -> None:
    for _ in range(times):
        one.failed(admitted(one, now_s), now_s)


def test_failures_in_a_row_open_the_breaker_and_a_success_between_them_does_not() -> None:
    one = health()
    fail(one, 0, 2)
    one.succeeded(admitted(one, 0))
    fail(one, 0, 2)
    assert one.state is TsaState.READY
    fail(one, 0)
    assert (one.state, one.admit(0.9)) == (TsaState.OPEN, None)


def test_after_the_pause_one_trial_at_a_time_decides() -> None:
    one = health(1)
    fail(one, 0)
    trial = admitted(one, PAUSE_S_MIN)
    assert trial.is_trial
    assert one.admit(PAUSE_S_MIN) is None
    one.succeeded(trial)
    assert one.state is TsaState.READY
    assert not admitted(one, PAUSE_S_MIN).is_trial


def test_each_failed_trial_doubles_the_pause_up_to_its_limit() -> None:
    one, now_s, pauses = health(1), 0.0, []
    for _ in range(6):
        fail(one, now_s)
        pauses.append(one.until_s - now_s)
        now_s = one.until_s
    assert pauses == [1, 2, 4, 8, 8, 8]


def test_what_it_asks_for_is_kept_within_an_hour() -> None:
    one = health()
    one.failed(admitted(one, 0), 0, retry_after_s=120)
    assert (one.state, one.until_s) == (TsaState.OPEN, 120)
    other = health()
    other.failed(admitted(other, 0), 0, retry_after_s=1e9)
    assert other.until_s == RETRY_AFTER_S_MAX


def test_one_lie_quarantines_and_good_answers_that_were_under_way_do_not_help() -> None:
    one = health()
    under_way = admitted(one, 0)
    one.lied(0)
    one.succeeded(under_way)
    assert (one.state, one.admit(599)) == (TsaState.QUARANTINED, None)
    trial = admitted(one, 600)
    one.failed(trial, 600)
    assert (one.state, one.until_s) == (TsaState.OPEN, 601)


def test_a_trial_that_was_given_up_leaves_the_next_one_its_turn() -> None:
    one = health(1)
    fail(one, 0)
    one.abandoned(admitted(one, 2))
    assert admitted(one, 2).is_trial


@given(st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail", "lie", "abandon"]), st.floats(0, 50)), max_size=60))
def test_nobody_is_asked_in_quarantine_and_nobody_is_shut_out_for_ever(steps: list[tuple[str, float]]) -> None:
    one, now_s = health(2), 0.0
    open_: list[Admission] = []
    quarantined_until_s = 0.0
    for step, seconds in steps:
        now_s += seconds
        admission = one.admit(now_s)
        if admission is not None:
            assert now_s >= quarantined_until_s
            open_.append(admission)
        if not open_:
            continue
        if step == "succeed":
            one.succeeded(open_.pop())
        elif step == "fail":
            one.failed(open_.pop(), now_s)
        elif step == "abandon":
            one.abandoned(open_.pop())
        elif step == "lie":
            open_.pop()
            one.lied(now_s)
            quarantined_until_s = now_s + one.quarantine_s
    for admission in open_:
        one.abandoned(admission)
    assert one.admit(now_s + 1000) is not None


@pytest.mark.parametrize("per_second_max", [1.0, 7.0, 250.0])
def test_no_second_holds_more_requests_than_agreed(per_second_max: float) -> None:
    pace = Pace(per_second_max)
    leaves_s = [now_s + pace.take(now_s) for now_s in [10.0] * 40 + [10.3] * 40 + [60.0] * 40]
    for start_s in leaves_s:
        assert sum(start_s <= at_s < start_s + 1 - 1e-9 for at_s in leaves_s) <= per_second_max + 1e-6


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(0)
    assert [pace.take(5.0) for _ in range(3)] == [0, 0, 0]
    assert pace.wait_s(5.0) == 0
