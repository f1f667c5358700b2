"""Between messages and values of what is known of records: states, history, calendars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from signer.algorithms import SignatureAlgorithm
from signer.control.records import RecordHistory, RecordView
from signer.errors import InvalidArgument
from signer.people.approval import Approval
from signer.records.calendar import Calendar
from signer.records.history import HistoryKind, RecordEvent
from signer.records.states import RecordState
from signer.server import convert, convert_approvals
from signer.server.convert import ALGORITHM_NUMBERS, LEVEL_NUMBERS, PROFILE_NUMBERS, ROLE_NUMBERS, SLOT_NUMBERS
from signer.v1 import record_pb2, signature_pb2

STATES: Final[Mapping[int, RecordState]] = {record_pb2.RecordState.Value(f"RECORD_STATE_{state.name}"): state for state in RecordState}
_STATE_NUMBERS: Final[Mapping[RecordState, Any]] = {state: number for number, state in STATES.items()}
_KIND_NUMBERS: Final[Mapping[HistoryKind, Any]] = {
    kind: record_pb2.RecordEventKind.Value(f"RECORD_EVENT_KIND_{kind.name}") for kind in HistoryKind
}
_LEVELS: Final[Mapping[str, Any]] = {level.value: number for level, number in LEVEL_NUMBERS.items()}
_PROFILES: Final[Mapping[str, Any]] = {profile.value: number for profile, number in PROFILE_NUMBERS.items()}
_SCHOOL_YEARS: Final = range(2000, 2200)


def school_year(number: int, field: str = "school_year") -> int:
    """A required school year."""
    if number not in _SCHOOL_YEARS:
        raise InvalidArgument(f"{field} is the school year's first calendar year, such as 2025", field=field)
    return number


def states(numbers: Sequence[int]) -> list[RecordState]:
    """A filter."""
    if any(number not in STATES for number in numbers):
        raise InvalidArgument("states has one that is not of this contract", field="states")
    return [STATES[number] for number in numbers]


def record(view: RecordView) -> record_pb2.Record:
    """A record as callers see it."""
    kept = view.kept
    message = record_pb2.Record(
        record_uuid=kept.record_uuid,
        school_id=kept.school_id,
        class_id=kept.class_id,
        school_year=kept.school_year,
        layout_id=kept.layout_id,
        state=_STATE_NUMBERS[view.state],
        slots=[_slot(event) for event in sorted(view.signed, key=_slot_order)],
        replaces_record_uuid=kept.replaces,
        replaced_by_record_uuid=kept.replaced_by,
    )
    if view.lock_time is not None:
        message.lock_time.CopyFrom(convert.timestamp(view.lock_time))
    return message


def _slot(event: RecordEvent) -> record_pb2.SlotState:
    """It was valid when it was made here: whether the file still is, CheckRecords and ValidationService tell."""
    return record_pb2.SlotState(slot=_number(SLOT_NUMBERS, event.slot), subject_id=event.subject_id, signed=True, valid=True)


def _slot_order(event: RecordEvent) -> tuple[int, str]:
    return (_number(SLOT_NUMBERS, event.slot), event.subject_id)


def history(value: RecordHistory) -> record_pb2.GetRecordResponse:
    """A record with all that happened."""
    approvals = {each.id: each for each in value.approvals}
    return record_pb2.GetRecordResponse(
        record=record(value.view),
        events=[_event(each, approvals, value.entries) for each in value.events],
        approvals=[convert_approvals.approval(each) for each in value.approvals],
    )


def _event(value: RecordEvent, approvals: Mapping[str, Approval], entries: Mapping[int, Mapping[str, Any]]) -> record_pb2.RecordEvent:
    message = record_pb2.RecordEvent(
        kind=_KIND_NUMBERS[value.kind],
        person_id=value.person_id,
        role=_number(ROLE_NUMBERS, value.role),
        acting_for_person_id=value.acting_for,
        reason=_reason(value, approvals.get(value.approval_id)),
        approval_id=value.approval_id,
        journal_entry=value.journal_entry or 0,
    )
    message.event_time.CopyFrom(convert.timestamp(value.at))
    if value.kind is HistoryKind.SIGNED:
        message.signature.CopyFrom(_signature(value, entries.get(value.intent_entry or -1, {})))
    return message


def _reason(event: RecordEvent, approval: Approval | None) -> str:
    if approval is None:
        return ""
    if event.kind in (HistoryKind.CORRECTION_REQUESTED, HistoryKind.RECALL_REQUESTED):
        return approval.reason
    return next((step.comment for step in approval.steps if step.journal_entry == event.journal_entry), "")


def _signature(event: RecordEvent, intent: Mapping[str, Any]) -> signature_pb2.SignatureInfo:
    """As the journal's intent has it."""
    profile, _, level = str(intent.get("plan", "")).partition("/")
    info = signature_pb2.SignatureInfo(
        credential_id=intent.get("credential", ""),
        certificate_serial=intent.get("certificate", ""),
        profile=_number(_PROFILES, profile),
        level=_number(_LEVELS, level),
        slot=_number(SLOT_NUMBERS, event.slot),
        role=_number(ROLE_NUMBERS, event.role),
        acting_for_person_id=event.acting_for,
        authorization_id=event.authorization_id,
        intent_entry=event.intent_entry or 0,
        outcome_entry=event.journal_entry or 0,
    )
    if intent.get("algorithm"):
        info.algorithm = ALGORITHM_NUMBERS[SignatureAlgorithm(intent["algorithm"])]
    if intent.get("at"):
        info.signing_time.CopyFrom(convert.timestamp(dt.datetime.fromisoformat(intent["at"])))
    return info


def _number(numbers: Mapping[Any, Any], key: object) -> Any:
    """The contract's number; UNSPECIFIED for what is not there."""
    return numbers.get(key, 0)


def calendar(message: record_pb2.Calendar) -> Calendar:
    """Dates to set."""
    for name in ("release_by", "lock_time", "supplementary_lock_time"):
        if not message.HasField(name):
            raise InvalidArgument(f"calendar.{name} is required", field=f"calendar.{name}")
    return Calendar(
        school_year(message.school_year, "calendar.school_year"),
        message.release_by.ToDatetime(dt.UTC),
        message.lock_time.ToDatetime(dt.UTC),
        message.supplementary_lock_time.ToDatetime(dt.UTC),
    )


def calendar_message(school_id: str, value: Calendar) -> record_pb2.Calendar:
    """Dates as callers see them."""
    return record_pb2.Calendar(
        school_id=school_id,
        school_year=value.school_year,
        release_by=convert.timestamp(value.release_by),
        lock_time=convert.timestamp(value.lock_time),
        supplementary_lock_time=convert.timestamp(value.supplementary_lock_time),
    )
