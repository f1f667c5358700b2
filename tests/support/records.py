"""Records signed slot by slot as the daemon signs them, with keys in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from signer.demo.ministry_xml import RecordLayout
from signer.demo.pupils import DEMO_SCHOOL
from signer.demo.records import class_records
from signer.documents.records import check_record, find_slot
from signer.documents.wire import CheckedRecordReply, CheckRecordCall, FindSlotCall, Trust
from signer.formats.xml.alike.memory import Memory
from signer.formats.xml.template import XmlProfile
from signer.model import RecordPlan, Role
from signer.records.examination import Expectation
from signer.records.layout_files import load_layouts
from tests.support import pki, xmls

LAYOUTS = load_layouts()
TODAY = date(2026, 5, 29)
NOW = "2026-05-29T22:00:00+07:00"
TRUST = Trust(signing=(pki.root().der,), timestamping=(), intermediates=(pki.authority().der,), allow_sha1=False)
SUBJECTS = (
    *("GV_TIENG_VIET", "GV_TOAN", "GV_DAO_DUC", "GV_TU_NHIEN_XA_HOI", "GV_GIAO_DUC_THE_CHAT", "GV_AM_NHAC", "GV_MI_THUAT"),
    "GV_HOAT_DONG_TRAI_NGHIEM",
)
HOMEROOM, PRINCIPAL, CLERK = RecordPlan(Role.HOMEROOM_TEACHER), RecordPlan(Role.PRINCIPAL), RecordPlan(Role.CLERK)
TEACHERS = tuple(RecordPlan(Role.SUBJECT_TEACHER, subject_id=subject) for subject in SUBJECTS)
ORDER = {RecordLayout.PRIMARY_V1: (HOMEROOM, PRINCIPAL, CLERK), RecordLayout.MULTI_LEVEL: (*TEACHERS, HOMEROOM, PRINCIPAL, CLERK)}
"""Who signs a record, in their order."""


@dataclass(frozen=True)
class Office:
    """A school that checks and signs records. trust: whom it believes."""

    school_code: str = DEMO_SCHOOL.code
    today: date = TODAY
    trust: Trust = TRUST

    def check(self, record: bytes, plan: RecordPlan) -> CheckedRecordReply:
        """As a document worker does."""
        call = CheckRecordCall(document=record, expectation=self.expectation(plan), trust=self.trust, now=NOW)
        return check_record(call, LAYOUTS)

    def problems(self, record: bytes, plan: RecordPlan) -> list[str]:
        """The names of what it lacks."""
        return [finding.problem.name for finding in self.check(record, plan).findings]

    def sign(self, record: bytes, plan: RecordPlan, by: xmls.Signer | None = None) -> bytes:
        """The record with one more signature; RecordUnfit when it must not be signed so."""
        reply = find_slot(self.slot_call(record, plan), LAYOUTS, Memory())
        return xmls.complete(record, reply.examined, by or xmls.signer(), XmlProfile.MINISTRY)

    def slot_call(self, record: bytes, plan: RecordPlan) -> FindSlotCall:
        return FindSlotCall(document=record, expectation=self.expectation(plan), trust=self.trust, now=NOW)

    def expectation(self, plan: RecordPlan) -> Expectation:
        return Expectation(plan, self.school_code, self.today)


OFFICE = Office()


@cache
def record(layout: RecordLayout) -> bytes:
    """An unsigned record."""
    return class_records(layout, size=1)[0].content


@cache
def signed(layout: RecordLayout, count: int) -> bytes:
    """The record with the first `count` signatures of its order."""
    if count == 0:
        return record(layout)
    return OFFICE.sign(signed(layout, count - 1), ORDER[layout][count - 1])
