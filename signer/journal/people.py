"""The people that the appliance knows, their roles, and who acts for whom: rows that change together with their journal entry."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from signer.errors import ChangedMeanwhile, IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.people_rows import ASSIGNMENT, DELEGATION, PERSON, Noun
from signer.model import Role
from signer.people.person import Assignment, Delegation, Holdings, Person
from signer.people.revision import PeopleRevision, Revised
from signer.store import people_tables as tables
from signer.store.times import microseconds

_T = TypeVar("_T")
_IDS_AT_ONCE: Final = 500
_SCHOOLS_AT_ONCE: Final = 5


@dataclass(frozen=True, slots=True)
class RoleFilter:
    """Which roles, delegations, or people by a role of theirs. Empty or None: any. after: the last id of the page before."""

    after: str = ""
    school_id: str = ""
    person_id: str = ""
    role: Role | None = None
    valid_at: datetime | None = None


class PeopleStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def find(self, person_id: str) -> Person | None:
        """The person of this id."""
        return (await self.find_all([person_id])).get(person_id)

    async def find_all(self, person_ids: Collection[str]) -> dict[str, Person]:
        """Those of these ids that there are."""
        return {each.id: each for each in await self._of(PERSON, PERSON.key, person_ids)}

    async def holdings(self, person_id: str) -> Holdings | None:
        """The person with all that decides what they may do; None when there is none."""
        found: Holdings | None = await self._run(lambda connection: _holdings(connection, person_id))
        return found

    async def assignments_of(self, person_ids: Collection[str]) -> list[Assignment]:
        """All roles of these people, past ones included."""
        return await self._of(ASSIGNMENT, tables.assignment.c.person_id, person_ids)

    async def assignments_in(self, school_ids: Collection[str]) -> list[Assignment]:
        """All roles in these schools, past ones included."""
        return await self._of(ASSIGNMENT, tables.assignment.c.school_id, school_ids, at_once=_SCHOOLS_AT_ONCE)

    async def people(self, wanted: RoleFilter, limit: int) -> list[Person]:
        """Up to `limit` people by id; with a school or role, those who have it by an assignment."""
        table = tables.assignment
        roles = [table.c.person_id == PERSON.key, *_role_conditions(table, wanted)]
        where = [exists().where(*roles)] if len(roles) > 1 else []
        return await self._page(PERSON, where, wanted, limit)

    async def assignments(self, wanted: RoleFilter, limit: int) -> list[Assignment]:
        """Up to `limit` roles by id."""
        table = tables.assignment
        where = _role_conditions(table, wanted)
        if wanted.person_id:
            where.append(table.c.person_id == wanted.person_id)
        return await self._page(ASSIGNMENT, where, wanted, limit)

    async def delegations(self, wanted: RoleFilter, limit: int) -> list[Delegation]:
        """Up to `limit` delegations by id; person_id: from or to whom."""
        table = tables.delegation
        where = _role_conditions(table, wanted)
        if wanted.person_id:
            where.append(or_(table.c.from_person_id == wanted.person_id, table.c.to_person_id == wanted.person_id))
        return await self._page(DELEGATION, where, wanted, limit)

    async def find_assignment(self, assignment_id: str) -> Assignment | None:
        """The role of this id."""
        return await self._one(ASSIGNMENT, assignment_id)

    async def find_delegation(self, delegation_id: str) -> Delegation | None:
        """The delegation of this id."""
        return await self._one(DELEGATION, delegation_id)

    async def revise(self, client_id: str, revision: PeopleRevision) -> None:
        """Adds and replaces rows, journalled, all or nothing.

        Raises:
            IdTaken: a new row's id has one.
            ChangedMeanwhile: a row is no longer what its change is from.
            JournalUnavailable: not written.
        """
        await self._journal.run(_Revise(asyncio.get_running_loop(), client_id, revision))

    async def _of(self, noun: Noun[_T], column: ColumnElement[Any], keys: Collection[str], at_once: int = _IDS_AT_ONCE) -> list[_T]:
        """In portions, so that signing goes on beside a Department's import."""
        found: list[_T] = []
        wanted = sorted(keys)
        for start in range(0, len(wanted), at_once):
            some = wanted[start : start + at_once]
            found += await self._run(partial(_of_keys, noun=noun, column=column, keys=some))
        return found

    async def _one(self, noun: Noun[_T], key: str) -> _T | None:
        found: list[_T] = await self._run(lambda connection: _of_keys(connection, noun, noun.key, [key]))
        return found[0] if found else None

    async def _page(self, noun: Noun[_T], where: Sequence[ColumnElement[bool]], wanted: RoleFilter, limit: int) -> list[_T]:
        query = select(noun.table).where(*where, noun.key > wanted.after).order_by(noun.key).limit(limit)
        found: list[_T] = await self._run(lambda connection: [noun.value(row) for row in connection.execute(query)])
        return found

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Revise(Change):
    """Everything is looked at before anything is written."""

    __slots__ = ("client_id", "revision")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, revision: PeopleRevision) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.revision = revision

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        revision = self.revision
        _require_as_before(connection, PERSON, revision.people)
        _require_as_before(connection, ASSIGNMENT, revision.assignments)
        _require_as_before(connection, DELEGATION, revision.delegations)
        self._write(connection, ledger, PERSON, revision.people)
        self._write(connection, ledger, ASSIGNMENT, revision.assignments)
        self._write(connection, ledger, DELEGATION, revision.delegations)

    def _write(self, connection: Connection, ledger: Ledger, noun: Noun[_T], changes: Sequence[Revised[_T]]) -> None:
        noun.added.execute(connection, [tuple(noun.row(change.after).values()) for change in changes if change.before is None])
        for change in changes:
            key = noun.id_of(change.after)
            if change.before is not None:
                connection.execute(update(noun.table).where(noun.key == key).values(noun.row(change.after)))
            kind = noun.made if change.before is None else noun.changed
            detail: dict[str, str | int] = {"client": self.client_id, **noun.detail(change.before, change.after)}
            ledger.note(kind, key, detail)


def _require_as_before(connection: Connection, noun: Noun[_T], changes: Sequence[Revised[_T]]) -> None:
    keys = [noun.id_of(change.after) for change in changes]
    there = {noun.id_of(value): value for value in _of_keys(connection, noun, noun.key, keys)}
    for key, change in zip(keys, changes, strict=True):
        if change.before is None and key in there:
            raise IdTaken(f"there is a {noun.name} {key!r} already", id=key)
        if change.before is not None and there.get(key) != change.before:
            raise ChangedMeanwhile(f"{noun.name} {key} was changed by another at the same time", id=key)


def _of_keys(connection: Connection, noun: Noun[_T], column: ColumnElement[Any], keys: Collection[str]) -> list[_T]:
    found: list[_T] = []
    wanted = sorted(keys)
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        query = select(noun.table).where(column.in_(wanted[start : start + _IDS_AT_ONCE])).order_by(noun.key)
        found += [noun.value(row) for row in connection.execute(query)]
    return found


def _holdings(connection: Connection, person_id: str) -> Holdings | None:
    people = _of_keys(connection, PERSON, PERSON.key, [person_id])
    if not people:
        return None
    own = _of_keys(connection, ASSIGNMENT, tables.assignment.c.person_id, [person_id])
    delegations = _of_keys(connection, DELEGATION, tables.delegation.c.to_person_id, [person_id])
    lent = _of_keys(connection, ASSIGNMENT, tables.assignment.c.person_id, {each.from_person_id for each in delegations})
    return Holdings(people[0], tuple(own), tuple(delegations), tuple(lent))


def _role_conditions(table: Any, wanted: RoleFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.school_id:
        found.append(table.c.school_id == wanted.school_id)
    if wanted.role is not None:
        found.append(table.c.role == wanted.role.value)
    if wanted.valid_at is not None:
        at_us = microseconds(wanted.valid_at)
        started = or_(table.c.start_us.is_(None), table.c.start_us <= at_us)
        found.append(and_(started, or_(table.c.end_us.is_(None), table.c.end_us > at_us)))
    return found
