"""A Department's people and roles as rows, held against those that are there: what each row would change, and what is wrong with it. Pure.

Rules of an import:
- What a row leaves empty of a person stays as it is; `disabled` can be set by a row, and is taken back by an operator alone.
- A role is the same one when person, role, school, year, class and subject are. A row without a beginning leaves the beginning as it is; a
  role that has ended begins anew, now.
- Of schools and school years that the rows name, roles that they don't have end now, where that is asked for.
- All or nothing: `Difference.revision` is to be applied only when no row was refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Final

from signer.access.role_rules import require_assignment, require_person
from signer.errors import InvalidArgument, SignerError
from signer.model import Role
from signer.people.client import Window
from signer.people.person import Assignment, Person, Scope
from signer.people.revision import PeopleRevision, Revised

_ID_BYTES: Final = 10
_NOTHING: Final = "–"
_RoleKey = tuple[str, Role, Scope]


class RowEffect(Enum):
    """What a row does; the contract's RowEffect has the same names."""

    UNCHANGED = "unchanged"
    CREATE = "create"
    UPDATE = "update"
    END = "end"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """One row of the file. line: from 1. assignment: its id is ignored; None: the person alone."""

    line: int
    person: Person
    assignment: Assignment | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a row does. line: 0 for a role that the rows don't have. changes: `field: old → new`. error: why it is refused."""

    line: int
    effect: RowEffect
    person_id: str
    changes: tuple[str, ...] = ()
    error: SignerError | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What is there: the rows' people with all their roles; where roles are to end, all roles of the rows' schools as well."""

    people: Mapping[str, Person]
    assignments: Sequence[Assignment]


@dataclass(frozen=True, slots=True)
class Difference:
    """Every row's result in order, then the roles that end; and what makes it so."""

    results: tuple[RowResult, ...]
    revision: PeopleRevision

    @property
    def is_refused(self) -> bool:
        """Whether some row was refused, so that nothing may be applied."""
        return any(result.effect is RowEffect.REFUSED for result in self.results)


def difference(rows: Iterable[ImportedRow], present: Present, now: datetime, *, end_missing: bool) -> Difference:
    """What the rows would change of what is there."""
    comparison = _Comparison(present, now)
    results = [comparison.take(row) for row in rows]
    if end_missing:
        results += comparison.end_missing()
    return Difference(tuple(results), comparison.revision())


@dataclass(slots=True)
class _Comparison:
    present: Present
    now: datetime
    people: dict[str, tuple[int, Revised[Person]]] = field(default_factory=dict)
    roles: dict[_RoleKey, tuple[int, Revised[Assignment]]] = field(default_factory=dict)
    ended: list[Revised[Assignment]] = field(default_factory=list)
    _there: dict[_RoleKey, list[Assignment]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for assignment in self.present.assignments:
            self._there.setdefault(_key(assignment), []).append(assignment)

    def take(self, row: ImportedRow) -> RowResult:
        """One row; a refused one changes nothing of what later rows are held against."""
        try:
            person, changes = self._person(row)
            role = None if row.assignment is None else self._role(row, row.assignment)
        except SignerError as error:
            return RowResult(row.line, RowEffect.REFUSED, row.person.id, error=error)
        is_new = row.person.id not in self.people and person.before is None
        self.people.setdefault(row.person.id, (row.line, person))
        if role is not None:
            self.roles[_key(role.after)] = (row.line, role)
            changes += _role_changes(role)
            is_new = is_new or role.before is None
        if not changes:
            return RowResult(row.line, RowEffect.UNCHANGED, row.person.id)
        return RowResult(row.line, RowEffect.CREATE if is_new else RowEffect.UPDATE, row.person.id, tuple(changes))

    def end_missing(self) -> Iterator[RowResult]:
        """Roles of the rows' schools and years that no row has."""
        named = {(scope.school_id, scope.school_year) for _person, _role, scope in self.roles}
        kept = {role.before.id for _line, role in self.roles.values() if role.before is not None}
        for assignment in self.present.assignments:
            scope, valid = assignment.scope, assignment.valid
            has_ended = valid.end is not None and valid.end <= max(self.now, valid.start or self.now)
            if has_ended or assignment.id in kept or (scope.school_id, scope.school_year) not in named:
                continue
            end = max(self.now, valid.start or self.now)
            after = replace(assignment, valid=replace(valid, end=end))
            self.ended.append(Revised(after, assignment))
            change = f"{_role_name(assignment)}: {_time(valid.end)} → {_time(end)}"
            yield RowResult(0, RowEffect.END, assignment.person_id, (change,))

    def revision(self) -> PeopleRevision:
        """All that changes."""
        roles = [revised for _line, revised in self.roles.values()] + self.ended
        return PeopleRevision(
            people=[revised for _line, revised in self.people.values() if revised.after != revised.before],
            assignments=[revised for revised in roles if revised.after != revised.before],
        )

    def _person(self, row: ImportedRow) -> tuple[Revised[Person], list[str]]:
        said = self.people.get(row.person.id)
        if said is not None:
            line, earlier = said
            other = _first_difference(earlier.after, _merged(earlier.after, row.person))
            if other:
                raise InvalidArgument(f"person.{other} differs from line {line}, which has the same person", field=f"person.{other}")
            return earlier, []
        before = self.present.people.get(row.person.id)
        after = require_person(_merged(before, row.person))
        if before is None:
            return Revised(replace(after, etag="1")), [f"person: {_NOTHING} → {after.display_name}"]
        if after == before:
            return Revised(before, before), []
        changes = [
            f"{name}: {getattr(before, name) or _NOTHING} → {getattr(after, name)}"
            for name in ("display_name", "email", "disabled")
            if getattr(before, name) != getattr(after, name)
        ]
        return Revised(replace(after, etag=str(int(before.etag) + 1)), before), changes

    def _role(self, row: ImportedRow, assignment: Assignment) -> Revised[Assignment]:
        wanted = require_assignment(assignment)
        if wanted.person_id != row.person.id:
            raise InvalidArgument("assignment.person_id is not the row's person", field="assignment.person_id")
        if (said := self.roles.get(_key(wanted))) is not None:
            raise InvalidArgument(f"the same role stands in line {said[0]}", field="assignment")
        before = self._in_force(wanted)
        if before is not None:
            valid = Window(wanted.valid.start or before.valid.start, wanted.valid.end)
            return Revised(require_assignment(replace(before, valid=valid)), before)
        begins_anew = _key(wanted) in self._there
        start = wanted.valid.start or (self.now if begins_anew else None)
        made = replace(wanted, id=f"role-{secrets.token_hex(_ID_BYTES)}", valid=Window(start, wanted.valid.end))
        return Revised(require_assignment(made))

    def _in_force(self, wanted: Assignment) -> Assignment | None:
        """The role that the row is about: one that ends as the row says, else the first that has not ended."""
        there = self._there.get(_key(wanted), [])
        same = (each for each in there if each.valid.end == wanted.valid.end)
        going_on = (each for each in there if each.valid.end is None or each.valid.end > self.now)
        return next(same, None) or next(going_on, None)


def _merged(before: Person | None, row: Person) -> Person:
    if before is None:
        return replace(row, etag="")
    return replace(
        before,
        display_name=row.display_name or before.display_name,
        email=row.email or before.email,
        disabled=row.disabled or before.disabled,
    )


def _first_difference(one: Person, other: Person) -> str:
    return next((name for name in ("display_name", "email", "disabled") if getattr(one, name) != getattr(other, name)), "")


def _key(assignment: Assignment) -> _RoleKey:
    return assignment.person_id, assignment.role, assignment.scope


def _role_changes(role: Revised[Assignment]) -> list[str]:
    name = _role_name(role.after)
    if role.before is None:
        return [f"role: {_NOTHING} → {name}"]
    before, after = role.before.valid, role.after.valid
    bounds = (("from", before.start, after.start), ("until", before.end, after.end))
    return [f"{name}, {bound}: {_time(old)} → {_time(new)}" for bound, old, new in bounds if old != new]


def _role_name(assignment: Assignment) -> str:
    scope = assignment.scope
    parts = (assignment.role.value, scope.school_id, str(scope.school_year or ""), scope.class_id, scope.subject_id)
    return " ".join(part for part in parts if part)


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else _NOTHING
