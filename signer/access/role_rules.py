"""What a person, a role and a delegation must look like. Pure; each raises InvalidArgument, which names the field."""

from __future__ import annotations

from typing import Final

from signer.access.roles import SCHOOLLESS_ROLES
from signer.errors import InvalidArgument
from signer.model import Role
from signer.people.client import Window
from signer.people.person import Assignment, Delegation, Person

NAME_CHARACTERS_MAX: Final = 200
EMAIL_CHARACTERS_MAX: Final = 254
REASON_CHARACTERS_MAX: Final = 300
PERSONAL_NUMBER_DIGITS: Final = 12
_SCHOOL_YEARS: Final = range(2000, 2200)
LENDABLE_ROLES: Final = frozenset(Role) - SCHOOLLESS_ROLES


def require_person(person: Person) -> Person:
    """The same. Its id is no personal number: it stands in the journal, which is kept for good."""
    if person.id.isdecimal() and len(person.id) == PERSONAL_NUMBER_DIGITS:
        raise InvalidArgument("person_id looks like a personal number; choose an id of the Department's own", field="person.person_id")
    _require_line(person.display_name, NAME_CHARACTERS_MAX, "person.display_name")
    if not person.display_name:
        raise InvalidArgument("person.display_name is required: the name as it stands in certificates", field="person.display_name")
    _require_line(person.email, EMAIL_CHARACTERS_MAX, "person.email")
    if person.email and ("@" not in person.email.strip("@") or " " in person.email):
        raise InvalidArgument("person.email is no address; leave it empty if there is none", field="person.email")
    return person


def require_assignment(assignment: Assignment) -> Assignment:
    """The same, if the role goes with its school, class and subject."""
    role, scope = assignment.role, assignment.scope
    if not scope.school_id and role not in SCHOOLLESS_ROLES:
        raise InvalidArgument(f"a {role.value} needs assignment.school_id", field="assignment.school_id")
    if role is Role.HOMEROOM_TEACHER and not scope.class_id:
        raise InvalidArgument("a homeroom-teacher needs assignment.class_id", field="assignment.class_id")
    if role is Role.SUBJECT_TEACHER and not scope.subject_id:
        raise InvalidArgument("a subject-teacher needs assignment.subject_id", field="assignment.subject_id")
    if scope.school_year and scope.school_year not in _SCHOOL_YEARS:
        raise InvalidArgument("assignment.school_year is the first calendar year, such as 2025", field="assignment.school_year")
    _require_window(assignment.valid, "assignment.valid")
    return assignment


def require_delegation(delegation: Delegation) -> Delegation:
    """The same, if it lends a school's role to somebody else, for a time that ends."""
    if delegation.from_person_id == delegation.to_person_id:
        raise InvalidArgument("nobody acts for themselves", field="delegation.to_person_id")
    if delegation.role not in LENDABLE_ROLES:
        raise InvalidArgument(f"{delegation.role.value} is not acted in for another", field="delegation.role")
    if not delegation.school_id:
        raise InvalidArgument("delegation.school_id is required", field="delegation.school_id")
    if delegation.valid.end is None:
        raise InvalidArgument("delegation.valid.end_time is required: until when", field="delegation.valid")
    _require_window(delegation.valid, "delegation.valid")
    _require_line(delegation.reason, REASON_CHARACTERS_MAX, "delegation.reason")
    return delegation


def _require_window(valid: Window, field: str) -> None:
    if valid.start is not None and valid.end is not None and valid.end <= valid.start:
        raise InvalidArgument(f"{field} ends before it begins", field=field)


def _require_line(text: str, characters_max: int, field: str) -> None:
    if len(text) > characters_max or not text.isprintable() or text != text.strip():
        raise InvalidArgument(f"{field} must be one line of at most {characters_max} characters", field=field)
