"""Between messages and values: people, roles, delegations, and the rows of an import."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from google.rpc import status_pb2

from signer.access.department import ImportedRow, RowEffect, RowResult
from signer.access.role_rules import require_assignment, require_delegation
from signer.errors import InvalidArgument, SignerError
from signer.model import Role
from signer.people.client import ALWAYS, Window
from signer.people.factor import FactorKind, FactorsStanding, FactorsState
from signer.people.person import Assignment, Delegation, Person, Scope
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.convert_keys import moment
from signer.v1 import admin_people_pb2, authorization_pb2, common_pb2

_STATE_NUMBERS: Final[dict[FactorsState, Any]] = {
    state: admin_people_pb2.FactorsState.Value(f"FACTORS_STATE_{state.name}") for state in FactorsState
}
_STATES: Final[dict[int, FactorsState]] = {number: state for state, number in _STATE_NUMBERS.items()}
_KIND_NUMBERS: Final[dict[FactorKind, Any]] = {kind: authorization_pb2.FactorKind.Value(f"FACTOR_KIND_{kind.name}") for kind in FactorKind}
_EFFECT_NUMBERS: Final[dict[RowEffect, Any]] = {
    effect: admin_people_pb2.RowEffect.Value(f"ROW_EFFECT_{effect.name}") for effect in RowEffect
}
_NAME_MAX: Final = 128
_NAMES_MAX: Final = 200


def person(message: admin_people_pb2.Person) -> Person:
    """A person as they are wanted, the etag as it came; what the words must be is `access.role_rules`' to say."""
    person_id = convert.identifier(message.person_id, "person.person_id")
    return Person(person_id, message.display_name, message.email, message.disabled, message.etag)


def person_message(value: Person, standing: FactorsStanding) -> admin_people_pb2.Person:
    """A person as they are."""
    return admin_people_pb2.Person(
        person_id=value.id,
        display_name=value.display_name,
        email=value.email,
        disabled=value.disabled,
        factors_state=_STATE_NUMBERS[standing.state],
        factors=sorted(_KIND_NUMBERS[kind] for kind in standing.kinds),
        etag=value.etag,
    )


def factors_state(number: int) -> FactorsState | None:
    """The state to list; None for any."""
    if number and number not in _STATES:
        raise InvalidArgument(f"factors_state {number} is not one of this contract", field="factors_state")
    return _STATES.get(number)


def role(number: int, field: str) -> Role:
    """A required role."""
    if number not in convert.ROLES:
        raise InvalidArgument(f"{field} is required", field=field)
    return convert.ROLES[number]


def role_filter(number: int) -> Role | None:
    """The role to list; None for any."""
    return role(number, "role") if number else None


def assignment(message: admin_people_pb2.Assignment) -> Assignment:
    """A role as it is wanted, its id left out; InvalidArgument names what is wrong with it."""
    field = "assignment"
    scope = Scope(
        convert.identifier(message.school_id, f"{field}.school_id") if message.school_id else "",
        message.school_year,
        _name(message.class_id, f"{field}.class_id"),
        _name(message.subject_id, f"{field}.subject_id"),
    )
    person_id = convert.identifier(message.person_id, f"{field}.person_id")
    return require_assignment(
        Assignment("", person_id, role(message.role, f"{field}.role"), scope, window(message.valid, f"{field}.valid"))
    )


def assignment_message(value: Assignment) -> admin_people_pb2.Assignment:
    """A role as it is."""
    scope = value.scope
    return admin_people_pb2.Assignment(
        assignment_id=value.id,
        person_id=value.person_id,
        role=convert.ROLE_NUMBERS[value.role],
        school_id=scope.school_id,
        school_year=scope.school_year,
        class_id=scope.class_id,
        subject_id=scope.subject_id,
        valid=window_message(value.valid),
    )


def delegation(message: admin_people_pb2.Delegation) -> Delegation:
    """A delegation as it is wanted, its id left out; InvalidArgument names what is wrong with it."""
    field = "delegation"
    if len(message.class_ids) > _NAMES_MAX or len(message.subject_ids) > _NAMES_MAX:
        raise InvalidArgument(f"{field} names more than {_NAMES_MAX} classes or subjects", field=f"{field}.class_ids")
    return require_delegation(
        Delegation(
            "",
            convert.identifier(message.from_person_id, f"{field}.from_person_id"),
            convert.identifier(message.to_person_id, f"{field}.to_person_id"),
            role(message.role, f"{field}.role"),
            convert.identifier(message.school_id, f"{field}.school_id"),
            frozenset(_name(each, f"{field}.class_ids") for each in message.class_ids),
            frozenset(_name(each, f"{field}.subject_ids") for each in message.subject_ids),
            window(message.valid, f"{field}.valid"),
            message.reason,
        )
    )


def delegation_message(value: Delegation) -> admin_people_pb2.Delegation:
    """A delegation as it is."""
    return admin_people_pb2.Delegation(
        delegation_id=value.id,
        from_person_id=value.from_person_id,
        to_person_id=value.to_person_id,
        role=convert.ROLE_NUMBERS[value.role],
        school_id=value.school_id,
        class_ids=sorted(value.class_ids),
        subject_ids=sorted(value.subject_ids),
        valid=window_message(value.valid),
        reason=value.reason,
    )


def window(message: common_pb2.TimeWindow, field: str) -> Window:
    """An interval; bounds that are not set are none."""
    start = moment(message.start, f"{field}.start") if message.HasField("start") else None
    end = moment(message.end, f"{field}.end") if message.HasField("end") else None
    return ALWAYS if start is None and end is None else Window(start, end)


def window_message(value: Window) -> common_pb2.TimeWindow | None:
    """The same; None for no bounds."""
    if value == ALWAYS:
        return None
    made = common_pb2.TimeWindow()
    for bound, field in ((value.start, made.start), (value.end, made.end)):
        if bound is not None:
            field.FromDatetime(bound)
    return made


def imported_row(message: admin_people_pb2.ImportRow) -> ImportedRow | RowResult:
    """A row, or why it is none. Its role belongs to its person, unless it says otherwise."""
    try:
        wanted = person(message.person)
        if not message.HasField("assignment"):
            return ImportedRow(message.line, wanted)
        given = admin_people_pb2.Assignment()
        given.CopyFrom(message.assignment)
        given.person_id = given.person_id or wanted.id
        return ImportedRow(message.line, wanted, assignment(given))
    except SignerError as error:
        return RowResult(message.line, RowEffect.REFUSED, message.person.person_id[:_NAME_MAX], error=error)


def row_message(result: RowResult) -> admin_people_pb2.ImportPeopleResponse:
    """What one row does."""
    status = status_pb2.Status() if result.error is None else to_rpc_status(result.error)
    row = admin_people_pb2.ImportRowResult(
        line=result.line,
        effect=_EFFECT_NUMBERS[result.effect],
        status=status,
        person_id=result.person_id,
        changes=result.changes,
    )
    return admin_people_pb2.ImportPeopleResponse(row=row)


def end_time(message: Any, now: datetime) -> datetime:
    """When something ends: `end_time`, or now."""
    return moment(message.end_time, "end_time") if message.HasField("end_time") else now


def _name(value: str, field: str) -> str:
    """A class or subject, as records and school software call it."""
    if len(value) > _NAME_MAX or not value.isprintable() or value != value.strip():
        raise InvalidArgument(f"{field} must be one line of at most {_NAME_MAX} characters", field=field)
    return value
