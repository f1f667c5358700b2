"""Laws of the week in virtual time: it signs everything, never rests while something waits, and lets nobody wait behind a crowd."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.tokens.pool import _FRAME_ITEMS_MAX, _FRAMES_IN_HAND
from tests.season.report import page
from tests.season.token import IN_WORK_MAX, Token, run
from tests.season.week import DAY_S, DAYS, SchoolKind, Signatory, Visit, height_per_s, week

CLASS, SCHOOL = 35, 1225
RATES = st.sampled_from([5.0, 60.0, 700.0, 5_000.0])
TOKENS = st.builds(Token, signatures_per_s=RATES, workers=st.integers(1, 4))


def visit(at_s: float, school: str, records: int) -> Visit:
    return Visit(at_s, school, SchoolKind.PRIMARY, Signatory.HOMEROOM_TEACHER, records)


VISITS = st.lists(st.builds(visit, st.floats(0, 30), st.sampled_from("abcd"), st.integers(1, 150)), min_size=1, max_size=12)


@given(VISITS, TOKENS)
@settings(max_examples=60)
def test_every_record_is_signed_and_no_faster_than_the_token_can(visits: list[Visit], token: Token) -> None:
    endings = run(visits, token)
    assert Counter(ending.visit for ending in endings) == Counter(visits)
    for ending in endings:
        assert ending.took_s >= ending.visit.records / token.signatures_per_s * (1 - 1e-9) / token.workers


@given(VISITS, RATES)
@settings(max_examples=60)
def test_a_token_never_rests_while_something_waits(visits: list[Visit], rate: float) -> None:
    """Work is conserved: what is left to do at any end is what any order would have left."""
    free_s = 0.0
    for each in sorted(visits, key=lambda one: one.at_s):
        free_s = max(free_s, each.at_s) + each.records / rate
    assert max(ending.end_s for ending in run(visits, Token(rate))) == pytest.approx(free_s)


@given(st.integers(1, 12), RATES, st.integers(1, 4))
@settings(max_examples=40)
def test_a_class_waits_for_a_turn_of_each_other_school_and_never_behind_a_whole_one(others: int, rate: float, workers: int) -> None:
    crowd = [visit(0.0, f"school-{number}", SCHOOL) for number in range(others)]
    (ending,) = [each for each in run([*crowd, visit(1.0, "class", CLASS)], Token(rate, workers)) if each.visit.school == "class"]
    in_hand = workers * _FRAMES_IN_HAND * _FRAME_ITEMS_MAX
    assert ending.took_s <= (CLASS * (others + 1) + 2 * in_hand) / rate


def test_without_turns_the_same_class_would_wait_for_the_whole_school() -> None:
    """The law above would not hold of one line for all."""
    crowd, late = visit(0.0, "one line", SCHOOL), visit(1.0, "one line", CLASS)
    (ending,) = [each for each in run([crowd, late], Token(60.0)) if each.visit is late]
    (fair,) = [each for each in run([crowd, visit(1.0, "class", CLASS)], Token(60.0)) if each.visit.records == CLASS]
    assert ending.took_s > fair.took_s
    assert ending.took_s >= (IN_WORK_MAX + CLASS - 1) / 60.0 - 1.0


def test_a_week_is_the_same_for_the_same_seed_and_has_everybody_s_visits() -> None:
    visits = week(6)
    assert visits == week(6)
    assert visits != week(6, seed=1)
    assert [each.at_s for each in visits] == sorted(each.at_s for each in visits)
    assert all(0 <= each.at_s < DAYS * DAY_S for each in visits)
    assert {each.signatory for each in visits if each.kind is SchoolKind.PRIMARY} == set(Signatory) - {Signatory.SUBJECT_TEACHER}
    signed = Counter[tuple[str, Signatory]]()
    for each in visits:
        signed[each.school, each.signatory] += each.records
    for school in {each.school for each in visits}:
        assert signed[school, Signatory.PRINCIPAL] == signed[school, Signatory.CLERK] == signed[school, Signatory.HOMEROOM_TEACHER]
        assert signed[school, Signatory.SUBJECT_TEACHER] in {0, 12 * signed[school, Signatory.PRINCIPAL]}
    assert height_per_s(visits) > sum(each.records for each in visits) / (DAYS * DAY_S)


def test_the_page_is_computed_from_its_seed_alone() -> None:
    assert page(3, 7) == page(3, 7)
    assert "a principal's school" in page(3, 7)
