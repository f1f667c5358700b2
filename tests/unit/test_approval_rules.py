"""Laws of four eyes: order, one person one step, none of one's own, time, single use, and what an approval covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.access import approval_policies as policies
from signer.access import approvals as rules
from signer.access.approvals import Act, Statement
from signer.errors import ApprovalEnded, InvalidArgument, RoleRefused, SignerError
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, Decision
from signer.people.person import Assignment, Delegation, Right, Scope

NOW = datetime(2026, 7, 2, 8, tzinfo=UTC)
SCHOOL = "79000001"
PEOPLE = {
    "teacher": Role.HOMEROOM_TEACHER,
    "principal": Role.PRINCIPAL,
    "vice": Role.VICE_PRINCIPAL,
    "clerk": Role.CLERK,
    "officer": Role.DEPARTMENT_OFFICER,
    "operator-1": Role.OPERATOR,
    "operator-2": Role.OPERATOR,
}
_OF_SCHOOL = {Role.DEPARTMENT_OFFICER: "", Role.OPERATOR: ""}


def rights(person_id: str, school_id: str = SCHOOL) -> list[Right]:
    role = PEOPLE[person_id]
    return [Right(person_id, role, Assignment("a", person_id, role, Scope(_OF_SCHOOL.get(role, school_id))))]


def approval(kind: ApprovalKind = ApprovalKind.CORRECTION, requester: str = "teacher", roles: ApprovalPolicy | None = None) -> Approval:
    policy = roles or policies.built_in(kind)
    return Approval(
        "ap-1", kind, SCHOOL, "a-record", requester, "lý do", policies.steps_of(policy), ApprovalState.PENDING, NOW, NOW + policy.lifetime
    )


def say(at: Approval, person_id: str, decision: Decision = Decision.AGREE, now: datetime = NOW) -> Approval:
    statement = Statement(person_id, decision, "không đồng ý" if decision is Decision.REFUSE else "")
    rules.require_step(at, statement, rights(person_id), now)
    return rules.decided(at, statement, now)


@given(said=st.lists(st.tuples(st.sampled_from(sorted(PEOPLE)), st.sampled_from(Decision)), max_size=12))
def test_whatever_people_say_a_grant_has_each_step_from_another_person_in_order(said: list[tuple[str, Decision]]) -> None:
    at = approval()
    for person_id, decision in said:
        try:
            at = say(at, person_id, decision)
        except SignerError:
            continue
    deciders = [step.person_id for step in at.steps if step.decision is not None]
    assert len(set(deciders)) == len(deciders)
    assert "teacher" not in deciders
    assert [step.decision is None for step in at.steps] == sorted(step.decision is None for step in at.steps)
    assert all(PEOPLE[step.person_id] in step.roles for step in at.steps if step.decision is not None)
    if at.state is ApprovalState.GRANTED:
        assert [step.decision for step in at.steps] == [Decision.AGREE] * 3
    if any(step.decision is Decision.REFUSE for step in at.steps):
        assert at.state is ApprovalState.REJECTED


CORRECTIONS = {
    "the principal approves": (("principal",), True),
    "the vice principal approves": (("vice",), False),
    "the school confirms": (("principal", "clerk"), True),
    "the principal confirms too": (("principal", "principal"), False),
    "the teacher who asked confirms": (("principal", "teacher"), False),
    "the Department has the report": (("principal", "clerk", "officer"), True),
    "the school reports to itself": (("principal", "clerk", "vice"), False),
    "nothing is left": (("principal", "clerk", "officer", "vice"), False),
}


@pytest.mark.parametrize(("said", "is_allowed"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_a_correction_needs_these_people_in_this_order(said: tuple[str, ...], is_allowed: bool) -> None:
    at = approval()
    *before, last = said
    for person_id in before:
        at = say(at, person_id)
    if is_allowed:
        assert say(at, last).steps[len(before)].person_id == last
        return
    with pytest.raises((RoleRefused, ApprovalEnded)):
        say(at, last)


def test_who_acts_for_another_or_elsewhere_decides_nothing() -> None:
    at, statement = approval(), Statement("principal", Decision.AGREE)
    with pytest.raises(RoleRefused):
        rules.require_step(at, statement, rights("principal", "79000002"), NOW)
    lent = [replace(right, delegation=Delegation("d", "x", "principal", Role.PRINCIPAL, SCHOOL)) for right in rights("principal")]
    with pytest.raises(RoleRefused):
        rules.require_step(at, statement, lent, NOW)


def test_time_ends_what_is_pending_or_granted_and_nothing_else() -> None:
    at = approval()
    late = at.expires
    with pytest.raises(ApprovalEnded):
        say(at, "principal", now=late)
    for state in ApprovalState:
        ended = rules.as_of(replace(at, state=state), late).state
        assert ended is (ApprovalState.EXPIRED if state in (ApprovalState.PENDING, ApprovalState.GRANTED) else state)
        assert rules.as_of(replace(at, state=state), late - timedelta(microseconds=1)).state is state


def test_a_grant_is_used_once_and_withdrawn_by_the_one_who_asked_only() -> None:
    granted = say(approval(ApprovalKind.RECALL, "principal"), "officer")
    assert granted.state is ApprovalState.GRANTED
    used = rules.used(granted, NOW)
    with pytest.raises(ApprovalEnded):
        rules.used(used, NOW)
    with pytest.raises(ApprovalEnded):
        rules.withdrawn(used, "principal", NOW)
    with pytest.raises(ApprovalEnded):
        rules.used(granted, granted.expires)
    with pytest.raises(RoleRefused):
        rules.withdrawn(granted, "officer", NOW)
    withdrawn = rules.withdrawn(granted, "principal", NOW)
    assert rules.withdrawn(withdrawn, "principal", NOW) == withdrawn
    with pytest.raises(ApprovalEnded):
        rules.used(withdrawn, NOW)


@given(count=st.integers(0, 2000), allowed=st.integers(0, 2000))
def test_an_approval_covers_its_act_up_to_its_count(count: int, allowed: int) -> None:
    at = replace(approval(ApprovalKind.SEAL_ABOVE_COUNT), parameters={rules.COUNT: str(allowed)})
    act = Act(ApprovalKind.SEAL_ABOVE_COUNT, SCHOOL, "a-record", count=count)
    assert rules.covers(at, act) is (count <= allowed)
    for other in (
        replace(act, kind=ApprovalKind.KEY_DESTRUCTION),
        replace(act, school_id=""),
        replace(act, subject="another"),
        replace(act, parameters={"change": "add"}),
    ):
        assert not rules.covers(at, other)


def test_what_factors_are_given_for_is_all_that_is_decided() -> None:
    at = approval()
    others = [
        replace(at, id="ap-2"),
        replace(at, subject="b"),
        replace(at, reason="khác"),
        replace(at, shown="8 → 9"),
        replace(at, parameters={"count": "2"}),
        replace(at, school_id=""),
        say(at, "principal"),
    ]
    purposes = {rules.purpose_of(each, decision) for each in (at, *others) for decision in Decision}
    assert len(purposes) == 2 * (1 + len(others))


def test_an_appliance_begins_without_people_and_a_policy_guards_itself() -> None:
    asked = {kind for kind in ApprovalKind if policies.built_in(kind).roles}
    assert asked == {ApprovalKind.CORRECTION, ApprovalKind.RECALL, ApprovalKind.CALENDAR_CHANGE, ApprovalKind.FACTOR_UNLOCK}
    nobody = policies.built_in(ApprovalKind.POLICY_CHANGE)
    assert not policies.policy_for_change(policies.built_in(ApprovalKind.KEY_DESTRUCTION), nobody).roles
    guarded = ApprovalPolicy(ApprovalKind.KEY_DESTRUCTION, roles=(frozenset({Role.OPERATOR}),) * 2)
    assert policies.policy_for_change(guarded, nobody).roles == guarded.roles
    assert policies.policy_for_change(policies.built_in(ApprovalKind.CORRECTION), nobody).roles == (frozenset({Role.DEPARTMENT_OFFICER}),)
    for kind in policies.OF_RECORDS:
        with pytest.raises(InvalidArgument):
            policies.require_sound(ApprovalPolicy(kind))


def test_a_schools_own_policy_comes_before_the_one_for_all() -> None:
    own = ApprovalPolicy(ApprovalKind.PIN_RELEASE, SCHOOL, (frozenset({Role.OPERATOR}),))
    common = replace(own, school_id="", roles=own.roles * 2)
    stored = [common, own, replace(own, kind=ApprovalKind.TRUST_CHANGE)]
    assert policies.policy_in_force(ApprovalKind.PIN_RELEASE, SCHOOL, stored) == own
    assert policies.policy_in_force(ApprovalKind.PIN_RELEASE, "79000002", stored) == common
    assert policies.policy_in_force(ApprovalKind.KEY_DESTRUCTION, SCHOOL, stored).is_built_in


def test_every_step_has_words_in_vietnamese() -> None:
    for kind in ApprovalKind:
        policy = ApprovalPolicy(kind, roles=tuple(frozenset({role}) for role in Role))
        titles = [step.title for step in policies.steps_of(policy)]
        assert len(set(titles)) == len(titles)
        assert all(title[:1].isupper() for title in titles)
