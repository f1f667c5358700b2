"""Between messages and values of records."""

from __future__ import annotations

import datetime as dt
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from signer.errors import InvalidArgument
from signer.model import RecordPlan
from signer.pipeline.record_check import CheckTally, RecordVerdict
from signer.records.calendar import VIETNAM
from signer.records.layout import Layout, LayoutSlot
from signer.records.order import SlotStanding, Standing
from signer.records.problem import Finding, RecordProblem
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.convert import ROLE_NUMBERS, ROLES, SLOT_NUMBERS, SLOTS
from signer.v1 import plan_pb2, record_pb2

_PROBLEM_NUMBERS: dict[RecordProblem, Any] = {
    problem: record_pb2.RecordProblem.Value(f"RECORD_PROBLEM_{problem.name}") for problem in RecordProblem
}
_TEXT_MAX = 128
_SCHOOL_YEARS = range(2000, 2200)


def record_plan(message: plan_pb2.RecordPlan, path: str) -> RecordPlan:
    """The rules that a request claims to keep. path: what stands before a field's name in the error, such as `plan.record.`."""
    if message.role not in ROLES:
        raise InvalidArgument(f"{path}role is required: in which role the records are signed", field=f"{path}role")
    if message.slot and message.slot not in SLOTS:
        raise InvalidArgument(f"{path}slot {message.slot} is not one of this contract", field=f"{path}slot")
    for name in ("layout_id", "subject_id", "class_id", "delegation_id"):
        if len(getattr(message, name)) > _TEXT_MAX:
            raise InvalidArgument(f"{path}{name} is longer than {_TEXT_MAX} characters", field=f"{path}{name}")
    if message.school_year and message.school_year not in _SCHOOL_YEARS:
        raise InvalidArgument(
            f"{path}school_year is the school year's first calendar year, such as 2025; 0: taken from each record",
            field=f"{path}school_year",
        )
    return RecordPlan(
        ROLES[message.role],
        message.layout_id,
        SLOTS.get(message.slot),
        message.subject_id,
        message.class_id,
        message.school_year,
        message.delegation_id,
    )


def layout(value: Layout) -> record_pb2.Layout:
    """A layout as callers see it."""
    return record_pb2.Layout(
        layout_id=value.id,
        display_name=value.display_name,
        slots=[_layout_slot(slot) for slot in value.slots],
        valid_from=_midnight(value.valid_from),
    )


def _layout_slot(slot: LayoutSlot) -> record_pb2.LayoutSlot:
    return record_pb2.LayoutSlot(
        slot=SLOT_NUMBERS[slot.slot],
        roles=[ROLE_NUMBERS[role] for role in slot.roles],
        xpath=slot.place,
        references=[f"#{reference.id}" if reference.id else f"# and the Id of {reference.element}" for reference in slot.references],
        optional=slot.optional,
        after=[SLOT_NUMBERS[earlier] for earlier in slot.after],
    )


def _midnight(day: dt.date) -> Timestamp:
    return convert.timestamp(dt.datetime.combine(day, dt.time(), VIETNAM))


def report(verdict: RecordVerdict) -> record_pb2.RecordReport:
    """One record's report."""
    return record_pb2.RecordReport(
        # One that was refused for its id may have an id of megabytes; the order of the reports tells which it was.
        document_id=verdict.document_id[: convert.IDENTIFIER_MAX],
        record_uuid=verdict.record_uuid,
        fit=not verdict.findings,
        findings=[_finding(finding, verdict) for finding in verdict.findings],
        layout_id=verdict.layout_id,
        slots=[slot_state(standing) for standing in verdict.slots],
    )


def _finding(finding: Finding, verdict: RecordVerdict) -> record_pb2.RecordFinding:
    message = record_pb2.RecordFinding(problem=_PROBLEM_NUMBERS[finding.problem], location=finding.location, message=finding.vi)
    if finding.problem is RecordProblem.UNREADABLE and verdict.cause is not None:
        message.status.CopyFrom(to_rpc_status(verdict.cause))
    return message


def slot_state(standing: SlotStanding) -> record_pb2.SlotState:
    """How one slot stands."""
    return record_pb2.SlotState(
        slot=SLOT_NUMBERS[standing.slot],
        subject_id=standing.subject_id,
        signed=standing.is_signed,
        valid=standing.standing is Standing.VALID,
        signer_subject=standing.signer_subject,
    )


def summary(tally: CheckTally) -> record_pb2.RecordCheckSummary:
    """What a check found."""
    problems = sorted(tally.problems.items(), key=lambda counted: counted[0].name)
    return record_pb2.RecordCheckSummary(
        checked=tally.checked,
        fit=tally.fit,
        unfit=tally.unfit,
        problems=[record_pb2.RecordProblemCount(problem=_PROBLEM_NUMBERS[problem], count=count) for problem, count in problems],
    )
