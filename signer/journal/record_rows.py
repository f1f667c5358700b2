"""The rows of records: what a commit of outcomes adds, and how rows become values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, case, column, func, insert, literal_column, select, values
from sqlalchemy.sql import ClauseElement

from signer.journal.ledger import FilledSlot
from signer.model import RecordSlot, Role
from signer.records.history import HistoryKind, RecordEvent
from signer.records.register import KeptRecord
from signer.records.states import RecordState
from signer.store.record_tables import record, record_event
from signer.store.statements import ManyRows, Row, inserting, whole_rows
from signer.store.times import microseconds, moment, moment_or_none

_AS_SIGNED = ("class_id", "school_year", "layout_id", "supplementary")
"""What the latest signature says of its record."""


def write_slots(connection: Connection, filled: Sequence[FilledSlot], now_us: int) -> None:
    """The records of these signatures, new ones and known ones, and what happened to them."""
    rows: dict[tuple[str, str], Row] = {}
    for each in filled:
        key = each.school_id, each.slot.record_uuid
        if key not in rows or each.slot.slot is RecordSlot.SEAL:
            rows[key] = _signed_row(each)
    _UPSERT_RECORDS.execute(connection, list(rows.values()))
    _INSERT_EVENTS.execute(connection, [_signed_event(each, now_us) for each in filled])


def _signed_row(filled: FilledSlot) -> Row:
    slot = filled.slot
    state = RecordState.RELEASED if slot.slot is RecordSlot.SEAL else RecordState.SIGNING
    return (
        filled.school_id,
        slot.record_uuid,
        slot.class_id,
        slot.school_year,
        slot.layout_id,
        slot.pupil,
        slot.is_supplementary,
        state.value,
        "",
        "",
        "",
        None,
    )


def _signed_event(filled: FilledSlot, now_us: int) -> Row:
    slot = filled.slot
    return (
        filled.school_id,
        slot.record_uuid,
        filled.outcome,
        0,
        HistoryKind.SIGNED.value,
        now_us,
        slot.slot.value,
        slot.subject_id,
        slot.person_id,
        slot.role.value if slot.role else "",
        slot.acting_for,
        slot.authorization_id,
        slot.approval_id,
        filled.intent,
    )


def fetch_known(connection: Connection, keys: Sequence[tuple[str, str]]) -> list[KeptRecord]:
    """The records of these keys (school, UUID) that there are."""
    return [kept_record(row) for row in {row[:2]: row for row in _FETCH_RECORDS.fetch(connection, keys)}.values()]


def find_record(connection: Connection, school_id: str, record_uuid: str) -> KeptRecord | None:
    """The record, if there is one."""
    found = fetch_known(connection, [(school_id, record_uuid)])
    return found[0] if found else None


def kept_record(row: Any) -> KeptRecord:
    """A row of `record`, its columns in the table's order."""
    school_id, record_uuid, class_id, year, layout_id, pupil, supplementary, state, replaces, replaced_by, approval_id, ends_us = row
    return KeptRecord(
        school_id,
        record_uuid,
        class_id,
        year,
        layout_id,
        pupil,
        bool(supplementary),
        RecordState(state),
        replaces,
        replaced_by,
        approval_id,
        moment_or_none(ends_us),
    )


def record_row(kept: KeptRecord) -> dict[str, Any]:
    """The row of a record."""
    return {
        "school_id": kept.school_id,
        "record_uuid": kept.record_uuid,
        "class_id": kept.class_id,
        "school_year": kept.school_year,
        "layout_id": kept.layout_id,
        "pupil": kept.pupil,
        "supplementary": kept.is_supplementary,
        "state": kept.state.value,
        "replaces": kept.replaces,
        "replaced_by": kept.replaced_by,
        "approval_id": kept.approval_id,
        "approval_ends_us": None if kept.approval_ends is None else microseconds(kept.approval_ends),
    }


def add_events(connection: Connection, school_id: str, events: Iterable[RecordEvent]) -> None:
    """Events of entries that this commit adds; `part` tells those of one entry and record apart."""
    rows = [
        {
            "school_id": school_id,
            "record_uuid": event.record_uuid,
            "journal_entry": event.journal_entry,
            "part": part,
            "kind": event.kind.value,
            "at_us": microseconds(event.at),
            "slot": event.slot.value if event.slot else "",
            "subject_id": event.subject_id,
            "person_id": event.person_id,
            "role": event.role.value if event.role else "",
            "acting_for": event.acting_for,
            "authorization_id": event.authorization_id,
            "approval_id": event.approval_id,
            "intent_entry": event.intent_entry,
        }
        for part, event in enumerate(events)
    ]
    if rows:
        connection.execute(insert(record_event), rows)


def event_of(row: Any) -> RecordEvent:
    """A row of `record_event`."""
    return RecordEvent(
        HistoryKind(row.kind),
        moment(row.at_us),
        row.record_uuid,
        row.person_id,
        Role(row.role) if row.role else None,
        row.acting_for,
        RecordSlot(row.slot) if row.slot else None,
        row.subject_id,
        row.authorization_id,
        row.approval_id,
        row.journal_entry,
        row.intent_entry,
    )


def _upsert(dialect: str, count: int) -> ClauseElement:
    """A state moves on from SIGNING only: corrections and recalls change it elsewhere. A UUID stays the first pupil's."""
    statement = whole_rows(dialect, record, count)
    signing: ColumnElement[str] = literal_column(f"'{RecordState.SIGNING.value}'")
    changed = {name: statement.excluded[name] for name in _AS_SIGNED}
    nobody = func.length(record.c.pupil) == literal_column("0")
    changed["pupil"] = case((nobody, statement.excluded.pupil), else_=record.c.pupil)
    changed["state"] = case((record.c.state == signing, statement.excluded.state), else_=record.c.state)
    upsert: ClauseElement = statement.on_conflict_do_update(index_elements=list(record.primary_key), set_=changed)
    return upsert


def _of_wanted(_dialect: str, count: int) -> Select[Any]:
    """Joined, not `IN`, as `rows` has it."""
    columns = [column(part.name, String) for part in record.primary_key]
    wanted = values(*columns, name="wanted").data([("", "")] * count).cte("wanted")
    return select(record).join_from(record, wanted, and_(*(part == wanted.c[part.name] for part in record.primary_key)))


_UPSERT_RECORDS = ManyRows(_upsert, is_whole=True)
_INSERT_EVENTS = inserting(record_event)
_FETCH_RECORDS = ManyRows(_of_wanted)
