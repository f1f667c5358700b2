"""A pupil's record as the Ministry's XML, in both layouts that are in use (design: domain §2), unsigned: the signature slots are empty.

W3C XML 1.0 in UTF-8. Rules of the room: tags are UPPER_SNAKE without accents; an absent value is an absent tag; times carry their
offset; what is signed has an `Id` and lies outside every slot; the same pupil gives the same bytes. Field names below the levels that
domain §2 names follow its manner and are the demo's own: the appliance must not depend on them.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path

from lxml import etree

from signer.demo import phrases
from signer.demo.pupils import Pupil, SchoolClass, SubjectResult, TermResult, TraitResult
from signer.demo.report_card import file_stem

_VIETNAM = dt.timezone(dt.timedelta(hours=7))
_CLOSING_TIME = dt.time(16, 30, tzinfo=_VIETNAM)
_COMMENTED_MONTHS = (9, 10, 11, 2, 3)
_Element = etree._Element  # noqa: SLF001 - lxml names the type of its elements nowhere else


class RecordLayout(Enum):
    """A layout of the Ministry's record; the value is HOC_BA's PHIEN_BAN."""

    PRIMARY_V1 = "1.0"
    MULTI_LEVEL = "2.0"


def write_class_xml(directory: Path, school_class: SchoolClass, layout: RecordLayout = RecordLayout.PRIMARY_V1) -> list[Path]:
    """Write one XML file a pupil, named as the pupil's PDF; returns the paths in the register's order."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for pupil in school_class.pupils:
        path = directory / f"{file_stem(school_class, pupil)}.xml"
        path.write_bytes(render_xml(school_class, pupil, layout))
        paths.append(path)
    return paths


def render_xml(school_class: SchoolClass, pupil: Pupil, layout: RecordLayout = RecordLayout.PRIMARY_V1) -> bytes:
    """One pupil's record: an XML document of about 20 KB with empty signature slots."""
    root = etree.Element("HOC_BA")
    _BUILDERS[layout](root, school_class, pupil)
    etree.indent(root, "  ")
    encoded: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return encoded + b"\n"


def _primary_v1(root: _Element, school_class: SchoolClass, pupil: Pupil) -> None:
    """HOC_BA / { DU_LIEU_HOC_BA#data, DANH_SACH_THONG_TIN_KY / { GVCN, CBQL, KY_PHAT_HANH } }."""
    data = etree.SubElement(root, "DU_LIEU_HOC_BA", Id="data")
    _common(data, school_class, pupil, RecordLayout.PRIMARY_V1)
    _studies(data, school_class, pupil, teachers=False)
    _summary(data, school_class, pupil)
    slots = etree.SubElement(root, "DANH_SACH_THONG_TIN_KY")
    for slot in ("GVCN", "CBQL", "KY_PHAT_HANH"):
        etree.SubElement(slots, slot)


def _multi_level(root: _Element, school_class: SchoolClass, pupil: Pupil) -> None:
    """HOC_BA / { DU_LIEU_HOC_BA#data / THONG_TIN_HOC_BA#thongtinhocba, DANH_SACH_THONG_TIN_KY, PHAT_HANH_HOC_BA }.

    A GVBM slot's Id is the MA_GVBM inside the DIEM_TONG_KET it signs.
    """
    data = etree.SubElement(root, "DU_LIEU_HOC_BA", Id="data")
    record = etree.SubElement(data, "THONG_TIN_HOC_BA", Id="thongtinhocba")
    _common(record, school_class, pupil, RecordLayout.MULTI_LEVEL)
    _studies(record, school_class, pupil, teachers=True)
    _summary(record, school_class, pupil)
    slots = etree.SubElement(root, "DANH_SACH_THONG_TIN_KY")
    teachers = etree.SubElement(slots, "DANH_SACH_GVBM")
    for subject in pupil.subjects:
        etree.SubElement(teachers, "GVBM", Id=subject.teacher_id)
    etree.SubElement(slots, "GVCN")
    release = etree.SubElement(root, "PHAT_HANH_HOC_BA")
    etree.SubElement(etree.SubElement(release, "THONG_TIN_KY"), "CBQL")
    etree.SubElement(release, "KY_PHAT_HANH")


_BUILDERS: dict[RecordLayout, Callable[[_Element, SchoolClass, Pupil], None]] = {
    RecordLayout.PRIMARY_V1: _primary_v1,
    RecordLayout.MULTI_LEVEL: _multi_level,
}


def _common(parent: _Element, school_class: SchoolClass, pupil: Pupil, layout: RecordLayout) -> None:
    common = etree.SubElement(parent, "THONG_TIN_CHUNG")
    school = school_class.school
    finished = dt.datetime.combine(school_class.signed_on, _CLOSING_TIME)
    record = (
        ("PHIEN_BAN", layout.value),
        ("MA_TRA_CUU_UUID", str(pupil.record_uuid)),
        ("CAP_HOC", "TIEU_HOC"),
        ("NAM_HOC", school_class.school_year.replace(" – ", "-")),
        ("NGAY_LAP", finished.isoformat()),
        ("GHI_CHU", "DEMO: học sinh không có thật"),
    )
    _texts(common, record)
    place = (("MA_TRUONG", school.code), ("TEN_TRUONG", school.name), ("XA_PHUONG", school.commune), ("TINH_THANH_PHO", school.province))
    _texts(etree.SubElement(common, "CO_SO_GIAO_DUC"), (*place, ("SO_GIAO_DUC", school.department)))
    person = (
        ("MA_HOC_SINH", pupil.pupil_code),
        ("SO_CCCD", pupil.personal_number),
        ("HO_VA_TEN", pupil.full_name),
        ("NGAY_SINH", pupil.birth_date.isoformat()),
        ("GIOI_TINH", pupil.gender.value),
        ("DAN_TOC", pupil.ethnic_group),
        ("QUOC_TICH", "Việt Nam"),
        ("NOI_SINH", pupil.birthplace),
        ("NOI_O_HIEN_NAY", pupil.address),
    )
    node = etree.SubElement(common, "HOC_SINH")
    _texts(node, person)
    for tag, guardian in (("CHA", pupil.father), ("ME", pupil.mother)):
        _texts(etree.SubElement(node, tag), (("HO_VA_TEN", guardian.name), ("NGHE_NGHIEP", guardian.job)))


def _studies(parent: _Element, school_class: SchoolClass, pupil: Pupil, *, teachers: bool) -> None:
    year = etree.SubElement(etree.SubElement(parent, "QUA_TRINH_HOC_TAP"), "NAM_HOC_CHI_TIET")
    attended = (
        ("NAM_HOC", school_class.school_year.replace(" – ", "-")),
        ("KHOI", str(school_class.grade)),
        ("LOP", school_class.name),
        ("GIAO_VIEN_CHU_NHIEM", school_class.homeroom_teacher),
        ("SO_DANG_BO", f"{pupil.number:03d}/TH"),
        ("CHIEU_CAO_CM", str(pupil.height_cm)),
        ("CAN_NANG_KG", str(pupil.weight_kg)),
        ("SO_NGAY_NGHI", str(pupil.days_absent)),
    )
    _texts(year, attended)
    subjects = etree.SubElement(year, "DANH_SACH_MON_HOC")
    for subject in pupil.subjects:
        _monthly_comments(_subject(subjects, subject, teacher=teachers), pupil, subject)
    qualities = etree.SubElement(year, "PHAM_CHAT_CHU_YEU")
    _traits(qualities, "PHAM_CHAT", pupil.qualities)
    _texts(qualities, [("NHAN_XET", pupil.quality_comment)])
    competences = etree.SubElement(year, "NANG_LUC_COT_LOI")
    _traits(etree.SubElement(competences, "NANG_LUC_CHUNG"), "NANG_LUC", pupil.general_competences)
    _traits(etree.SubElement(competences, "NANG_LUC_DAC_THU"), "NANG_LUC", pupil.specific_competences)
    _texts(competences, [("NHAN_XET", pupil.competence_comment)])


def _subject(parent: _Element, subject: SubjectResult, *, teacher: bool) -> _Element:
    node = etree.SubElement(parent, "MON_HOC")
    _texts(node, (("MA_MON_HOC", subject.code), ("TEN_MON_HOC", subject.name)))
    _term(etree.SubElement(node, "HOC_KY", MA="HK1"), subject.first_term)
    final = etree.SubElement(node, "DIEM_TONG_KET", Id=f"DTK_{subject.code}")
    if teacher:
        _texts(etree.SubElement(final, "GVBM"), [("MA_GVBM", subject.teacher_id), ("HO_VA_TEN", subject.teacher)])
    _term(final, subject.year)
    return node


def _monthly_comments(parent: _Element, pupil: Pupil, subject: SubjectResult) -> None:
    """What the teacher wrote month by month (Circular 27 art. 6), which the printed card does not show."""
    rng = random.Random(f"{pupil.pupil_code}/{subject.code}")  # noqa: S311 - repeatable by intent, nothing secret comes of it
    said = next(each for each in phrases.SUBJECTS if each.code == subject.code)
    comments = etree.SubElement(parent, "NHAN_XET_THUONG_XUYEN")
    for month in _COMMENTED_MONTHS:
        etree.SubElement(comments, "THANG", SO=str(month)).text = f"{rng.choice((*said.excellent, *said.good))}. {rng.choice(said.advice)}."


def _term(node: _Element, result: TermResult) -> None:
    score = "" if result.score is None else str(result.score)
    _texts(node, (("MUC_DAT_DUOC", result.level.value), ("DIEM_KTDK", score), ("NHAN_XET", result.comment)))


def _traits(parent: _Element, tag: str, traits: Iterable[TraitResult]) -> None:
    for trait in traits:
        texts = (("MA", trait.code), ("TEN", trait.name), ("HOC_KY_1", trait.first_term.value), ("CA_NAM", trait.year.value))
        _texts(etree.SubElement(parent, tag), texts)


def _summary(parent: _Element, school_class: SchoolClass, pupil: Pupil) -> None:
    summary = (
        ("DANH_GIA_KET_QUA_GIAO_DUC", pupil.overall),
        ("KHEN_THUONG", pupil.award),
        ("HOAN_THANH_CHUONG_TRINH_LOP_HOC", str(school_class.grade)),
        ("DUOC_LEN_LOP", str(school_class.grade + 1)),
        ("HIEU_TRUONG", school_class.principal),
    )
    _texts(etree.SubElement(parent, "TONG_KET"), summary)


def _texts(parent: _Element, values: Iterable[tuple[str, str]]) -> None:
    """Add a tag for each value there is."""
    for tag, text in values:
        if text:
            etree.SubElement(parent, tag).text = text
