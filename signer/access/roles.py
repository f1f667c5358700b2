"""Which roles a person has at a moment, in their own name and for others. Pure: `at` is an argument.

A delegation lends what the absent person has, or had: who left has no role any more, and their work must be finished by somebody whom the
record names. It never lends more than its own classes, subjects and dates, and what was lent can't be lent on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from signer.errors import RoleRefused
from signer.model import Role
from signer.people.person import Assignment, Delegation, Holdings, Right, Scope

SCHOOLLESS_ROLES = frozenset({Role.DEPARTMENT_OFFICER, Role.OPERATOR, Role.AUDITOR})
"""Of the Department and the appliance: they hold for every school."""


def rights_at(holdings: Holdings | None, at: datetime) -> tuple[Right, ...]:
    """All that the person may do at the moment; nothing for a disabled or unknown one. Scopes are narrowed to what is lent."""
    if holdings is None or holdings.person.disabled:
        return ()
    person_id = holdings.person.id
    own = (Right(person_id, each.role, each) for each in holdings.assignments if each.valid.holds_at(at))
    lent = (
        Right(person_id, narrowed.role, narrowed, delegation)
        for delegation in holdings.delegations
        if delegation.valid.holds_at(at)
        for narrowed in _lent(delegation, holdings.lent, at)
    )
    return (*own, *lent)


def find_right(rights: Iterable[Right], role: Role, scope: Scope, delegation_id: str = "") -> Right | None:
    """The right that covers the whole scope, under this delegation, or with none in the person's own name."""
    return next((right for right in of_role(rights, role, delegation_id) if right.assignment.scope.covers(scope)), None)


def of_role(rights: Iterable[Right], role: Role, delegation_id: str = "") -> Sequence[Right]:
    """The rights in one role, under this delegation, or with none in the person's own name."""
    return [right for right in rights if right.role is role and _delegation_of(right) == delegation_id]


def role_refused(person_id: str, role: Role, delegation_id: str = "") -> RoleRefused:
    """The same for everybody who may not, unknown people included."""
    how = f" under delegation {delegation_id}" if delegation_id else ""
    return RoleRefused(
        f"person {person_id} may not act as {role.value}{how} for this school, year, class and subject now; "
        "`signer people show` lists what they may",
        person=person_id,
        role=role.value,
    )


def _delegation_of(right: Right) -> str:
    return right.delegation.id if right.delegation else ""


def _lent(delegation: Delegation, lent: Iterable[Assignment], at: datetime) -> Iterator[Assignment]:
    for assignment in lent:
        is_meant = (assignment.person_id, assignment.role) == (delegation.from_person_id, delegation.role)
        has_begun = assignment.valid.start is None or assignment.valid.start <= at
        if is_meant and has_begun and assignment.scope.school_id == delegation.school_id:
            for scope in _narrowed(assignment.scope, delegation):
                yield replace(assignment, scope=scope)


def _narrowed(scope: Scope, delegation: Delegation) -> Iterator[Scope]:
    for class_id in _both(scope.class_id, delegation.class_ids):
        for subject_id in _both(scope.subject_id, delegation.subject_ids):
            yield replace(scope, class_id=class_id, subject_id=subject_id)


def _both(held: str, lent: frozenset[str]) -> Sequence[str]:
    """What is in both, where nothing named means every one."""
    if not lent:
        return (held,)
    if not held:
        return sorted(lent)
    return (held,) if held in lent else ()
