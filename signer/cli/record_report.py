"""What `signer records` prints: for people a table and a summary, for programs JSON with stable keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from signer.cli.failure import error_members, explanation
from signer.cli.language import Text, current_language, say
from signer.cli.output import cell, is_json, print_json, print_table
from signer.cli.record_words import OTHER_PROBLEM, PROBLEMS, SIGNING_ROLES, slot_name
from signer.client import LayoutInfo, RecordCheck, RecordFinding, RecordReport
from signer.client.record_values import LayoutSlotInfo
from signer.records.calendar import VIETNAM
from signer.records.problem import RecordProblem

_CHECK_HEADINGS = (
    Text("File", "Tệp"),
    Text("Fit", "Đủ điều kiện"),
    Text("Layout", "Cấu trúc"),
    Text("Signed", "Đã ký"),
    Text("What it lacks", "Cần bổ sung"),
)
_LAYOUT_HEADINGS = (
    Text("Layout", "Cấu trúc"),
    Text("Name", "Tên"),
    Text("From", "Từ ngày"),
    Text("Slot", "Vị trí ký"),
    Text("Signed by", "Người ký"),
    Text("Signs", "Ký lên"),
    Text("After", "Sau"),
)
_YES, _NO = Text("yes", "có"), Text("NO", "CHƯA")
_TOTAL = Text("{checked} records: {fit} fit to be signed, {unfit} not", "{checked} học bạ: {fit} đủ điều kiện ký, {unfit} chưa")
_COUNT = Text("  {count} × {problem}", "  {count} học bạ: {problem}")
_INVALID = Text("{slot} (not valid)", "{slot} (không hợp lệ)")
_OPTIONAL = Text("{slot} (may be missing)", "{slot} (không bắt buộc)")
_TAG = re.compile(r"\w+(?:\[\d+\])?")
_DOCUMENT_ID = re.compile(r"record-\d{5,}")


def tell(found: RecordCheck, names: Mapping[str, str]) -> None:
    """A class's check. names: of the files, by document id."""
    if is_json():
        print_json(_members(found, names))
        return
    print_table([say(heading) for heading in _CHECK_HEADINGS], [_row(report, names) for report in found.reports])
    click.echo(say(_TOTAL, checked=len(found.reports), fit=len(found.fit), unfit=len(found.unfit)))
    for problem, count in sorted(found.problems.items(), key=lambda counted: -counted[1]):
        click.echo(say(_COUNT, count=count, problem=say(PROBLEMS[problem])))


def tell_layouts(layouts: Sequence[LayoutInfo]) -> None:
    """Every layout with its slots."""
    if is_json():
        print_json({"layouts": [_layout_members(layout) for layout in layouts]})
    else:
        print_table([say(heading) for heading in _LAYOUT_HEADINGS], [row for layout in layouts for row in _layout_rows(layout)])


def _row(report: RecordReport, names: Mapping[str, str]) -> list[Any]:
    signed = [
        slot_name(each.slot, each.subject_id) if each.valid else say(_INVALID, slot=slot_name(each.slot, each.subject_id))
        for each in report.slots
        if each.signed
    ]
    fit = cell(say(_YES), "green") if report.fit else cell(say(_NO), "red")
    findings = "\n".join(_said(finding, names) for finding in report.findings)
    return [names[report.document_id], fit, report.layout_id, ", ".join(signed), _lines(findings)]


def _lines(text: str) -> Any:
    """A cell whose own line breaks are kept."""
    from rich.text import Text as RichText  # noqa: PLC0415  # only tables need it

    return RichText("\n").join(cell(line) for line in text.split("\n"))


def _said(finding: RecordFinding, names: Mapping[str, str]) -> str:
    """In Vietnamese the daemon's own words, with files in the place of document ids; in English what kind of problem it is, and where."""
    if finding.error is not None:
        return f"{say(PROBLEMS[RecordProblem.UNREADABLE])}: {explanation(finding.error)}"
    if current_language() == "vi":
        return _named(finding.message, names)
    text = say(OTHER_PROBLEM if finding.problem is None else PROBLEMS[finding.problem])
    where = finding.location.rpartition("/")[2]
    return f"{text} ({where})" if _TAG.fullmatch(where) else text


def _named(message: str, names: Mapping[str, str]) -> str:
    return _DOCUMENT_ID.sub(lambda match: names.get(match[0], match[0]), message)


def _members(found: RecordCheck, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "summary": {
            "checked": len(found.reports),
            "fit": len(found.fit),
            "unfit": len(found.unfit),
            "problems": {problem.name: count for problem, count in found.problems.items()},
        },
        "records": [
            {
                "path": names[report.document_id],
                "record_uuid": report.record_uuid,
                "layout": report.layout_id,
                "fit": report.fit,
                "findings": [_finding_members(finding, names) for finding in report.findings],
                "slots": [
                    {
                        "slot": None if each.slot is None else each.slot.value,
                        "subject_id": each.subject_id,
                        "signed": each.signed,
                        "valid": each.valid,
                        "signer": each.signer_subject,
                    }
                    for each in report.slots
                ],
            }
            for report in found.reports
        ],
    }


def _finding_members(finding: RecordFinding, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "problem": None if finding.problem is None else finding.problem.name,
        "location": finding.location,
        "message_vi": _named(finding.message, names),
        "error": None if finding.error is None else error_members(finding.error),
    }


def _layout_rows(layout: LayoutInfo) -> Iterator[list[Any]]:
    head = [layout.layout_id, layout.display_name, f"{layout.valid_from.astimezone(VIETNAM):%Y-%m-%d}"]
    for slot in layout.slots:
        yield [*head, *_slot_cells(slot)]
        head = ["", "", ""]


def _slot_cells(slot: LayoutSlotInfo) -> list[str]:
    name = slot_name(slot.slot)
    roles = ", ".join(say(SIGNING_ROLES[role]) for role in slot.roles if role in SIGNING_ROLES)
    after = ", ".join(each.value for each in slot.after)
    return [say(_OPTIONAL, slot=name) if slot.optional else name, roles, ", ".join(slot.references), after]


def _layout_members(layout: LayoutInfo) -> dict[str, Any]:
    return {
        "id": layout.layout_id,
        "name": layout.display_name,
        "valid_from": layout.valid_from.isoformat(),
        "slots": [
            {
                "slot": None if slot.slot is None else slot.slot.value,
                "roles": [role.value for role in slot.roles],
                "place": slot.place,
                "references": list(slot.references),
                "optional": slot.optional,
                "after": [each.value for each in slot.after],
            }
            for slot in layout.slots
        ],
    }
