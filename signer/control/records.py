"""A record's life beyond its signatures: its history, its correction and recall, and the dates by which a school year locks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from signer.access.approval_policies import ASKERS
from signer.access.approvals import Act
from signer.control.approvals import Approvals, Wanted
from signer.control.record_changes import REPLACEMENT
from signer.errors import CalendarNotFound, InvalidArgument, RecordNotFound, RoleRefused
from signer.journal.records import RecordChange, RecordFilter, RecordStore
from signer.model import RecordSlot, Role
from signer.people.approval import Approval, ApprovalKind
from signer.people.doors import Rights
from signer.records.calendar import Calendar
from signer.records.history import HistoryKind, RecordEvent
from signer.records.layout import Layout
from signer.records.register import KeptRecord
from signer.records.states import Event, RecordState, next_state

_CHANGES_MAX: Final = 10_000
_UUID_V4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SCANNED_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record as it is now. lock_time: None where no dates are set. signed: the slots that were signed here, each the last time."""

    kept: KeptRecord
    state: RecordState
    lock_time: datetime | None
    signed: tuple[RecordEvent, ...]


@dataclass(frozen=True, slots=True)
class RecordHistory:
    """A record with all that happened, oldest first, to the records it replaces as well.

    approvals: that concern it. entries: of the journal, by index: those of signatures.
    """

    view: RecordView
    events: tuple[RecordEvent, ...]
    approvals: tuple[Approval, ...]
    entries: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ListedRecords:
    """A page by class and UUID. next_after: None: this was the last."""

    records: tuple[RecordView, ...]
    next_after: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks something of which record, and why. client_id: whose call it is."""

    client_id: str
    request_id: str
    school_id: str
    record_uuid: str
    person_id: str
    reason: str


class Records:
    """All of it. Owned by the event loop."""

    def __init__(
        self, store: RecordStore, approvals: Approvals, rights: Rights, layouts: Sequence[Layout], now: Callable[[], datetime]
    ) -> None:
        self.store = store
        self._approvals = approvals
        self._rights = rights
        self._layouts = {layout.id: layout for layout in layouts}
        self._now = now

    async def history(self, school_id: str, record_uuid: str) -> RecordHistory:
        """A record with its whole history; RecordNotFound for one that the school does not have."""
        kept = await self._kept(school_id, record_uuid)
        line = [kept]
        while line[0].replaces and (older := await self.store.find(school_id, line[0].replaces)) is not None:
            line.insert(0, older)
        events = await self.store.events(school_id, [each.record_uuid for each in line])
        approvals = await self._approvals.store.find_all({each.approval_id for each in events if each.approval_id})
        entries = await self.store.entries(
            [index for each in events for index in (each.intent_entry, each.journal_entry) if index is not None]
        )
        [view] = await self._views([kept])
        ordered = sorted([*events, *(await self._locks(line))], key=lambda each: each.at)
        return RecordHistory(view, tuple(ordered), tuple(sorted(approvals.values(), key=lambda each: each.created)), entries)

    async def page(self, wanted: RecordFilter, states: Collection[RecordState], awaiting: RecordSlot | None, limit: int) -> ListedRecords:
        """A page of a school year's records. awaiting: those that lack this slot's signature, and no earlier one."""
        found: list[RecordView] = []
        while len(found) <= limit:
            rows = await self.store.page(wanted, _SCANNED_AT_ONCE)
            views = await self._views(rows)
            found += [view for view in views if (not states or view.state in states) and (awaiting is None or self._awaits(view, awaiting))]
            if len(rows) < _SCANNED_AT_ONCE:
                break
            wanted = replace(wanted, after=(rows[-1].class_id, rows[-1].record_uuid))
        shown = found[:limit]
        last = shown[-1].kept if len(found) > limit else None
        return ListedRecords(tuple(shown), (last.class_id, last.record_uuid) if last else None)

    async def request_correction(self, asking: Asking, replacement_uuid: str, changes: str) -> Approval:
        """A pending approval of a locked record's replacement; the same request again returns what became of it.

        Raises:
            RecordNotFound, RecordNotLocked, RecordReplaced: not this record, or not now.
            RoleRefused: the person is no teacher of it.
            InvalidArgument: no reason, no UUID v4 of a new record, or too many words.
        """
        replacement_uuid = replacement_uuid.lower()
        if not _UUID_V4.fullmatch(replacement_uuid):
            raise InvalidArgument("replacement_record_uuid must be a UUID v4 of its own", field="replacement_record_uuid")
        if len(changes) > _CHANGES_MAX:
            raise InvalidArgument(f"changes is longer than {_CHANGES_MAX} characters", field="changes")
        kept = await self._kept(asking.school_id, asking.record_uuid)
        parameters = {REPLACEMENT: replacement_uuid, "classId": kept.class_id, "schoolYear": str(kept.school_year)}
        if changes:
            parameters["changesSha256"] = sha256(changes.encode()).hexdigest()
        wanted = Wanted(
            Act(ApprovalKind.CORRECTION, asking.school_id, kept.record_uuid), asking.person_id, asking.reason, parameters, changes
        )
        there = await self._approvals.asked_before(asking.request_id, wanted)
        if there is not None:
            return there
        await self._require_free(kept, replacement_uuid)
        return await self._ask(asking, wanted, kept, Event.CORRECTION_ASKED, HistoryKind.CORRECTION_REQUESTED)

    async def request_recall(self, asking: Asking) -> Approval:
        """A pending approval of a recall; raises as `request_correction`."""
        kept = await self._kept(asking.school_id, asking.record_uuid)
        parameters = {"classId": kept.class_id, "schoolYear": str(kept.school_year)}
        wanted = Wanted(Act(ApprovalKind.RECALL, asking.school_id, kept.record_uuid), asking.person_id, asking.reason, parameters)
        there = await self._approvals.asked_before(asking.request_id, wanted)
        return there or await self._ask(asking, wanted, kept, Event.RECALL_ASKED, HistoryKind.RECALL_REQUESTED)

    async def calendar(self, school_id: str, school_year: int) -> Calendar:
        """The dates that hold; CalendarNotFound where nobody has set any."""
        found = await self.store.calendar(school_id, school_year)
        if found is None:
            raise CalendarNotFound(f"no dates are set for the school year that begins in {school_year}", schoolYear=school_year)
        return found

    async def set_calendar(self, client_id: str, school_id: str, dates: Calendar, approval_id: str) -> Calendar:
        """Sets a school year's dates; a lock date that has passed is moved by approval only. The same again changes nothing.

        Raises:
            InvalidArgument: the dates are not in their order.
            ApprovalRequired, ApprovalEnded: a lock date that has passed would move.
        """
        if not dates.release_by <= dates.lock_time <= dates.supplementary_lock_time:
            raise InvalidArgument("release_by, lock_time and supplementary_lock_time must follow one another", field="calendar.lock_time")
        present, approval = await self.store.calendar(school_id, dates.school_year), None
        if present is not None and moves_the_past(present, dates, self._now()):
            approval = await self._approvals.require(
                ApprovalKind.CALENDAR_CHANGE,
                school_id,
                str(dates.school_year),
                [approval_id] if approval_id else [],
                parameters=bounds_of_dates(dates),
            )
            if approval is not None:
                await self._approvals.use(approval, client_id)
        await self.store.set_calendar(client_id, school_id, dates, approval.id if approval else "")
        return await self.calendar(school_id, dates.school_year)

    async def _ask(self, asking: Asking, wanted: Wanted, kept: KeptRecord, event: Event, kind: HistoryKind) -> Approval:
        role = await self._role_of_asker(wanted, kept)
        calendar = await self.store.calendar(kept.school_id, kept.school_year)
        state = next_state(kept.state_at(self._now(), calendar), event)

        def records(approval: Approval) -> Sequence[RecordChange]:
            after = replace(kept, state=state, approval_id=approval.id, approval_ends=approval.expires)
            return [RecordChange(after, kept, (kind,), wanted.requester_person_id, role)]

        return await self._approvals.ask(asking.client_id, asking.request_id, wanted, records)

    async def _role_of_asker(self, wanted: Wanted, kept: KeptRecord) -> Role:
        """The role in which the person may ask for this record; of another's work, under a delegation as well."""
        for right in await self._rights.held(wanted.requester_person_id, self._now()):
            held = right.assignment.scope
            is_theirs = (
                held.school_id == kept.school_id and held.school_year in (0, kept.school_year) and held.class_id in ("", kept.class_id)
            )
            if right.role in ASKERS[wanted.act.kind] and is_theirs:
                return right.role
        asked = " or ".join(sorted(role.value for role in ASKERS[wanted.act.kind]))
        raise RoleRefused(f"a {wanted.act.kind.value} is asked for by a {asked} of the record's class", person=wanted.requester_person_id)

    async def _require_free(self, kept: KeptRecord, replacement_uuid: str) -> None:
        """The replacement is a new record, or one that an earlier correction of the same record allowed in vain."""
        found = await self.store.find(kept.school_id, replacement_uuid)
        if replacement_uuid == kept.record_uuid or (found is not None and found.replaces != kept.record_uuid):
            raise InvalidArgument(
                "replacement_record_uuid is a record's that is known: the replacement needs its own", field="replacement_record_uuid"
            )

    async def _kept(self, school_id: str, record_uuid: str) -> KeptRecord:
        found = await self.store.find(school_id, record_uuid.lower())
        if found is None:
            raise RecordNotFound(
                "the school has no such record here: it is known from the first slot that is signed", record=record_uuid[:64]
            )
        return found

    async def _views(self, kept: Sequence[KeptRecord]) -> list[RecordView]:
        if not kept:
            return []
        events = await self.store.events(kept[0].school_id, [each.record_uuid for each in kept])
        signed: dict[tuple[str, RecordSlot, str], RecordEvent] = {
            (each.record_uuid, each.slot, each.subject_id): each for each in events if each.slot is not None
        }
        by_record: dict[str, list[RecordEvent]] = {}
        for (record_uuid, _, _), event in signed.items():
            by_record.setdefault(record_uuid, []).append(event)
        now = self._now()
        views: list[RecordView] = []
        for each in kept:
            calendar = await self.store.calendar(each.school_id, each.school_year)
            views.append(
                RecordView(each, each.state_at(now, calendar), each.lock_time(calendar), tuple(by_record.get(each.record_uuid, ())))
            )
        return views

    async def _locks(self, line: Sequence[KeptRecord]) -> list[RecordEvent]:
        """The lock dates that have passed: nobody's doing, so no entry tells them."""
        now, found = self._now(), []
        for each in line:
            calendar = await self.store.calendar(each.school_id, each.school_year)
            lock_time = None if calendar is None else calendar.lock_of(supplementary=each.is_supplementary)
            if lock_time is not None and now >= lock_time and not each.replaces:
                found.append(RecordEvent(HistoryKind.LOCKED, lock_time, each.record_uuid))
        return found

    def _awaits(self, view: RecordView, slot: RecordSlot) -> bool:
        layout = self._layouts.get(view.kept.layout_id)
        own = layout.slot(slot) if layout is not None else None
        signed = {event.slot for event in view.signed}
        if layout is None or own is None or view.state is not RecordState.SIGNING or slot in signed:
            return False
        return all(earlier.optional or earlier.slot in signed for earlier in layout.before(own))


def moves_the_past(present: Calendar, wanted: Calendar, now: datetime) -> bool:
    """Whether a lock date that has passed would be another one."""
    return any(
        present.is_locked(now, supplementary=each) and present.lock_of(supplementary=each) != wanted.lock_of(supplementary=each)
        for each in (False, True)
    )


def bounds_of_dates(dates: Calendar) -> dict[str, str]:
    """A calendar as the bounds of the approval that sets it."""
    times = {"releaseBy": dates.release_by, "lockTime": dates.lock_time, "supplementaryLockTime": dates.supplementary_lock_time}
    return {name: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in times.items()}
