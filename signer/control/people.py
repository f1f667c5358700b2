"""Who has which role, and who acts for whom: `people.doors.Rights`, and what an operator does with people.

What a person may do is remembered for a few seconds, so that a batch or a page costs one look into the store. With every change everything
is forgotten: at once where this daemon made it, else when it is heard of (`forget`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from signer.access.role_rules import require_assignment, require_delegation, require_person
from signer.access.roles import find_right, rights_at, role_refused
from signer.errors import (
    AssignmentNotFound,
    ChangedMeanwhile,
    DelegationNotFound,
    IdTaken,
    InvalidArgument,
    PersonNotFound,
    RequestIdReused,
)
from signer.journal import PeopleStore
from signer.model import Role
from signer.people.client import Window
from signer.people.person import Assignment, Delegation, Holdings, Person, Right, Scope
from signer.people.revision import PeopleRevision, Revised

_REMEMBERED_S: Final = 5.0
_REMEMBERED_MAX: Final = 4096
_ID_BYTES: Final = 10


class People:
    """All of it. clock_s: monotonic. Owned by the event loop; every method raises JournalUnavailable when the store can't be asked."""

    def __init__(self, store: PeopleStore, clock_s: Callable[[], float]) -> None:
        self.store = store
        self._clock_s = clock_s
        self._known: dict[str, tuple[float, Holdings | None]] = {}

    async def find(self, person_id: str) -> Person | None:
        """The person; None when there is none."""
        holdings = await self._holdings(person_id)
        return holdings.person if holdings else None

    async def require(self, person_id: str, role: Role, scope: Scope, at: datetime, delegation_id: str = "") -> Right:
        """That the person may act so, in their own name or under the delegation. RoleRefused otherwise, also for unknown people."""
        right = find_right(await self.held(person_id, at), role, scope, delegation_id)
        if right is None:
            raise role_refused(person_id, role, delegation_id)
        return right

    async def held(self, person_id: str, at: datetime) -> Sequence[Right]:
        """All that the person may do at the moment."""
        return rights_at(await self._holdings(person_id), at)

    async def person(self, person_id: str) -> Person:
        """The person as the store has it; PersonNotFound when there is none."""
        found = await self.store.find(person_id)
        if found is None:
            raise _no_person(person_id)
        return found

    async def add(self, client_id: str, person: Person) -> Person:
        """Adds a person; the same again is returned. IdTaken for another of this id."""
        made = replace(require_person(person), etag="1")
        there = await self.store.find(person.id)
        if there is not None:
            if replace(there, etag="1") == made:
                return there
            raise IdTaken(f"there is another person {person.id!r} already", person=person.id)
        await self._revise(client_id, PeopleRevision(people=[Revised(made)]))
        return made

    async def change(self, client_id: str, person: Person) -> Person:
        """Replaces a person, whose etag must be the row's. Raises PersonNotFound, ChangedMeanwhile."""
        before = await self.person(require_person(person).id)
        if person.etag != before.etag:
            raise ChangedMeanwhile(f"person {person.id} was changed since it was read; read it again", person=person.id)
        if person == before:
            return before
        after = next_version(before, person)
        await self._revise(client_id, PeopleRevision(people=[Revised(after, before)]))
        return after

    async def assign(self, client_id: str, request_id: str, assignment: Assignment) -> Assignment:
        """Gives a role. A repeat of the request returns the same; request_id empty: it has none.

        Raises PersonNotFound, InvalidArgument (the role wants a class, a subject, a school), RequestIdReused.
        """
        made = replace(require_assignment(assignment), id=made_id("role", client_id, request_id))
        there = await self.store.find_assignment(made.id) if request_id else None
        if there is not None:
            _require_same(replace(there, valid=made.valid), made, request_id)
            return there
        await self.person(made.person_id)
        await self._revise(client_id, PeopleRevision(assignments=[Revised(made)]))
        return made

    async def end_assignment(self, client_id: str, assignment_id: str, end: datetime) -> Assignment:
        """Ends a role; one that ends by then already is returned as it is. AssignmentNotFound."""
        before = await self.store.find_assignment(assignment_id)
        if before is None:
            raise AssignmentNotFound(f"no role {assignment_id!r} of anybody; `signer people roles` lists them", assignment=assignment_id)
        valid = _ended(before.valid, end)
        after = replace(before, valid=valid)
        if after != before:
            await self._revise(client_id, PeopleRevision(assignments=[Revised(after, before)]))
        return after

    async def delegate(self, client_id: str, request_id: str, delegation: Delegation, now: datetime) -> Delegation:
        """Lets one person act for another. A repeat of the request returns the same.

        Raises PersonNotFound, InvalidArgument (nothing is lent: the absent person never had the role there; no end), RequestIdReused.
        """
        made = replace(require_delegation(delegation), id=made_id("delegation", client_id, request_id))
        there = await self.store.find_delegation(made.id) if request_id else None
        if there is not None:
            _require_same(replace(there, valid=made.valid), made, request_id)
            return there
        actor, _absent = await self.person(made.to_person_id), await self.person(made.from_person_id)
        lent = await self.store.assignments_of([made.from_person_id])
        start = made.valid.start or now
        if not rights_at(Holdings(replace(actor, disabled=False), (), (made,), tuple(lent)), start):
            raise InvalidArgument(
                f"person {made.from_person_id} has not been {made.role.value} there by then, so nobody can act for them",
                field="delegation.role",
            )
        await self._revise(client_id, PeopleRevision(delegations=[Revised(made)]))
        return made

    async def end_delegation(self, client_id: str, delegation_id: str, end: datetime) -> Delegation:
        """Ends a delegation; one that ends by then already is returned as it is. DelegationNotFound."""
        before = await self.store.find_delegation(delegation_id)
        if before is None:
            raise DelegationNotFound(f"no delegation {delegation_id!r}; `signer people delegations` lists them", delegation=delegation_id)
        after = replace(before, valid=_ended(before.valid, end))
        if after != before:
            await self._revise(client_id, PeopleRevision(delegations=[Revised(after, before)]))
        return after

    async def apply(self, client_id: str, revision: PeopleRevision) -> None:
        """An import's changes, all or none. Raises IdTaken or ChangedMeanwhile."""
        await self._revise(client_id, revision)

    async def _revise(self, client_id: str, revision: PeopleRevision) -> None:
        try:
            await self.store.revise(client_id, revision)
        finally:
            self.forget()

    def forget(self) -> None:
        """Somebody changed something."""
        self._known.clear()

    async def _holdings(self, person_id: str) -> Holdings | None:
        now_s = self._clock_s()
        known = self._known.get(person_id)
        if known is not None and now_s < known[0]:
            return known[1]
        found = await self.store.holdings(person_id)
        if len(self._known) >= _REMEMBERED_MAX:
            self._known.clear()
        self._known[person_id] = (now_s + _REMEMBERED_S, found)
        return found


def next_version(before: Person, after: Person) -> Person:
    """The value that replaces a row."""
    return replace(after, etag=str(int(before.etag) + 1))


def made_id(kind: str, client_id: str, request_id: str) -> str:
    """An id that a repeat of the request finds again; of its own where it has no request id."""
    if not request_id:
        return f"{kind}-{secrets.token_hex(_ID_BYTES)}"
    named = f"{kind}\0{client_id}\0{request_id}".encode()
    return f"{kind}-{hashlib.sha256(named).hexdigest()[: 2 * _ID_BYTES]}"


def _require_same(there: object, made: object, request_id: str) -> None:
    if there != made:
        raise RequestIdReused(f"request {request_id!r} came before with other content", requestId=request_id)


def _ended(valid: Window, end: datetime) -> Window:
    return valid if valid.end is not None and valid.end <= end else replace(valid, end=end)


def _no_person(person_id: str) -> PersonNotFound:
    return PersonNotFound(f"no person {person_id!r}; `signer people list` shows those there are", person=person_id)
