"""What `signer records history`, `list` and `calendar` print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from signer.access.approval_words import ROLE_WORDS
from signer.cli.language import Text, current_language, say
from signer.cli.output import clean, is_json, note, print_json, print_table
from signer.cli.record_words import slot_name
from signer.client.register_values import KnownRecord, RecordFile, RecordHappening
from signer.model import Role
from signer.records.calendar import VIETNAM, Calendar
from signer.records.history import HistoryKind
from signer.records.states import RecordState

_HEADINGS = (Text("Class", "Lớp"), Text("Record", "Học bạ"), Text("State", "Trạng thái"), Text("Signed", "Đã ký"), Text("Locks", "Khoá"))
_EVENT_HEADINGS = (
    Text("When", "Khi nào"),
    Text("What", "Việc"),
    Text("Who", "Ai"),
    Text("As", "Vai trò"),
    Text("Why", "Lý do"),
    Text("Entry", "Mục nhật ký"),
)
_NONE = Text("no records", "chưa có học bạ nào")
_STATES = {
    RecordState.SIGNING: Text("signing", "đang ký"),
    RecordState.RELEASED: Text("released", "đã phát hành"),
    RecordState.LOCKED: Text("locked", "đã khoá"),
    RecordState.CORRECTION_PENDING: Text("correction asked for", "đang đề nghị đính chính"),
    RecordState.CORRECTION_ALLOWED: Text("correction allowed", "được phép đính chính"),
    RecordState.REPLACED: Text("replaced", "đã thay thế"),
    RecordState.RECALL_PENDING: Text("recall asked for", "đang đề nghị thu hồi"),
    RecordState.RECALLED: Text("recalled", "đã thu hồi"),
}
_KINDS = {
    HistoryKind.SIGNED: Text("signed", "ký"),
    HistoryKind.LOCKED: Text("locked", "khoá"),
    HistoryKind.CORRECTION_REQUESTED: Text("correction asked for", "đề nghị đính chính"),
    HistoryKind.RECALL_REQUESTED: Text("recall asked for", "đề nghị thu hồi"),
    HistoryKind.APPROVAL_DECIDED: Text("decided", "quyết định"),
    HistoryKind.REPLACED: Text("replaced", "thay thế"),
    HistoryKind.RECALLED: Text("recalled", "thu hồi"),
    HistoryKind.REPORTED: Text("reported to the Department", "báo cáo Sở GDĐT"),
}
_REPLACES, _REPLACED = Text("replaces {other}", "thay thế {other}"), Text("replaced by {other}", "được thay thế bởi {other}")
_FOR = Text("{person} for {other}", "{person} thay {other}")
_DATES = Text(
    "school year {year}: released by {release}, locked after {lock}, with supplementary assessment after {later}",
    "năm học {year}: phát hành trước hết ngày {release}, khoá sau ngày {lock}, kiểm tra lại sau ngày {later}",
)


def tell_history(found: RecordFile) -> None:
    """A record and its events."""
    if is_json():
        approvals = [each.id for each in found.approvals]
        print_json({"record": _members(found.record), "events": [_event_members(each) for each in found.events], "approvals": approvals})
        return
    record = found.record
    links = [say(_REPLACES, other=record.replaces)] if record.replaces else []
    links += [say(_REPLACED, other=record.replaced_by)] if record.replaced_by else []
    click.echo(clean(", ".join((f"{record.record_uuid}: {record.class_id}, {_state(record.state)}", *links))))
    print_table([say(heading) for heading in _EVENT_HEADINGS], [_event_row(each) for each in found.events])


def tell_records(records: Sequence[KnownRecord]) -> None:
    """A table of records."""
    if is_json():
        print_json({"records": [_members(each) for each in records]})
    elif not records:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(each) for each in records])


def tell_calendar(dates: Calendar, school_id: str) -> None:
    """The dates of a school year, as the last days on which something may still be done."""
    if is_json():
        times = {"release_by": dates.release_by, "lock_time": dates.lock_time, "supplementary_lock_time": dates.supplementary_lock_time}
        print_json({"school": school_id, "school_year": dates.school_year} | {name: at.isoformat() for name, at in times.items()})
        return
    last = [_last_day(each) for each in (dates.release_by, dates.lock_time, dates.supplementary_lock_time)]
    click.echo(say(_DATES, year=f"{dates.school_year}-{dates.school_year + 1}", release=last[0], lock=last[1], later=last[2]))


def _last_day(moment: datetime) -> str:
    return f"{(moment - timedelta(microseconds=1)).astimezone(VIETNAM):%d/%m/%Y}"


def _state(state: RecordState | None) -> str:
    return "?" if state is None else say(_STATES[state])


def _row(record: KnownRecord) -> list[str]:
    signed = ", ".join(slot_name(slot, subject) for slot, subject in record.slots)
    locks = "" if record.lock_time is None else _last_day(record.lock_time)
    return [record.class_id, record.record_uuid, _state(record.state), signed, locks]


def _event_row(event: RecordHappening) -> list[str]:
    what = "?" if event.kind is None else say(_KINDS[event.kind])
    who = say(_FOR, person=event.person_id, other=event.acting_for) if event.acting_for else event.person_id or event.credential_id
    return [
        f"{event.at.astimezone(VIETNAM):%d/%m/%Y %H:%M}",
        f"{what} {slot_name(event.slot)}" if event.slot else what,
        who,
        _role(event.role),
        event.reason,
        str(event.journal_entry or ""),
    ]


def _role(role: Role | None) -> str:
    if role is None:
        return ""
    return ROLE_WORDS[role] if current_language() == "vi" else role.value


def _members(record: KnownRecord) -> dict[str, Any]:
    return {
        "record_uuid": record.record_uuid,
        "school": record.school_id,
        "class": record.class_id,
        "school_year": record.school_year,
        "layout": record.layout_id,
        "state": record.state.value if record.state else None,
        "slots": [{"slot": slot.value if slot else None, "subject_id": subject} for slot, subject in record.slots],
        "replaces": record.replaces,
        "replaced_by": record.replaced_by,
        "lock_time": record.lock_time.isoformat() if record.lock_time else None,
    }


def _event_members(event: RecordHappening) -> dict[str, Any]:
    return {
        "at": event.at.isoformat(),
        "kind": event.kind.value if event.kind else None,
        "person": event.person_id,
        "role": event.role.value if event.role else None,
        "acting_for": event.acting_for,
        "reason": event.reason,
        "approval": event.approval_id,
        "credential": event.credential_id,
        "slot": event.slot.value if event.slot else None,
        "journal_entry": event.journal_entry,
    }
