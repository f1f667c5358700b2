"""A class's records as XML, with the faults that school software really exports: what the pre-flight is tried on.

`class_records` gives whole classes; `spoil` makes one record unfit in one way, which tests pair with the problem it is reported as.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from lxml import etree

from signer.demo.ministry_xml import RecordLayout, render_xml
from signer.demo.pupils import CLASS_SIZE, generate_class

_Element = etree._Element  # noqa: SLF001 - lxml names the type of its elements nowhere else


class Fault(Enum):
    """One way in which a record is unfit before anybody signed it."""

    PERSONAL_NUMBER_MISSING = "personal-number-missing"
    PERSONAL_NUMBER_SHORT = "personal-number-short"
    RESULT_MISSING = "result-missing"
    SUMMARY_MISSING = "summary-missing"
    OTHER_SCHOOL = "other-school"
    UUID_MISSING = "uuid-missing"
    UUID_OF_TIME = "uuid-of-time"
    LAYOUT_UNKNOWN = "layout-unknown"
    ID_WRONG = "id-wrong"
    ID_TWICE = "id-twice"
    SLOT_MISSING = "slot-missing"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """One file of a class. name: the document id."""

    name: str
    content: bytes


def class_records(
    layout: RecordLayout = RecordLayout.PRIMARY_V1,
    *,
    size: int = CLASS_SIZE,
    seed: int = 2026,
    name: str = "1A",
    faults: Mapping[int, Fault] = {},
) -> list[ClassRecord]:
    """A class in the register's order. faults: by the pupil's place in it, from 0."""
    school_class = generate_class(seed, size, name)
    records = [ClassRecord(f"{name}-{pupil.number:02d}.xml", render_xml(school_class, pupil, layout)) for pupil in school_class.pupils]
    for index, fault in faults.items():
        records[index] = replace(records[index], content=spoil(records[index].content, fault))
    return records


def spoil(record: bytes, fault: Fault) -> bytes:
    """The record, unfit in this way and no other."""
    if fault is Fault.TRUNCATED:
        return record[: len(record) // 2]
    root = etree.fromstring(record)
    _SPOILERS[fault](root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def with_uuid(record: bytes, record_uuid: str) -> bytes:
    """The record under another MA_TRA_CUU_UUID."""
    root = etree.fromstring(record)
    _write(record_uuid, ".//MA_TRA_CUU_UUID")(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def uuid_of(record: bytes) -> str:
    """Its MA_TRA_CUU_UUID."""
    return etree.fromstring(record).findtext(".//MA_TRA_CUU_UUID") or ""


def _remove(path: str) -> Callable[[_Element], None]:
    def spoiler(root: _Element) -> None:
        node = _one(root, path)
        parent = node.getparent()
        if parent is not None:
            parent.remove(node)

    return spoiler


def _write(text: str, path: str) -> Callable[[_Element], None]:
    def spoiler(root: _Element) -> None:
        _one(root, path).text = text

    return spoiler


def _one(root: _Element, path: str) -> _Element:
    node = root.find(path)
    if node is None:
        raise LookupError(f"the generated record has no {path}")
    return node


def _rename_root(root: _Element) -> None:
    root.tag = "GIAY_KHAI_SINH"


def _change_id(root: _Element) -> None:
    _one(root, "DU_LIEU_HOC_BA").set("Id", "du-lieu")


def _double_id(root: _Element) -> None:
    _one(root, ".//TONG_KET").set("Id", "data")


_SPOILERS: dict[Fault, Callable[[_Element], None]] = {
    Fault.PERSONAL_NUMBER_MISSING: _remove(".//SO_CCCD"),
    Fault.PERSONAL_NUMBER_SHORT: _write("00031900001", ".//SO_CCCD"),
    Fault.RESULT_MISSING: _remove(".//DIEM_TONG_KET/MUC_DAT_DUOC"),
    Fault.SUMMARY_MISSING: _remove(".//TONG_KET"),
    Fault.OTHER_SCHOOL: _write("00000202", ".//MA_TRUONG"),
    Fault.UUID_MISSING: _remove(".//MA_TRA_CUU_UUID"),
    Fault.UUID_OF_TIME: _write("c232ab00-9414-11ec-b3c8-9f6bdeced846", ".//MA_TRA_CUU_UUID"),
    Fault.LAYOUT_UNKNOWN: _rename_root,
    Fault.ID_WRONG: _change_id,
    Fault.ID_TWICE: _double_id,
    Fault.SLOT_MISSING: _remove(".//CBQL"),
}
