"""The rules of roles, as laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from signer.access.roles import find_right, rights_at
from signer.model import Role
from signer.people.client import Window
from signer.people.person import Assignment, Delegation, Holdings, Person, Scope

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MOMENTS = st.one_of(st.none(), st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days)))
WINDOWS = st.builds(Window, MOMENTS, MOMENTS)
SCHOOLS, CLASSES, SUBJECTS = st.sampled_from(["s1", "s2"]), st.sampled_from(["", "1A", "1B"]), st.sampled_from(["", "TOAN", "VAN"])
SCOPES = st.builds(Scope, SCHOOLS, st.sampled_from([0, 2024, 2025]), CLASSES, SUBJECTS)
ROLES = st.sampled_from([Role.SUBJECT_TEACHER, Role.PRINCIPAL])
NAMES = st.sampled_from(["lan", "hoa"])
ASSIGNMENTS = st.builds(Assignment, st.just("a"), NAMES, ROLES, SCOPES, WINDOWS)
SOME_CLASSES = st.frozensets(st.sampled_from(["1A", "1B"]))
SOME_SUBJECTS = st.frozensets(st.sampled_from(["TOAN", "VAN"]))
DELEGATIONS = st.builds(Delegation, st.just("d"), NAMES, st.just("me"), ROLES, SCHOOLS, SOME_CLASSES, SOME_SUBJECTS, WINDOWS)
OWN = ASSIGNMENTS.map(lambda each: replace(each, person_id="me"))
ME = Person("me", "Me")


@given(SCOPES, SCOPES, SCOPES)
def test_to_cover_is_an_order(one: Scope, two: Scope, three: Scope) -> None:
    assert one.covers(one)
    assert not (one.covers(two) and two.covers(one)) or one == two
    assert not (one.covers(two) and two.covers(three)) or one.covers(three)


@given(SCOPES, SCOPES)
def test_what_may_cover_is_what_covers_the_claim_once_it_is_filled_in(held: Scope, claimed: Scope) -> None:
    filled = [
        replace(
            claimed, school_year=claimed.school_year or year, class_id=claimed.class_id or name, subject_id=claimed.subject_id or subject
        )
        for year in (2024, 2025)
        for name in ("1A", "1B")
        for subject in ("TOAN", "VAN")
    ]
    assert held.may_cover(claimed) == any(held.covers(each) for each in filled)


@given(st.lists(OWN, max_size=4), st.lists(DELEGATIONS, max_size=3), st.lists(ASSIGNMENTS, max_size=4), ROLES, SCOPES)
def test_a_right_is_either_ones_own_and_in_force_or_lent_and_within_both_bounds(
    own: list[Assignment], delegations: list[Delegation], lent: list[Assignment], role: Role, scope: Scope
) -> None:
    rights = rights_at(Holdings(ME, tuple(own), tuple(delegations), tuple(lent)), NOW)
    mine = find_right(rights, role, scope)
    expected = [each for each in own if each.role is role and each.valid.holds_at(NOW) and each.scope.covers(scope)]
    assert (mine is not None) == bool(expected)
    under = find_right(rights, role, scope, "d")
    may = [
        (each, source)
        for each in delegations
        for source in lent
        if each.valid.holds_at(NOW)
        and (each.role, each.from_person_id, each.school_id) == (role, source.person_id, scope.school_id)
        and source.role is role
        and (source.valid.start is None or source.valid.start <= NOW)
        and source.scope.covers(scope)
        and (not each.class_ids or scope.class_id in each.class_ids)
        and (not each.subject_ids or scope.subject_id in each.subject_ids)
    ]
    assert (under is not None) == bool(may)
    if under is not None:
        assert under.acting_for in {each.from_person_id for each, _source in may}


@given(st.lists(OWN, min_size=1, max_size=3))
def test_a_disabled_or_unknown_person_has_no_right(own: list[Assignment]) -> None:
    assert rights_at(Holdings(replace(ME, disabled=True), tuple(own)), NOW) == ()
    assert rights_at(None, NOW) == ()
