"""The register of records: what is known of each, its history, and the calendars. Rows change with their journal entry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from signer.errors import ChangedMeanwhile
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger, rfc3339
from signer.journal.model import NoteKind
from signer.journal.portions import read_members
from signer.journal.record_rows import add_events, event_of, fetch_known, find_record, kept_record, record_row
from signer.model import Role
from signer.records.calendar import Calendar
from signer.records.history import HistoryKind, RecordEvent
from signer.records.register import KeptRecord
from signer.store.record_tables import calendar as calendar_table
from signer.store.record_tables import record, record_event
from signer.store.times import microseconds, moment_or_none

_REMEMBERED_S: Final = 10.0
"""How long a calendar is, if nobody sets one meanwhile."""
_CALENDARS_MAX: Final = 4096
_AT_ONCE: Final = 400
DEPARTMENT: Final = ""
"""The school_id of the calendar for all schools that have none of their own."""


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records of a school year. class_id: empty for all. after: class and UUID of the last one of the page before."""

    school_id: str
    school_year: int
    class_id: str = ""
    after: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record that changes with an approval. before: None for a new row. kinds: what its history says, by this person."""

    after: KeptRecord
    before: KeptRecord | None = None
    kinds: tuple[HistoryKind, ...] = ()
    person_id: str = ""
    role: Role | None = None


class RecordStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._calendars: dict[tuple[str, int], tuple[float, Calendar | None]] = {}

    async def known(self, school_id: str, record_uuids: Sequence[str]) -> Mapping[str, KeptRecord]:
        """Those of a school that were met before, by UUID."""
        keys = [(school_id, record_uuid) for record_uuid in record_uuids]
        found: list[KeptRecord] = await self._run(lambda connection: fetch_known(connection, keys))
        return {each.record_uuid: each for each in found}

    async def find(self, school_id: str, record_uuid: str) -> KeptRecord | None:
        """The record, if the school has it."""
        return (await self.known(school_id, [record_uuid])).get(record_uuid)

    async def page(self, wanted: RecordFilter, limit: int) -> list[KeptRecord]:
        """Up to `limit` records by class and UUID."""
        where = [
            record.c.school_id == wanted.school_id,
            record.c.school_year == wanted.school_year,
            tuple_(record.c.class_id, record.c.record_uuid) > wanted.after,
        ]
        if wanted.class_id:
            where.append(record.c.class_id == wanted.class_id)
        query = select(record).where(*where).order_by(record.c.class_id, record.c.record_uuid).limit(limit)
        found: list[KeptRecord] = await self._run(lambda connection: [kept_record(row) for row in connection.execute(query)])
        return found

    async def events(self, school_id: str, record_uuids: Sequence[str]) -> list[RecordEvent]:
        """What happened to these records, oldest first."""
        found: list[RecordEvent] = await self._run(lambda connection: _events(connection, school_id, record_uuids))
        return found

    async def entries(self, indexes: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """The members of these journal entries, of archived ones those that stay (`portions`)."""
        found: dict[int, Mapping[str, Any]] = await self._run(lambda connection: read_members(connection, set(indexes)))
        return found

    async def calendar(self, school_id: str, school_year: int) -> Calendar | None:
        """The dates that hold for a school's records: its own, else the Department's; None where nobody has set any."""
        key = school_id, school_year
        until_s, found = self._calendars.get(key, (0.0, None))
        if time.monotonic() >= until_s:
            found = await self._run(lambda connection: _calendar(connection, school_id, school_year))
            if len(self._calendars) >= _CALENDARS_MAX:
                self._calendars.clear()
            self._calendars[key] = time.monotonic() + _REMEMBERED_S, found
        return found

    async def set_calendar(self, client_id: str, school_id: str, dates: Calendar, approval_id: str = "") -> None:
        """Sets a school year's dates, journalled. The same again changes nothing."""
        try:
            await self._journal.run(_SetCalendar(asyncio.get_running_loop(), client_id, school_id, dates, approval_id))
        finally:
            self.forget_calendars()

    def forget_calendars(self) -> None:
        """Somebody set one."""
        self._calendars.clear()

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


def require_unchanged(connection: Connection, changes: Sequence[RecordChange]) -> None:
    """ChangedMeanwhile when a row is no longer what its change is from."""
    for change in changes:
        if find_record(connection, change.after.school_id, change.after.record_uuid) != change.before:
            raise ChangedMeanwhile(
                f"record {change.after.record_uuid} was changed by another at the same time", record=change.after.record_uuid
            )


def change_records(connection: Connection, changes: Sequence[RecordChange], entry: int, at: datetime, approval_id: str) -> None:
    """Within an approval's commit, after `require_unchanged`."""
    for change in changes:
        row = record_row(change.after)
        if change.before is None:
            connection.execute(insert(record).values(row))
        else:
            where = record.c.school_id == change.after.school_id, record.c.record_uuid == change.after.record_uuid
            connection.execute(update(record).where(*where).values(row))
        events = [
            RecordEvent(kind, at, change.after.record_uuid, change.person_id, change.role, approval_id=approval_id, journal_entry=entry)
            for kind in change.kinds
        ]
        add_events(connection, change.after.school_id, events)


class _SetCalendar(Change):
    __slots__ = ("approval_id", "client_id", "dates", "school_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, school_id: str, dates: Calendar, approval_id: str) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.school_id = school_id
        self.dates = dates
        self.approval_id = approval_id

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        dates, table = self.dates, calendar_table
        where = table.c.school_id == self.school_id, table.c.school_year == dates.school_year
        if _dates_of(connection.execute(select(table).where(*where)).one_or_none()) == dates:
            return
        connection.execute(delete(table).where(*where))
        row = {
            "school_id": self.school_id,
            "school_year": dates.school_year,
            "release_by_us": microseconds(dates.release_by),
            "lock_us": microseconds(dates.lock_time),
            "supplementary_lock_us": microseconds(dates.supplementary_lock_time),
        }
        connection.execute(insert(table).values(row))
        detail: dict[str, str | int] = {
            "client": self.client_id,
            "school": self.school_id,
            "releaseBy": rfc3339(dates.release_by),
            "lockTime": rfc3339(dates.lock_time),
            "supplementaryLockTime": rfc3339(dates.supplementary_lock_time),
            "approval": self.approval_id,
        }
        ledger.note(NoteKind.CALENDAR_SET, str(dates.school_year), detail)


def _events(connection: Connection, school_id: str, record_uuids: Sequence[str]) -> list[RecordEvent]:
    found: list[RecordEvent] = []
    for start in range(0, len(record_uuids), _AT_ONCE):
        where = record_event.c.school_id == school_id, record_event.c.record_uuid.in_(record_uuids[start : start + _AT_ONCE])
        query = select(record_event).where(*where).order_by(record_event.c.journal_entry, record_event.c.part)
        found += [event_of(row) for row in connection.execute(query)]
    return found


def _calendar(connection: Connection, school_id: str, school_year: int) -> Calendar | None:
    table = calendar_table
    rows = connection.execute(select(table).where(table.c.school_year == school_year, table.c.school_id.in_((school_id, DEPARTMENT)))).all()
    by_school = {row.school_id: row for row in rows}
    return _dates_of(by_school.get(school_id) or by_school.get(DEPARTMENT))


def _dates_of(row: Any) -> Calendar | None:
    if row is None:
        return None
    release_by, lock_time, supplementary = map(moment_or_none, (row.release_by_us, row.lock_us, row.supplementary_lock_us))
    if release_by is None or lock_time is None or supplementary is None:
        return None
    return Calendar(row.school_year, release_by, lock_time, supplementary)
