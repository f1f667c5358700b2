"""The load's plan and its figures: what is offered is what was said, and nothing that went wrong is left out."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.arrivals import LONG, SHORT, Season, Visit, intensity, plan
from tests.load.figures import felt, finished_per_s, lateness_s, taken
from tests.load.generator import End
from tests.load.report import Run, picture, text
from tests.load.watch import Look

SEASONS = st.builds(Season, st.floats(1, 300), st.floats(1, 200), st.integers(1, 2500), st.integers(0, 1000))


@given(SEASONS)
def test_a_plan_is_in_order_within_the_run_and_has_every_kind(season: Season) -> None:
    arrivals = plan(season)
    moments_s = [arrival.at_s for arrival in arrivals]
    assert moments_s == sorted(moments_s)
    assert moments_s[0] >= 0
    assert moments_s[-1] <= season.seconds
    assert {arrival.kind.visit for arrival in arrivals} == set(Visit)
    assert plan(season) == arrivals, "the same again for the same seed"


def test_what_is_offered_is_what_was_said() -> None:
    """Over many seeds: the share of each kind, and the height of the rate."""
    seeds = range(40)
    plans = [plan(msgspec.structs.replace(LONG, seed=seed)) for seed in seeds]
    documents = Counter[Visit]()
    for arrivals in plans:
        for arrival in arrivals:
            documents[arrival.kind.visit] += arrival.kind.documents
    for kind in LONG.kinds:
        assert documents[kind.visit] / documents.total() == pytest.approx(kind.share, rel=0.15)
    at_height = [arrival for arrivals in plans for arrival in arrivals if 0.4 <= arrival.at_s / LONG.seconds <= 0.8]
    rate = sum(arrival.kind.documents for arrival in at_height) / (0.4 * LONG.seconds * len(seeds))
    assert rate == pytest.approx(LONG.documents_per_s, rel=0.1)


@given(st.floats(0, 1))
def test_the_rate_is_never_above_its_height(share: float) -> None:
    assert 0 < intensity(share) <= 1


def test_shares_of_all_kinds_are_the_whole() -> None:
    assert sum(kind.share for kind in SHORT.kinds) == pytest.approx(1)


def end(visit: Visit, took_s: float, documents: int = 35, signed: int = 35, **errors: int) -> End:
    return End(visit, 10.0, 10.2, 10.0 + took_s, documents, signed, errors)


def test_time_counts_from_the_planned_moment_and_what_is_missing_is_an_error() -> None:
    ends = [end(Visit.CLASS, took_s) for took_s in range(1, 101)] + [
        end(Visit.SINGLE, 1.0, 1, 0),
        end(Visit.SCHOOL, 9, 70, 60, QUEUE_FULL=10),
    ]
    classes, school, single = felt(ends)
    assert (classes.visits, classes.documents, classes.error_share) == (100, 3500, 0)
    assert (classes.p50_s, classes.p95_s, classes.p99_s, classes.slowest_s) == (51, 96, 100, 100)
    assert single.errors == {"UNACCOUNTED": 1}
    assert school.errors == {"QUEUE_FULL": 10}
    assert school.error_share == pytest.approx(1 / 7)
    assert lateness_s(ends) == pytest.approx(0.2)
    assert finished_per_s(ends) == pytest.approx((3500 + 60) / 110)


def test_a_report_names_every_kind_and_every_group_and_can_be_drawn() -> None:
    looks = [Look(at_s, {"daemon": at_s, "token_workers": 0.5}, {"daemon": 100 + at_s, "token_workers": 50}) for at_s in (0.5, 1.0)]
    ends = [end(visit, 1.0, signed=34, TOKEN_REMOVED=1) for visit in Visit]
    run = Run(SHORT, plan(SHORT), ends, looks, "Here.")
    page = text(run)
    assert all(f"| {visit.value} | 1 | 35 | 1.00 |" in page for visit in Visit)
    assert page.count("TOKEN_REMOVED 1") == len(Visit)
    assert "| daemon | 0.75 | 1.00 | 101 |" in page
    assert [row.group for row in taken(looks)] == ["daemon", "token_workers"]
    assert len(picture(run).axes) == 4
