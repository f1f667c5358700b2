"""Who must agree to what, where nobody has set anything else: the regulations' part, and what an appliance begins with.

Corrections and recalls are the regulations'. A lock date that has passed is the Department's. A locked person is let in again by two
operators. For the rest an appliance begins without people, so nobody is asked: once a policy asks for somebody, it is changed only when
those agree whom the policy for changes names, or itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from signer.access.approval_words import step_title
from signer.errors import InvalidArgument
from signer.model import Role
from signer.people.approval import ApprovalKind, ApprovalPolicy, ApprovalStep

_TEACHERS: Final = frozenset({Role.SUBJECT_TEACHER, Role.HOMEROOM_TEACHER})
_LEADERS: Final = frozenset({Role.PRINCIPAL, Role.VICE_PRINCIPAL})
_SCHOOL: Final = frozenset({Role.VICE_PRINCIPAL, Role.CLERK, Role.ACADEMIC_STAFF, Role.SCHOOL_ADMINISTRATOR})
_DEPARTMENT: Final = frozenset({Role.DEPARTMENT_OFFICER})
_OPERATOR: Final = frozenset({Role.OPERATOR})

ASKERS: Final[Mapping[ApprovalKind, frozenset[Role]]] = {ApprovalKind.CORRECTION: _TEACHERS, ApprovalKind.RECALL: _LEADERS}
"""Who may ask, where the regulations say it; for other kinds anybody may."""
OF_RECORDS: Final = frozenset(ASKERS)
"""Asked for by RecordService, with the record's state."""

STEPS_MAX: Final = 8
LIFETIME_MAX: Final = timedelta(days=366)
_BUILT_IN: Final = {
    policy.kind: policy
    for policy in (
        # The teacher's reason begins it; the principal approves, the school confirms, the superior level has its report.
        ApprovalPolicy(ApprovalKind.CORRECTION, roles=(frozenset({Role.PRINCIPAL}), _SCHOOL, _DEPARTMENT), lifetime=timedelta(days=30)),
        # The school asks, the Department decides.
        ApprovalPolicy(ApprovalKind.RECALL, roles=(_DEPARTMENT,), lifetime=timedelta(days=30)),
        ApprovalPolicy(ApprovalKind.CALENDAR_CHANGE, roles=(_DEPARTMENT,)),
        ApprovalPolicy(ApprovalKind.FACTOR_UNLOCK, roles=(_OPERATOR, _OPERATOR), lifetime=timedelta(days=1)),
    )
}
_TO_CHANGE_THE_REGULATIONS: Final = (_DEPARTMENT,)


def built_in(kind: ApprovalKind) -> ApprovalPolicy:
    """What holds where nobody has set anything."""
    policy = _BUILT_IN.get(kind, ApprovalPolicy(kind))
    return ApprovalPolicy(kind, roles=policy.roles, lifetime=policy.lifetime, is_built_in=True)


def policy_in_force(kind: ApprovalKind, school_id: str, stored: Iterable[ApprovalPolicy]) -> ApprovalPolicy:
    """The school's own, else the one for all schools, else the built-in one. stored: the kind's policies, of whatever school."""
    by_school = {policy.school_id: policy for policy in stored if policy.kind is kind}
    return by_school.get(school_id) or by_school.get("") or built_in(kind)


def policy_for_change(present: ApprovalPolicy, changes: ApprovalPolicy) -> ApprovalPolicy:
    """Who must agree before `present` is changed. changes: the policy in force for POLICY_CHANGE."""
    if changes.roles:
        return changes
    roles = _TO_CHANGE_THE_REGULATIONS if present.is_built_in and present.kind in OF_RECORDS else present.roles
    return ApprovalPolicy(ApprovalKind.POLICY_CHANGE, present.school_id, roles)


def require_sound(policy: ApprovalPolicy) -> None:
    """InvalidArgument for a policy that can't be kept, or is less than the regulations ask."""
    if policy.kind in OF_RECORDS and not policy.roles:
        raise InvalidArgument(f"{policy.kind.value} can't be without steps: the regulations ask for them", field="policy.steps")
    if len(policy.roles) > STEPS_MAX or any(not roles for roles in policy.roles):
        raise InvalidArgument(f"policy.steps must be at most {STEPS_MAX}, each with a role at least", field="policy.steps")
    if not timedelta(minutes=1) <= policy.lifetime <= LIFETIME_MAX:
        raise InvalidArgument(f"policy.lifetime must be from a minute to {LIFETIME_MAX.days} days", field="policy.lifetime")
    if policy.count_above and policy.kind is not ApprovalKind.SEAL_ABOVE_COUNT:
        raise InvalidArgument("policy.count_above is for SEAL_ABOVE_COUNT", field="policy.count_above")


def bounds_of_change(policy: ApprovalPolicy) -> dict[str, str]:
    """A policy as the bounds of the approval that changes it: whoever agrees sees all of it."""
    return {
        "steps": ",".join("|".join(sorted(role.value for role in roles)) for roles in policy.roles),
        "lifetimeS": str(int(policy.lifetime.total_seconds())),
        "countAbove": str(policy.count_above),
    }


def steps_of(policy: ApprovalPolicy) -> tuple[ApprovalStep, ...]:
    """Its steps, undecided, each with its title in Vietnamese."""
    return tuple(ApprovalStep(roles, step_title(policy.kind, roles)) for roles in policy.roles)
