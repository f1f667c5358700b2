"""Records: which of a class may be signed, before any key is used."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC

import grpc

from signer.client import convert
from signer.client.channel import Connection
from signer.client.record_values import LayoutInfo, LayoutSlotInfo, RecordCheck, RecordFinding, RecordReport, RecordSlotState
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.client.values import Document
from signer.errors import ServiceUnreachable
from signer.model import RecordPlan, RecordSlot, Role
from signer.records.problem import RecordProblem
from signer.v1 import batch_pb2, common_pb2, plan_pb2, record_pb2, record_pb2_grpc

_CALL_TIMEOUT_S = 60.0
_CHECK_TIMEOUT_S = 600.0
_PIECE_BYTES = 512 * 1024

_PROBLEMS = {record_pb2.RecordProblem.Value(f"RECORD_PROBLEM_{problem.name}"): problem for problem in RecordProblem}
_SLOTS = {common_pb2.RecordSlot.Value(f"RECORD_SLOT_{slot.name}"): slot for slot in RecordSlot}
_ROLES = {common_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
_SLOT_NUMBERS = {slot: number for number, slot in _SLOTS.items()}
_ROLE_NUMBERS = {role: number for number, role in _ROLES.items()}


class RecordClient:
    """The records part of `SignerClient`."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def check(
        self,
        documents: Sequence[Document],
        plan: RecordPlan,
        *,
        school_id: str,
        credential_id: str = "",
        timeout_s: float = _CHECK_TIMEOUT_S,
    ) -> RecordCheck:
        """Which of these records may be signed in the plan's role, and what the others lack. Uses no key, changes nothing.

        credential_id: the credential that would sign, looked at as well. A broken connection is tried again until timeout_s.

        Raises:
            RemoteError, AccessError, RequestError …: the check as a whole was refused, or the daemon can't be reached.
            OSError: a document can't be read.
        """
        header = record_pb2.RecordCheckHeader(school_id=school_id, record=record_plan(plan), credential_id=credential_id)

        def check_once(request: record_pb2.RecordCheckHeader, /, *, timeout: float) -> RecordCheck:
            stub = record_pb2_grpc.RecordServiceStub(self._connection.channel)
            return _check(stub, _Sending(request, documents), timeout)

        return call_patiently(check_once, header, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    def layouts(self, *, timeout_s: float = _CALL_TIMEOUT_S) -> list[LayoutInfo]:
        """The layouts of records that the appliance knows, by id."""
        stub = record_pb2_grpc.RecordServiceStub(self._connection.channel)
        deadline_s = time.monotonic() + timeout_s
        response = call_patiently(stub.ListLayouts, record_pb2.ListLayoutsRequest(), policy=self._policy, deadline_s=deadline_s)
        return [_layout(layout) for layout in response.layouts]


def _check(stub: record_pb2_grpc.RecordServiceStub, sending: _Sending, timeout_s: float) -> RecordCheck:
    """One call, to its summary. Raises grpc.RpcError; ServiceUnreachable for a stream that ends without one."""
    call = stub.CheckRecords(iter(sending), timeout=timeout_s)
    reports: list[RecordReport] = []
    try:
        for message in call:
            if message.WhichOneof("message") == "summary":
                counts = {_PROBLEMS[each.problem]: each.count for each in message.summary.problems if each.problem in _PROBLEMS}
                return RecordCheck(tuple(reports), counts)
            reports.append(_report(message.report))
    except grpc.RpcError:
        sending.raise_failure()
        raise
    finally:
        call.cancel()
    raise ServiceUnreachable("the stream ended without a summary")


class _Sending:
    """A call's outgoing side, which runs in gRPC's thread: what goes wrong there is raised where the caller is."""

    def __init__(self, header: record_pb2.RecordCheckHeader, documents: Sequence[Document]) -> None:
        self._header = header
        self._documents = documents
        self._failure: OSError | None = None

    def __iter__(self) -> Iterator[record_pb2.CheckRecordsRequest]:
        yield record_pb2.CheckRecordsRequest(header=self._header)
        for document in self._documents:
            try:
                content = document.read()
            except OSError as error:
                self._failure = error
                raise
            yield record_pb2.CheckRecordsRequest(
                document=batch_pb2.DocumentStart(document_id=document.id, size_bytes=len(content), data=content[:_PIECE_BYTES])
            )
            for at in range(_PIECE_BYTES, len(content), _PIECE_BYTES):
                yield record_pb2.CheckRecordsRequest(chunk=batch_pb2.DocumentChunk(data=content[at : at + _PIECE_BYTES]))

    def raise_failure(self) -> None:
        """The document's own error, if that is what ended the call."""
        if self._failure is not None:
            raise self._failure


def record_plan(plan: RecordPlan) -> plan_pb2.RecordPlan:
    """The plan as a message."""
    return plan_pb2.RecordPlan(
        role=_ROLE_NUMBERS[plan.role],
        layout_id=plan.layout_id,
        slot=common_pb2.RECORD_SLOT_UNSPECIFIED if plan.slot is None else _SLOT_NUMBERS[plan.slot],
        subject_id=plan.subject_id,
        class_id=plan.class_id,
        school_year=plan.school_year,
        delegation_id=plan.delegation_id,
    )


def _report(message: record_pb2.RecordReport) -> RecordReport:
    return RecordReport(
        message.document_id,
        message.record_uuid,
        message.layout_id,
        tuple(_finding(each) for each in message.findings),
        tuple(
            RecordSlotState(_SLOTS.get(each.slot), each.subject_id, each.signed, each.valid, each.signer_subject) for each in message.slots
        ),
    )


def _finding(message: record_pb2.RecordFinding) -> RecordFinding:
    error = convert.item_error(message.status) if message.HasField("status") else None
    return RecordFinding(_PROBLEMS.get(message.problem), message.message, message.location, error)


def _layout(message: record_pb2.Layout) -> LayoutInfo:
    slots = tuple(
        LayoutSlotInfo(
            _SLOTS.get(each.slot),
            tuple(_ROLES[role] for role in each.roles if role in _ROLES),
            each.xpath,
            tuple(each.references),
            each.optional,
            tuple(_SLOTS[slot] for slot in each.after if slot in _SLOTS),
        )
        for each in message.slots
    )
    return LayoutInfo(message.layout_id, message.display_name, message.valid_from.ToDatetime(UTC), slots)
