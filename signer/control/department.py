"""The import of a whole Department: read what is there, compare (`access.department`), and apply all of it or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from signer.access.department import Difference, ImportedRow, Present, difference
from signer.control.people import People


@dataclass(frozen=True, slots=True)
class Imported:
    """What the rows change, and whether it was changed."""

    difference: Difference
    is_applied: bool


async def import_department(
    people: People, client_id: str, rows: Sequence[ImportedRow], now: datetime, *, dry_run: bool, end_missing: bool
) -> Imported:
    """Imports rows. Nothing is changed by a dry run, or when a row was refused.

    Raises ChangedMeanwhile (somebody else changed one of these people at the same time: nothing was changed, repeat it) or
    JournalUnavailable.
    """
    store = people.store
    person_ids = {row.person.id for row in rows}
    assignments = {each.id: each for each in await store.assignments_of(person_ids)}
    if end_missing:
        schools = {row.assignment.scope.school_id for row in rows if row.assignment is not None}
        assignments |= {each.id: each for each in await store.assignments_in(schools)}
    present = Present(await store.find_all(person_ids), list(assignments.values()))
    compared = await asyncio.to_thread(difference, rows, present, now, end_missing=end_missing)
    is_applied = not dry_run and not compared.is_refused
    revision = compared.revision
    if is_applied and (revision.people or revision.assignments):
        await people.apply(client_id, revision)
    return Imported(compared, is_applied)
