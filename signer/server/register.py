"""RecordService: what is known of records, their correction and recall, and the dates by which a school year locks."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from signer.control.records import Asking, Records
from signer.errors import InvalidArgument, RecordNotFound, SchoolNotFound
from signer.journal.records import RecordFilter
from signer.server import convert, convert_approvals, convert_register
from signer.server.convert import SLOTS
from signer.server.door import current_operator, current_visit
from signer.v1 import record_pb2, record_pb2_grpc

_operator = partial(current_operator, "set the dates by which records lock")
_PAGE_SIZE_MAX: Final = 1000
_UUID_CHARACTERS: Final = 36


class RegisterMethods(record_pb2_grpc.RecordServiceServicer):
    """Convert, ask `control.records`, convert. Another school's record looks like one that is not there."""

    def __init__(self, register: Records) -> None:
        self._register = register

    async def GetRecord(  # noqa: N802
        self,
        request: record_pb2.GetRecordRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.GetRecordResponse:
        """A record with its whole history."""
        record_uuid = _uuid(request.record_uuid)
        school_id = _school_of_record(request.school_id, record_uuid)
        return convert_register.history(await self._register.history(school_id, record_uuid))

    async def ListRecords(  # noqa: N802
        self,
        request: record_pb2.ListRecordsRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.ListRecordsResponse:
        """A page by class and UUID; the page token is the last UUID and class of the page before."""
        school_id = _school(request.school_id)
        if request.awaiting and request.awaiting not in SLOTS:
            raise InvalidArgument("awaiting is not one of this contract", field="awaiting")
        record_uuid, _, class_id = request.page_token.partition(" ")
        wanted = RecordFilter(school_id, convert_register.school_year(request.school_year), request.class_id, after=(class_id, record_uuid))
        limit = min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
        listed = await self._register.page(wanted, convert_register.states(request.states), SLOTS.get(request.awaiting), limit)
        return record_pb2.ListRecordsResponse(
            records=[convert_register.record(view) for view in listed.records],
            next_page_token="" if listed.next_after is None else f"{listed.next_after[1]} {listed.next_after[0]}",
        )

    async def RequestCorrection(  # noqa: N802
        self,
        request: record_pb2.RequestCorrectionRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.RequestCorrectionResponse:
        """What must be decided before the replacement may be signed."""
        approval = await self._register.request_correction(_asking(request), request.replacement_record_uuid, request.changes)
        return record_pb2.RequestCorrectionResponse(approval=convert_approvals.approval(approval))

    async def RequestRecall(  # noqa: N802
        self,
        request: record_pb2.RequestRecallRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.RequestRecallResponse:
        """What the Department must decide."""
        approval = await self._register.request_recall(_asking(request))
        return record_pb2.RequestRecallResponse(approval=convert_approvals.approval(approval))

    async def GetCalendar(  # noqa: N802
        self,
        request: record_pb2.GetCalendarRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.GetCalendarResponse:
        """The dates that hold, of the school or else the Department."""
        school_id = _school(request.school_id) if request.school_id else ""
        dates = await self._register.calendar(school_id, convert_register.school_year(request.school_year))
        return record_pb2.GetCalendarResponse(calendar=convert_register.calendar_message(school_id, dates))

    async def SetCalendar(  # noqa: N802
        self,
        request: record_pb2.SetCalendarRequest,
        context: Any,  # noqa: ARG002
    ) -> record_pb2.SetCalendarResponse:
        """Sets them, for all schools or one."""
        client_id = _operator()
        school_id = convert.identifier(request.calendar.school_id, "calendar.school_id") if request.calendar.school_id else ""
        dates = await self._register.set_calendar(client_id, school_id, convert_register.calendar(request.calendar), request.approval_id)
        return record_pb2.SetCalendarResponse(calendar=convert_register.calendar_message(school_id, dates))


def _asking(request: record_pb2.RequestCorrectionRequest | record_pb2.RequestRecallRequest) -> Asking:
    record_uuid = _uuid(request.record_uuid)
    return Asking(
        current_visit().caller.client_id,
        convert.identifier(request.request_id, "request_id"),
        _school_of_record(request.school_id, record_uuid),
        record_uuid,
        convert.identifier(request.person_id, "person_id"),
        request.reason,
    )


def _school(school_id: str) -> str:
    school_id = convert.identifier(school_id, "school_id")
    current_visit().require_school(school_id)
    return school_id


def _school_of_record(school_id: str, record_uuid: str) -> str:
    """The school; its record is not there for a caller that does not speak for it."""
    try:
        return _school(school_id)
    except SchoolNotFound as error:
        raise RecordNotFound("no such record of this school", record=record_uuid) from error


def _uuid(value: str) -> str:
    if len(value) != _UUID_CHARACTERS:
        raise InvalidArgument("record_uuid must be a UUID", field="record_uuid")
    return value.lower()
