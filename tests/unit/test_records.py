"""Records as school software exports them and as they are after each signature: what is found, and what is signed."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from signer.demo.ministry_xml import RecordLayout
from signer.demo.preflight import write_records
from signer.demo.pupils import generate_class
from signer.demo.records import Fault, spoil
from signer.documents.wire import Trust
from signer.errors import DocumentDamaged, RecordUnfit
from signer.model import RecordPlan, Role
from signer.records.order import Flaw, Standing
from signer.records.problem import Wording
from tests.support import xmls
from tests.support.records import CLERK, HOMEROOM, OFFICE, ORDER, PRINCIPAL, TEACHERS, record, signed

PRIMARY, MULTI_LEVEL = RecordLayout.PRIMARY_V1, RecordLayout.MULTI_LEVEL
DS = "{http://www.w3.org/2000/09/xmldsig#}"
FIRST = {PRIMARY: HOMEROOM, MULTI_LEVEL: TEACHERS[0]}
FAULTS = {
    Fault.PERSONAL_NUMBER_MISSING: "PERSONAL_NUMBER_MISSING",
    Fault.PERSONAL_NUMBER_SHORT: "PERSONAL_NUMBER_MISSING",
    Fault.RESULT_MISSING: "RESULTS_UNFINISHED",
    Fault.OTHER_SCHOOL: "SCHOOL_MISMATCH",
    Fault.UUID_MISSING: "UUID_INVALID",
    Fault.UUID_OF_TIME: "UUID_INVALID",
    Fault.LAYOUT_UNKNOWN: "LAYOUT_UNKNOWN",
}
LATER_FAULTS = {
    Fault.SUMMARY_MISSING: "RESULTS_UNFINISHED",
    Fault.ID_WRONG: "LAYOUT_VIOLATED",
    Fault.ID_TWICE: "LAYOUT_VIOLATED",
    Fault.SLOT_MISSING: "SLOT_MISSING",
}


def edited(document: bytes, edit: Callable[[etree._Element], None]) -> bytes:
    root = etree.fromstring(document)
    edit(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def one(root: etree._Element, path: str) -> etree._Element:
    found = root.xpath(path)
    assert isinstance(found, list)
    assert len(found) == 1
    assert isinstance(found[0], etree._Element)
    return found[0]


@pytest.mark.parametrize("layout", RecordLayout)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_record_lacks_is_found_and_nothing_else(layout: RecordLayout, fault: Fault) -> None:
    assert OFFICE.problems(spoil(record(layout), fault), FIRST[layout]) == [FAULTS[fault]]


@pytest.mark.parametrize("fault", LATER_FAULTS)
def test_what_a_principals_record_lacks_is_found_and_nothing_else(fault: Fault) -> None:
    assert OFFICE.problems(spoil(record(PRIMARY), fault), PRINCIPAL) == [LATER_FAULTS[fault]]


def test_a_record_that_cannot_be_read_is_an_error_of_its_own() -> None:
    with pytest.raises(DocumentDamaged):
        OFFICE.check(spoil(record(PRIMARY), Fault.TRUNCATED), PRINCIPAL)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    spoilt = spoil(spoil(spoil(record(PRIMARY), Fault.OTHER_SCHOOL), Fault.UUID_MISSING), Fault.SUMMARY_MISSING)
    assert set(OFFICE.problems(spoilt, CLERK)) == {"SCHOOL_MISMATCH", "UUID_INVALID", "RESULTS_UNFINISHED", "EARLIER_SIGNATURE_MISSING"}


def may_sign(layout: RecordLayout, count: int) -> list[RecordPlan]:
    """Whose turn it is after so many signatures: teachers in any order; a primary record's principal may be the first."""
    order = ORDER[layout]
    if layout is PRIMARY:
        return list(order[count : count + (2 if count == 0 else 1)])
    return list(order[count : len(TEACHERS)] if count < len(TEACHERS) else order[count : count + 1])


@pytest.mark.parametrize("layout", RecordLayout)
def test_a_record_is_signed_from_the_first_teacher_to_the_seal_and_each_signature_stands(layout: RecordLayout) -> None:
    order = ORDER[layout]
    for count in range(len(order) + 1):
        assert [plan for plan in order if not OFFICE.problems(signed(layout, count), plan)] == may_sign(layout, count)
    slots = OFFICE.check(signed(layout, len(order)), order[-1]).slots
    assert [slot.standing for slot in slots] == [Standing.VALID] * len(order)
    assert all("Nguyễn Thị Hạnh" in slot.signer_subject for slot in slots)


def test_a_primary_record_may_do_without_its_homeroom_teacher() -> None:
    sealed = OFFICE.sign(OFFICE.sign(record(PRIMARY), PRINCIPAL), CLERK)
    assert [slot.standing for slot in OFFICE.check(sealed, CLERK).slots] == [Standing.UNSIGNED, Standing.VALID, Standing.VALID]
    assert "LAYOUT_VIOLATED" in OFFICE.problems(sealed, HOMEROOM)


def test_whoever_signs_out_of_order_is_refused_with_the_finding() -> None:
    with pytest.raises(RecordUnfit) as refused:
        OFFICE.sign(record(PRIMARY), CLERK)
    assert refused.value.metadata["finding"] == "EARLIER_SIGNATURE_MISSING"
    assert "CBQL" in refused.value.message


SUMMARY = ".//DANH_GIA_KET_QUA_GIAO_DUC"


def _change_summary(root: etree._Element) -> None:
    one(root, SUMMARY).text = "Xuất sắc"


def _swap(root: etree._Element) -> None:
    """The principal's signature into the homeroom teacher's slot, whose data is another."""
    one(root, "//GVCN").append(one(root, "//CBQL/*"))


def _wrap(root: etree._Element) -> None:
    """What was signed is kept aside under its Id, and other data stands in its place."""
    data = one(root, "/HOC_BA/DU_LIEU_HOC_BA")
    aside = etree.SubElement(root, "LUU_TRU")
    copied = etree.fromstring(etree.tostring(data))
    aside.append(copied)
    data.set("Id", "data2")
    _change_summary_in(data)


def _change_summary_in(data: etree._Element) -> None:
    one(data, SUMMARY).text = "Xuất sắc"


def test_a_seal_is_refused_over_a_signature_of_other_data() -> None:
    changed = edited(signed(PRIMARY, 2), _change_summary)
    reply = OFFICE.check(changed, CLERK)
    assert [slot.flaw for slot in reply.slots] == [Flaw.ALTERED, Flaw.ALTERED, None]
    assert [finding.problem.name for finding in reply.findings] == ["EARLIER_SIGNATURE_INVALID"] * 2
    assert "đã bị sửa" in reply.findings[0].vi


def test_a_seal_is_refused_over_signed_data_that_was_put_aside() -> None:
    wrapped = edited(signed(PRIMARY, 2), _wrap)
    assert "LAYOUT_VIOLATED" in OFFICE.problems(wrapped, CLERK)
    assert not any(slot.standing is Standing.VALID for slot in OFFICE.check(wrapped, CLERK).slots)


def test_a_signature_in_another_ones_slot_does_not_count() -> None:
    multi_level = signed(MULTI_LEVEL, len(TEACHERS) + 2)
    moved = edited(multi_level, lambda root: (one(root, "//GVCN").remove(one(root, "//GVCN/*")), _swap(root))[1])  # type: ignore[func-returns-value]
    (homeroom,) = [slot for slot in OFFICE.check(moved, CLERK).slots if slot.slot.value == "GVCN"]
    assert homeroom.flaw is Flaw.MISPLACED


def test_signers_of_unknown_cas_do_not_count() -> None:
    strangers = replace(
        OFFICE, trust=Trust(signing=(xmls.signer(number=1).issued.der,), timestamping=(), intermediates=(), allow_sha1=False)
    )
    reply = strangers.check(signed(PRIMARY, 2), CLERK)
    assert {slot.flaw for slot in reply.slots[:2]} == {Flaw.UNTRUSTED}


def test_a_certificate_that_cannot_be_read_beside_the_signers_breaks_nothing() -> None:
    def empty(root: etree._Element) -> None:
        one(root, "//GVCN//*[local-name()='X509Certificate'][2]").text = ""

    assert OFFICE.check(edited(signed(PRIMARY, 1), empty), PRINCIPAL).slots[0].standing is Standing.VALID


def test_a_signature_outside_every_slot_is_found() -> None:
    stray = edited(signed(PRIMARY, 1), lambda root: root.append(one(root, "//GVCN/*")))
    assert OFFICE.problems(stray, PRINCIPAL) == ["LAYOUT_VIOLATED"]


def test_two_signatures_in_a_slot_are_found() -> None:
    def double(root: etree._Element) -> None:
        one(root, "//GVCN").append(etree.fromstring(etree.tostring(one(root, "//GVCN/*"))))

    assert "LAYOUT_VIOLATED" in OFFICE.problems(edited(signed(PRIMARY, 1), double), PRINCIPAL)


def test_a_subjects_teacher_does_not_wait_for_other_subjects() -> None:
    def forget_maths(root: etree._Element) -> None:
        one(root, "//DIEM_TONG_KET[@Id='DTK_TOAN']").remove(one(root, "//DIEM_TONG_KET[@Id='DTK_TOAN']/MUC_DAT_DUOC"))
        one(root, "//TONG_KET/..").remove(one(root, "//TONG_KET"))

    unfinished = edited(record(MULTI_LEVEL), forget_maths)
    assert OFFICE.problems(unfinished, RecordPlan(Role.SUBJECT_TEACHER, subject_id="GV_AM_NHAC")) == []
    assert OFFICE.problems(unfinished, RecordPlan(Role.SUBJECT_TEACHER, subject_id="GV_TOAN")) == ["RESULTS_UNFINISHED"]
    assert OFFICE.problems(unfinished, HOMEROOM).count("RESULTS_UNFINISHED") == 2


def test_a_subject_that_is_not_in_the_record_has_no_slot() -> None:
    assert OFFICE.problems(record(MULTI_LEVEL), RecordPlan(Role.SUBJECT_TEACHER, subject_id="GV_NGOAI_NGU")) == ["SLOT_MISSING"]
    assert OFFICE.problems(record(PRIMARY), TEACHERS[0]) == ["SLOT_MISSING"]


def test_a_subjects_result_without_a_slot_for_its_teacher_keeps_the_others_from_signing() -> None:
    def drop_slot(root: etree._Element) -> None:
        one(root, "//DANH_SACH_GVBM").remove(one(root, "//DANH_SACH_GVBM/GVBM[@Id='GV_TOAN']"))

    assert "LAYOUT_VIOLATED" in OFFICE.problems(edited(record(MULTI_LEVEL), drop_slot), HOMEROOM)


def test_primary_schools_may_use_the_multi_level_layout_without_subject_teachers_and_others_may_not() -> None:
    def drop_teachers(root: etree._Element) -> None:
        one(root, "//DANH_SACH_GVBM/..").remove(one(root, "//DANH_SACH_GVBM"))
        for teacher in root.findall(".//DIEM_TONG_KET/GVBM"):
            parent = teacher.getparent()
            assert parent is not None
            parent.remove(teacher)

    primary = edited(record(MULTI_LEVEL), drop_teachers)
    assert OFFICE.problems(primary, HOMEROOM) == []
    secondary = primary.replace(b"<CAP_HOC>TIEU_HOC<", b"<CAP_HOC>THCS<")
    assert OFFICE.problems(secondary, HOMEROOM) == ["LAYOUT_VIOLATED"]


def test_what_the_plan_names_must_be_the_records() -> None:
    document = record(PRIMARY)
    plan = RecordPlan(Role.PRINCIPAL, layout_id="moet-1.0-primary", class_id="1A", school_year=2025)
    assert OFFICE.problems(document, plan) == []
    assert OFFICE.problems(document, replace(plan, layout_id="moet-2.0")) == ["LAYOUT_UNKNOWN"]
    assert OFFICE.problems(document, replace(plan, class_id="1B")) == ["ROLE_NOT_ASSIGNED"]
    assert OFFICE.problems(document, replace(plan, school_year=2024)) == ["ROLE_NOT_ASSIGNED"]
    assert replace(OFFICE, today=date(2023, 9, 1)).problems(document, plan) == ["LAYOUT_UNKNOWN"]


def test_a_record_that_says_two_things_of_itself_is_refused() -> None:
    def contradict(root: etree._Element) -> None:
        etree.SubElement(one(root, "//CO_SO_GIAO_DUC"), "MA_TRUONG").text = "00000202"

    assert OFFICE.problems(edited(record(PRIMARY), contradict), PRINCIPAL) == ["LAYOUT_VIOLATED", "SCHOOL_MISMATCH"]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.TRUNCATED])
@pytest.mark.parametrize("plan", [FIRST[PRIMARY], PRINCIPAL, CLERK], ids=lambda plan: plan.role.value)
def test_no_finding_repeats_what_the_record_says_of_a_pupil(fault: Fault, plan: RecordPlan) -> None:
    spoilt = spoil(signed(PRIMARY, 1), fault)
    texts = {str(text).strip() for text in etree.fromstring(spoilt).itertext()}
    secrets = {text for text in texts if len(text) > 3} - {"00000202", "TIEU_HOC"}
    for finding in OFFICE.check(spoilt, plan).findings:
        for said in (finding.en, finding.vi, finding.location):
            assert not [secret for secret in secrets if re.search(rf"\b{re.escape(secret)}\b", said)]


@pytest.mark.parametrize("wording", Wording)
def test_both_languages_say_the_same(wording: Wording) -> None:
    _problem, en, vi = wording.value
    placeholders = [{name.removesuffix("_vi") for _, name, _, _ in string.Formatter().parse(text) if name} for text in (en, vi)]
    assert placeholders[0] == placeholders[1]


def test_the_signer_of_another_key_is_named_by_its_certificate() -> None:
    by = xmls.signer(number=1)
    reply = OFFICE.check(OFFICE.sign(record(PRIMARY), HOMEROOM, by), PRINCIPAL)
    assert "Nguyễn Thị Hạnh 1" in reply.slots[0].signer_subject


def test_the_demonstrations_class_is_fit_but_for_three_records(tmp_path: Path) -> None:
    write_records(tmp_path, generate_class())
    found = [OFFICE.problems(path.read_bytes(), HOMEROOM) for path in sorted(tmp_path.iterdir())]
    assert sorted(problem for problems in found for problem in problems) == [
        "PERSONAL_NUMBER_MISSING",
        "RESULTS_UNFINISHED",
        "SCHOOL_MISMATCH",
    ]
    assert len(found) == 35
