"""The schools that operators keep: rows that are changed together with their journal entry."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sqlalchemy import Connection, insert, select, update

from signer.errors import ChangedMeanwhile, IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.people.client import School, SchoolTier
from signer.store.client_tables import school as table


class SchoolStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self) -> list[School]:
        """Every school, by id."""
        found: list[School] = await self._journal.run(Read(asyncio.get_running_loop(), _schools))
        return found

    async def find(self, school_id: str) -> School | None:
        """The school of this id."""
        found: list[School] = await self._journal.run(Read(asyncio.get_running_loop(), lambda connection: _schools(connection, school_id)))
        return next(iter(found), None)

    async def keep(self, by: str, school: School) -> School:
        """Adds a school (without an etag), or replaces one; with its new etag. by: the client that asks.

        Raises:
            IdTaken: there is one of this id.
            ChangedMeanwhile: the row is no longer of the etag, or gone.
            JournalUnavailable: not written.
        """
        kept: School = await self._journal.run(_Keep(asyncio.get_running_loop(), by, school))
        return kept


class _Keep(Change):
    __slots__ = ("by", "school")

    def __init__(self, loop: asyncio.AbstractEventLoop, by: str, school: School) -> None:
        super().__init__(loop)
        self.by = by
        self.school = school

    def apply(self, connection: Connection, ledger: Ledger) -> School:
        school = self.school
        before = connection.execute(select(table.c.version).where(table.c.school_id == school.id)).scalar()
        if not school.etag and before is not None:
            raise IdTaken(f"school {school.id} is there already", school=school.id)
        if school.etag and str(before) != school.etag:
            raise ChangedMeanwhile(f"school {school.id} was changed since it was read; read it again", school=school.id)
        version = 1 if before is None else before + 1
        values = {
            "code": school.code,
            "display_name": school.display_name,
            "weight": school.weight,
            "disabled": school.disabled,
            "tier": school.tier.value,
            "version": version,
        }
        if before is None:
            connection.execute(insert(table).values(school_id=school.id, **values))
        else:
            connection.execute(update(table).where(table.c.school_id == school.id).values(**values))
        told: dict[str, str | int] = {"by": self.by, "code": school.code, "weight": school.weight, "disabled": int(school.disabled)}
        ledger.note(NoteKind.SCHOOL_SET, school.id, told | {"tier": school.tier.value})
        return replace(school, etag=str(version))


def _schools(connection: Connection, school_id: str = "") -> list[School]:
    """All, or the one of this id."""
    query = select(table).where(table.c.school_id == school_id) if school_id else select(table)
    return [
        School(row.school_id, row.code, row.display_name, row.weight, row.disabled, SchoolTier(row.tier), str(row.version))
        for row in connection.execute(query.order_by(table.c.school_id))
    ]
