"""What the appliance knows of records: their history, corrections and recalls, and the dates by which they lock.

with SignerClient(…) as signer:
    for event in signer.register.get(school_id, record_uuid).events:
        print(event.at, event.kind, event.person_id)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from signer.client.approvals import approval_value
from signer.client.channel import Connection
from signer.client.register_values import KnownRecord, RecordFile, RecordHappening
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.model import RecordSlot, Role
from signer.people.approval import Approval
from signer.records.calendar import Calendar
from signer.records.history import HistoryKind
from signer.records.states import RecordState
from signer.v1 import common_pb2, record_pb2, record_pb2_grpc

TIMEOUT_S = 60.0
_STATES: Final = {record_pb2.RecordState.Value(f"RECORD_STATE_{state.name}"): state for state in RecordState}
_STATE_NUMBERS: Final[Mapping[RecordState, Any]] = {state: number for number, state in _STATES.items()}
_KINDS: Final = {record_pb2.RecordEventKind.Value(f"RECORD_EVENT_KIND_{kind.name}"): kind for kind in HistoryKind}
_SLOTS: Final = {common_pb2.RecordSlot.Value(f"RECORD_SLOT_{slot.name}"): slot for slot in RecordSlot}
_SLOT_NUMBERS: Final[Mapping[RecordSlot | None, Any]] = {None: 0} | {slot: number for number, slot in _SLOTS.items()}
_ROLES: Final = {common_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}


class RegisterClient:
    """`SignerClient.register`. Every method may be repeated."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def get(self, school_id: str, record_uuid: str, *, timeout_s: float = TIMEOUT_S) -> RecordFile:
        """A record with its whole history. RecordNotFound."""
        request = record_pb2.GetRecordRequest(school_id=school_id, record_uuid=record_uuid)
        response = self._call(self._stub.GetRecord, request, timeout_s)
        return RecordFile(
            _record(response.record), tuple(map(_event, response.events)), tuple(approval_value(each) for each in response.approvals)
        )

    def list(
        self,
        school_id: str,
        school_year: int,
        *,
        class_id: str = "",
        states: Sequence[RecordState] = (),
        awaiting: RecordSlot | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[KnownRecord]:
        """A school year's records by class and UUID. awaiting: only those that lack this slot's signature, and no earlier one."""
        request = record_pb2.ListRecordsRequest(
            school_id=school_id,
            school_year=school_year,
            class_id=class_id,
            states=[_STATE_NUMBERS[state] for state in states],
            awaiting=_SLOT_NUMBERS[awaiting],
        )
        while True:
            response = self._call(self._stub.ListRecords, request, timeout_s)
            yield from map(_record, response.records)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def correct(  # noqa: PLR0917  # as the contract has it
        self,
        school_id: str,
        record_uuid: str,
        replacement_uuid: str,
        person_id: str,
        reason: str,
        request_id: str,
        *,
        changes: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> Approval:
        """Asks for the correction of a locked record, by a teacher of it; what must be decided."""
        request = record_pb2.RequestCorrectionRequest(
            request_id=request_id,
            school_id=school_id,
            record_uuid=record_uuid,
            replacement_record_uuid=replacement_uuid,
            person_id=person_id,
            reason=reason,
            changes=changes,
        )
        return approval_value(self._call(self._stub.RequestCorrection, request, timeout_s).approval)

    def recall(
        self, school_id: str, record_uuid: str, person_id: str, reason: str, request_id: str, *, timeout_s: float = TIMEOUT_S
    ) -> Approval:
        """Asks the Department to recall a record, by a leader of the school; what must be decided."""
        request = record_pb2.RequestRecallRequest(
            request_id=request_id, school_id=school_id, record_uuid=record_uuid, person_id=person_id, reason=reason
        )
        return approval_value(self._call(self._stub.RequestRecall, request, timeout_s).approval)

    def calendar(self, school_year: int, school_id: str = "", *, timeout_s: float = TIMEOUT_S) -> Calendar:
        """The dates that hold for a school, or for the Department's. CalendarNotFound."""
        request = record_pb2.GetCalendarRequest(school_id=school_id, school_year=school_year)
        return _calendar(self._call(self._stub.GetCalendar, request, timeout_s).calendar)

    def set_calendar(self, dates: Calendar, school_id: str = "", approval_id: str = "", *, timeout_s: float = TIMEOUT_S) -> Calendar:
        """Sets a school year's dates; a lock date that has passed needs an approval. For operators."""
        message = record_pb2.Calendar(
            school_id=school_id,
            school_year=dates.school_year,
            release_by=_timestamp(dates.release_by),
            lock_time=_timestamp(dates.lock_time),
            supplementary_lock_time=_timestamp(dates.supplementary_lock_time),
        )
        request = record_pb2.SetCalendarRequest(calendar=message, approval_id=approval_id)
        return _calendar(self._call(self._stub.SetCalendar, request, timeout_s).calendar)

    @property
    def _stub(self) -> record_pb2_grpc.RecordServiceStub:
        return record_pb2_grpc.RecordServiceStub(self._connection.channel)

    def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)


def _record(message: record_pb2.Record) -> KnownRecord:
    return KnownRecord(
        message.record_uuid,
        message.school_id,
        message.class_id,
        message.school_year,
        message.layout_id,
        _STATES.get(message.state),
        tuple((_SLOTS.get(slot.slot), slot.subject_id) for slot in message.slots),
        message.replaces_record_uuid,
        message.replaced_by_record_uuid,
        message.lock_time.ToDatetime(UTC) if message.HasField("lock_time") else None,
    )


def _event(message: record_pb2.RecordEvent) -> RecordHappening:
    return RecordHappening(
        _KINDS.get(message.kind),
        message.event_time.ToDatetime(UTC),
        message.person_id,
        _ROLES.get(message.role),
        message.acting_for_person_id,
        message.reason,
        message.approval_id,
        message.signature.credential_id,
        _SLOTS.get(message.signature.slot),
        message.journal_entry,
    )


def _calendar(message: record_pb2.Calendar) -> Calendar:
    return Calendar(
        message.school_year,
        message.release_by.ToDatetime(UTC),
        message.lock_time.ToDatetime(UTC),
        message.supplementary_lock_time.ToDatetime(UTC),
    )


def _timestamp(moment: Any) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made
