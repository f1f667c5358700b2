"""People, roles and delegations as rows, and what their journal entries say: identifiers and dates, no name, no address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Table

from signer.journal.ledger import rfc3339
from signer.journal.model import NoteKind
from signer.model import Role
from signer.people.client import Window
from signer.people.person import Assignment, Delegation, Person, Scope
from signer.store import people_tables as tables
from signer.store.statements import ManyRows, inserting
from signer.store.times import microseconds, moment_or_none

_T = TypeVar("_T")
Detail = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Noun(Generic[_T]):
    """How one kind of value is kept. made, changed: what its entries are called.

    row: its columns in the table's order, the primary key first. detail: of an entry, from the value before (None when it is new) and the
    value after. added: many new rows in one statement.
    """

    table: Table
    key: ColumnElement[Any]
    name: str
    made: NoteKind
    changed: NoteKind
    row: Callable[[_T], dict[str, Any]]
    value: Callable[[Any], _T]
    detail: Callable[[_T | None, _T], Detail]
    id_of: Callable[[_T], str]
    added: ManyRows


def in_us(time: datetime | None) -> int | None:
    """A time's column."""
    return None if time is None else microseconds(time)


def _person_row(value: Person) -> dict[str, Any]:
    return {
        "person_id": value.id,
        "display_name": value.display_name,
        "email": value.email,
        "disabled": value.disabled,
        "version": int(value.etag),
    }


def _person(row: Any) -> Person:
    return Person(row.person_id, row.display_name, row.email, row.disabled, str(row.version))


def _person_detail(before: Person | None, after: Person) -> Detail:
    detail: Detail = {"disabled": int(after.disabled)}
    if before is not None:
        names = ("display_name", "email", "disabled")
        detail["changed"] = ",".join(name for name in names if getattr(before, name) != getattr(after, name))
    return detail


def _window_row(valid: Window) -> dict[str, Any]:
    return {"start_us": in_us(valid.start), "end_us": in_us(valid.end)}


def _window(row: Any) -> Window:
    return Window(moment_or_none(row.start_us), moment_or_none(row.end_us))


def _window_detail(valid: Window) -> Detail:
    bounds: Mapping[str, datetime | None] = {"from": valid.start, "until": valid.end}
    return {name: rfc3339(bound) for name, bound in bounds.items() if bound is not None}


def _assignment_row(value: Assignment) -> dict[str, Any]:
    scope = value.scope
    return {
        "assignment_id": value.id,
        "person_id": value.person_id,
        "role": value.role.value,
        "school_id": scope.school_id,
        "school_year": scope.school_year,
        "class_id": scope.class_id,
        "subject_id": scope.subject_id,
        **_window_row(value.valid),
    }


def _assignment(row: Any) -> Assignment:
    scope = Scope(row.school_id, row.school_year, row.class_id, row.subject_id)
    return Assignment(row.assignment_id, row.person_id, Role(row.role), scope, _window(row))


def _assignment_detail(_before: Assignment | None, after: Assignment) -> Detail:
    scope = after.scope
    named: Detail = {"class": scope.class_id, "subject": scope.subject_id, "year": scope.school_year}
    return {
        "person": after.person_id,
        "role": after.role.value,
        "school": scope.school_id,
        **{name: value for name, value in named.items() if value},
        **_window_detail(after.valid),
    }


def _delegation_row(value: Delegation) -> dict[str, Any]:
    return {
        "delegation_id": value.id,
        "from_person_id": value.from_person_id,
        "to_person_id": value.to_person_id,
        "role": value.role.value,
        "school_id": value.school_id,
        "class_ids": _listed(value.class_ids),
        "subject_ids": _listed(value.subject_ids),
        **_window_row(value.valid),
        "reason": value.reason,
    }


def _listed(names: frozenset[str]) -> str:
    return json.dumps(sorted(names), ensure_ascii=False)


def _delegation(row: Any) -> Delegation:
    return Delegation(
        row.delegation_id,
        row.from_person_id,
        row.to_person_id,
        Role(row.role),
        row.school_id,
        frozenset(json.loads(row.class_ids)),
        frozenset(json.loads(row.subject_ids)),
        _window(row),
        row.reason,
    )


def _delegation_detail(_before: Delegation | None, after: Delegation) -> Detail:
    return {
        "actingFor": after.from_person_id,
        "person": after.to_person_id,
        "role": after.role.value,
        "school": after.school_id,
        "classes": ",".join(sorted(after.class_ids)),
        "subjects": ",".join(sorted(after.subject_ids)),
        "reason": after.reason,
        **_window_detail(after.valid),
    }


PERSON: Final = Noun(
    tables.person,
    tables.person.c.person_id,
    "person",
    NoteKind.PERSON_ADDED,
    NoteKind.PERSON_CHANGED,
    _person_row,
    _person,
    _person_detail,
    attrgetter("id"),
    inserting(tables.person),
)
ASSIGNMENT: Final = Noun(
    tables.assignment,
    tables.assignment.c.assignment_id,
    "assignment",
    NoteKind.ROLE_GIVEN,
    NoteKind.ROLE_CHANGED,
    _assignment_row,
    _assignment,
    _assignment_detail,
    attrgetter("id"),
    inserting(tables.assignment),
)
DELEGATION: Final = Noun(
    tables.delegation,
    tables.delegation.c.delegation_id,
    "delegation",
    NoteKind.DELEGATION_MADE,
    NoteKind.DELEGATION_CHANGED,
    _delegation_row,
    _delegation,
    _delegation_detail,
    attrgetter("id"),
    inserting(tables.delegation),
)
