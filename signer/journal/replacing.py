"""A correction's end: its replacement is sealed, in the commit that says so the old record is replaced and the approval used."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, update

from signer.journal.ledger import FilledSlot, Ledger
from signer.journal.model import NoteKind
from signer.journal.record_rows import add_events, find_record, record_row
from signer.people.approval import ApprovalState
from signer.records.history import HistoryKind, RecordEvent
from signer.records.states import TRANSITIONS, Event
from signer.store.approval_tables import approval
from signer.store.record_tables import record


def replace_record(connection: Connection, ledger: Ledger, filled: FilledSlot) -> None:
    """What a replacement's seal does to the record before it; nothing when that is replaced already."""
    slot = filled.slot
    old = find_record(connection, filled.school_id, slot.replaces)
    state = None if old is None else TRANSITIONS.get((old.state, Event.REPLACEMENT_SEALED))
    if old is None or state is None:
        return
    detail: dict[str, str | int] = {"school": filled.school_id, "record": old.record_uuid, "replacement": slot.record_uuid}
    entry = ledger.note(NoteKind.APPROVAL_USED, slot.approval_id, detail)
    row = record_row(replace(old, state=state, replaced_by=slot.record_uuid))
    connection.execute(update(record).where(record.c.school_id == old.school_id, record.c.record_uuid == old.record_uuid).values(row))
    connection.execute(update(approval).where(approval.c.approval_id == slot.approval_id).values(state=ApprovalState.USED.value))
    at = datetime.fromtimestamp(ledger.now_us / 1_000_000, UTC)
    event = RecordEvent(
        HistoryKind.REPLACED,
        at,
        old.record_uuid,
        slot.person_id,
        slot.role,
        slot.acting_for,
        approval_id=slot.approval_id,
        journal_entry=entry,
    )
    add_events(connection, filled.school_id, [event])
