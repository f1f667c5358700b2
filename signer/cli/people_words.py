"""Roles, dates and people as operators write and read them, in files and on the screen."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from signer.cli.language import Text, say
from signer.model import Role
from signer.people.client import Window
from signer.people.factor import FactorsState
from signer.people.person import Assignment, Delegation, Scope
from signer.records.calendar import VIETNAM

ROLE_NAMES: Final = tuple(role.value for role in Role)
_ROLE_WORDS: Final = {
    Role.SUBJECT_TEACHER: ("gvbm", "giáo viên bộ môn"),
    Role.HOMEROOM_TEACHER: ("gvcn", "giáo viên chủ nhiệm"),
    Role.PRINCIPAL: ("ht", "hiệu trưởng"),
    Role.VICE_PRINCIPAL: ("pht", "phó hiệu trưởng"),
    Role.CLERK: ("vt", "văn thư"),
    Role.ACADEMIC_STAFF: ("hv", "nhân viên học vụ", "học vụ"),
    Role.SCHOOL_ADMINISTRATOR: ("qtv", "quản trị viên"),
    Role.DEPARTMENT_OFFICER: ("sở", "cán bộ sở", "chuyên viên sở"),
    Role.OPERATOR: ("vận hành",),
    Role.AUDITOR: ("kiểm toán", "thanh tra"),
}
_ROLES: Final = {name: role for role, words in _ROLE_WORDS.items() for name in (role.value, *words)}
_DATE_FORMATS: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y")
STATES: Final = {
    FactorsState.NONE: Text("none", "chưa có"),
    FactorsState.CODE_ISSUED: Text("code waits", "chờ dùng mã"),
    FactorsState.SET: Text("set", "đã đặt"),
    FactorsState.DELAYED: Text("set; wrong tries", "đã đặt; nhập sai"),
    FactorsState.LOCKED: Text("locked", "bị khóa"),
}


def role_of(word: str) -> Role:
    """A role by its name, the regulation's word or its abbreviation; ValueError lists the names."""
    known = _ROLES.get(unicodedata.normalize("NFC", " ".join(word.split())).lower())
    if known is None:
        raise ValueError(f"no role {word!r}; the roles are {', '.join(ROLE_NAMES)}")
    return known


def first_moment(text: str) -> datetime | None:
    """The beginning of a day in Vietnam; None for an empty text. ValueError for what is no date."""
    day = _day(text)
    return None if day is None else _midnight(day)


def end_of_day(text: str) -> datetime | None:
    """The end of a day in Vietnam, which still counts; None for an empty text. ValueError for what is no date."""
    day = _day(text)
    return None if day is None else _midnight(day + timedelta(days=1))


def window_words(valid: Window) -> str:
    """From which to which day; the last one still counts."""
    start = f"{valid.start.astimezone(VIETNAM):%Y-%m-%d}" if valid.start else ""
    end = f"{(valid.end - timedelta(microseconds=1)).astimezone(VIETNAM):%Y-%m-%d}" if valid.end else ""
    return f"{start} … {end}" if start or end else ""


def scope_words(scope: Scope) -> str:
    """School, year, class, subject."""
    year = f"{scope.school_year}-{scope.school_year + 1}" if scope.school_year else ""
    return " ".join(part for part in (scope.school_id, year, scope.class_id, scope.subject_id) if part)


def state_words(state: FactorsState | None) -> str:
    """Where factors are."""
    return say(STATES[state]) if state else "?"


def assignment_members(value: Assignment) -> dict[str, object]:
    """A role in JSON."""
    scope = value.scope
    return {
        "id": value.id,
        "person": value.person_id,
        "role": value.role.value,
        "school": scope.school_id,
        "year": scope.school_year or None,
        "class": scope.class_id or None,
        "subject": scope.subject_id or None,
        **_window_members(value.valid),
    }


def delegation_members(value: Delegation) -> dict[str, object]:
    """A delegation in JSON."""
    return {
        "id": value.id,
        "from_person": value.from_person_id,
        "to_person": value.to_person_id,
        "role": value.role.value,
        "school": value.school_id,
        "classes": sorted(value.class_ids),
        "subjects": sorted(value.subject_ids),
        "reason": value.reason,
        **_window_members(value.valid),
    }


def _window_members(valid: Window) -> dict[str, str | None]:
    return {"from": valid.start.isoformat() if valid.start else None, "end": valid.end.isoformat() if valid.end else None}


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=VIETNAM).date()
        except ValueError:
            continue
    raise ValueError(f"no date {text!r}; write 2026-05-31 or 31/05/2026")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), VIETNAM).astimezone(UTC)
