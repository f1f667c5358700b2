"""Between messages and values of people, on the caller's side."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from signer.access.department import ImportedRow, RowEffect
from signer.client.convert import item_error, moment, name_of
from signer.client.people_values import PersonFile, PersonInfo, RowOutcome
from signer.model import Role
from signer.people.client import ALWAYS, Window
from signer.people.factor import FactorKind, FactorsState
from signer.people.person import Assignment, Delegation, Person, Scope
from signer.v1 import admin_people_pb2, authorization_pb2, common_pb2

_ROLES: Final[dict[int, Role]] = {common_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
_STATES: Final[dict[int, FactorsState]] = {
    admin_people_pb2.FactorsState.Value(f"FACTORS_STATE_{state.name}"): state for state in FactorsState
}
ROLE_NUMBERS: Final[dict[Role | None, Any]] = {None: 0} | {role: number for number, role in _ROLES.items()}
STATE_NUMBERS: Final[dict[FactorsState | None, Any]] = {None: 0} | {state: number for number, state in _STATES.items()}
"""None: any."""
_KINDS: Final[dict[int, FactorKind]] = {authorization_pb2.FactorKind.Value(f"FACTOR_KIND_{kind.name}"): kind for kind in FactorKind}


def person_message(person: Person) -> admin_people_pb2.Person:
    """As it is wanted."""
    return admin_people_pb2.Person(
        person_id=person.id, display_name=person.display_name, email=person.email, disabled=person.disabled, etag=person.etag
    )


def person_info(message: admin_people_pb2.Person) -> PersonInfo:
    """As it is."""
    person = Person(message.person_id, message.display_name, message.email, message.disabled, message.etag)
    kinds = frozenset(_KINDS[number] for number in message.factors if number in _KINDS)
    return PersonInfo(person, _STATES.get(message.factors_state), kinds)


def person_file(message: admin_people_pb2.GetPersonResponse) -> PersonFile:
    """Everything about a person."""
    return PersonFile(
        person_info(message.person),
        tuple(map(assignment, message.assignments)),
        tuple(map(delegation, message.delegations)),
        tuple(message.credential_ids),
    )


def assignment_message(value: Assignment) -> admin_people_pb2.Assignment:
    """As it is wanted."""
    scope = value.scope
    return admin_people_pb2.Assignment(
        person_id=value.person_id,
        role=ROLE_NUMBERS[value.role],
        school_id=scope.school_id,
        school_year=scope.school_year,
        class_id=scope.class_id,
        subject_id=scope.subject_id,
        valid=_window_message(value.valid),
    )


def assignment(message: admin_people_pb2.Assignment) -> Assignment:
    """As it is."""
    scope = Scope(message.school_id, message.school_year, message.class_id, message.subject_id)
    return Assignment(message.assignment_id, message.person_id, _role(message.role), scope, _window(message.valid))


def delegation_message(value: Delegation) -> admin_people_pb2.Delegation:
    """As it is wanted."""
    return admin_people_pb2.Delegation(
        from_person_id=value.from_person_id,
        to_person_id=value.to_person_id,
        role=ROLE_NUMBERS[value.role],
        school_id=value.school_id,
        class_ids=sorted(value.class_ids),
        subject_ids=sorted(value.subject_ids),
        valid=_window_message(value.valid),
        reason=value.reason,
    )


def delegation(message: admin_people_pb2.Delegation) -> Delegation:
    """As it is."""
    return Delegation(
        message.delegation_id,
        message.from_person_id,
        message.to_person_id,
        _role(message.role),
        message.school_id,
        frozenset(message.class_ids),
        frozenset(message.subject_ids),
        _window(message.valid),
        message.reason,
    )


def row_message(row: ImportedRow) -> admin_people_pb2.ImportRow:
    """One row of an import."""
    made = admin_people_pb2.ImportRow(line=row.line, person=person_message(row.person))
    if row.assignment is not None:
        made.assignment.CopyFrom(assignment_message(row.assignment))
    return made


def row_outcome(message: admin_people_pb2.ImportRowResult) -> RowOutcome:
    """What it does."""
    effect = RowEffect[name_of(admin_people_pb2.RowEffect, message.effect, "ROW_EFFECT_")]
    return RowOutcome(message.line, effect, message.person_id, tuple(message.changes), item_error(message.status))


def _role(number: int) -> Role:
    return _ROLES[number]


def _window(message: common_pb2.TimeWindow) -> Window:
    start = moment(message.start) if message.HasField("start") else None
    end = moment(message.end) if message.HasField("end") else None
    return Window(start, end)


def _window_message(value: Window) -> common_pb2.TimeWindow | None:
    if value == ALWAYS:
        return None
    made = common_pb2.TimeWindow()
    bounds: tuple[tuple[datetime | None, Any], ...] = ((value.start, made.start), (value.end, made.end))
    for bound, timestamp in bounds:
        if bound is not None:
            timestamp.FromDatetime(bound)
    return made
