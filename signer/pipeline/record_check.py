"""A class before any key is used: every record is looked at by a document worker, and held against the others of the class here.

Reads only: nothing is journalled, no token is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from signer.documents.wire import CheckedRecordReply, CheckRecordCall, Trust
from signer.errors import SignerError
from signer.model import RecordPlan
from signer.people.person import Scope
from signer.pipeline.record_slots import Register, known_findings, role_finding
from signer.records.calendar import vietnamese_day
from signer.records.examination import Expectation
from signer.records.layout import Layout
from signer.records.order import SlotStanding
from signer.records.plan_rules import require_plan
from signer.records.problem import Finding, RecordProblem, Wording, found

if TYPE_CHECKING:
    from signer.pipeline.role_check import Acting


class SchoolCodes(Protocol):
    """Whoever knows the schools."""

    def code_of(self, school_id: str) -> str:
        """A school's MA_TRUONG."""


class RecordDoor(Protocol):
    """Document workers."""

    async def check_record(self, call: CheckRecordCall) -> CheckedRecordReply:
        """What is wrong with a record; raises a leaf of DocumentError."""


@dataclass(slots=True)
class RecordRooms:
    """What records are checked with. trust: whom earlier signers are believed under, as it is now. register: of records met before.

    seal_in_person: see `seal_rule`.
    """

    layouts: tuple[Layout, ...]
    schools: SchoolCodes
    workers: RecordDoor
    trust: Callable[[], Trust]
    utc_now: Callable[[], datetime]
    register: Register | None = None
    seal_in_person: bool = True


@dataclass(frozen=True, slots=True)
class RecordVerdict:
    """One record's report. cause: why it can't be read; None when it could be. Fit when there are no findings."""

    document_id: str
    record_uuid: str = ""
    layout_id: str = ""
    slots: tuple[SlotStanding, ...] = ()
    findings: tuple[Finding, ...] = ()
    cause: SignerError | None = None


@dataclass(slots=True)
class CheckTally:
    """Counts of a check. problems: how many records have each."""

    fit: int = 0
    unfit: int = 0
    problems: Counter[RecordProblem] = field(default_factory=Counter)

    @property
    def checked(self) -> int:
        """Records read."""
        return self.fit + self.unfit


class ClassCheck:
    """One check. acting: in which right the signer would sign, where that is known.

    `look` may run for many records at once; `judge` is asked for one after the other, in their order.

    Raises what `require_plan` raises when it is made.
    """

    def __init__(self, rooms: RecordRooms, school_id: str, plan: RecordPlan) -> None:
        self._slot = require_plan(plan, rooms.layouts)
        self._at = rooms.utc_now()
        self.tally = CheckTally()
        self._rooms = rooms
        self._school_id = school_id
        self.plan = plan
        self.acting: Acting | None = None
        self._expectation = Expectation(plan, rooms.schools.code_of(school_id), vietnamese_day(self._at))
        self._first_of: dict[str, str] = {}

    async def look(self, content: bytes) -> CheckedRecordReply | SignerError:
        """What is wrong with a record by itself, or why it can't be read."""
        now = self._at.isoformat()
        call = CheckRecordCall(document=content, expectation=self._expectation, trust=self._rooms.trust(), now=now)
        try:
            return await self._with_known(await self._rooms.workers.check_record(call))
        except SignerError as error:
            return error

    async def _with_known(self, looked: CheckedRecordReply) -> CheckedRecordReply:
        """The same with what is known of the record from before; a PDF does not say which record it is."""
        register, identity = self._rooms.register, looked.identity
        if not identity.record_uuid:
            return looked
        found = []
        if register is not None:
            found = [finding for finding, _kept in await known_findings(register, self._school_id, [identity], self._slot, self._at)]
        found.append(role_finding(self.acting, Scope(self._school_id, identity.school_year, identity.class_id, self.plan.subject_id)))
        more = tuple(each for each in found if each is not None)
        return msgspec.structs.replace(looked, findings=(*looked.findings, *more)) if more else looked

    def judge(self, document_id: str, looked: CheckedRecordReply | SignerError) -> RecordVerdict:
        """The record's report, with what only the class shows. Of two records with one UUID the later one has the finding."""
        if isinstance(looked, SignerError):
            verdict = RecordVerdict(document_id, findings=(found(Wording.UNREADABLE, why=looked.message),), cause=looked)
        else:
            record_uuid = looked.identity.record_uuid
            doubles = self._doubles(document_id, record_uuid)
            others = [each for each in looked.findings if not doubles or each.problem is not RecordProblem.DUPLICATE_UUID]
            findings = (*others, *doubles)
            verdict = RecordVerdict(document_id, record_uuid, looked.layout_id, looked.slots, findings)
        self._count(verdict)
        return verdict

    def _doubles(self, document_id: str, record_uuid: str) -> tuple[Finding, ...]:
        first = self._first_of.setdefault(record_uuid, document_id) if record_uuid else document_id
        return () if first == document_id else (found(Wording.DUPLICATE_UUID, first=first),)

    def _count(self, verdict: RecordVerdict) -> None:
        if not verdict.findings:
            self.tally.fit += 1
            return
        self.tally.unfit += 1
        self.tally.problems.update({finding.problem for finding in verdict.findings})
