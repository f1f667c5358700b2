"""Records in words: their problems for tables and summaries, slots and roles as people call them."""

from __future__ import annotations

from signer.cli.language import Text, say
from signer.model import RecordSlot, Role
from signer.records.problem import RecordProblem

_P = RecordProblem
PROBLEMS: dict[RecordProblem, Text] = {
    _P.PERSONAL_NUMBER_MISSING: Text("personal number missing or not 12 digits", "thiếu hoặc sai số định danh cá nhân"),
    _P.RESULTS_UNFINISHED: Text("results unfinished", "kết quả chưa hoàn tất"),
    _P.EARLIER_SIGNATURE_MISSING: Text("an earlier signature is missing", "thiếu chữ ký trước đó"),
    _P.EARLIER_SIGNATURE_INVALID: Text("an earlier signature is not valid", "chữ ký trước đó không hợp lệ"),
    _P.SCHOOL_MISMATCH: Text("of another school", "học bạ của trường khác"),
    _P.ALREADY_SIGNED: Text("signed already", "đã ký"),
    _P.DUPLICATE_UUID: Text("same UUID as another record", "trùng mã tra cứu với học bạ khác"),
    _P.LAYOUT_UNKNOWN: Text("no known layout, or not the one asked for", "không đúng cấu trúc học bạ đã biết"),
    _P.LAYOUT_VIOLATED: Text("does not follow its layout", "sai cấu trúc học bạ"),
    _P.SLOT_MISSING: Text("no slot for this role", "không có vị trí ký cho vai trò này"),
    _P.LOCKED: Text("locked", "học bạ đã khoá"),
    _P.SUPERSEDED: Text("replaced or recalled", "đã bị thay thế hoặc thu hồi"),
    _P.ROLE_NOT_ASSIGNED: Text("outside the class or year of this role", "không thuộc lớp hoặc năm học được phân công"),
    _P.UUID_INVALID: Text("UUID missing or malformed", "thiếu hoặc sai mã tra cứu (UUID)"),
    _P.UNREADABLE: Text("can't be read", "không đọc được tệp"),
}
OTHER_PROBLEM = Text("a problem that this release does not know", "lỗi mà phiên bản này chưa biết")

SIGNING_ROLES: dict[Role, Text] = {
    Role.SUBJECT_TEACHER: Text("subject teacher", "giáo viên bộ môn"),
    Role.HOMEROOM_TEACHER: Text("homeroom teacher", "giáo viên chủ nhiệm"),
    Role.PRINCIPAL: Text("principal", "hiệu trưởng"),
    Role.VICE_PRINCIPAL: Text("vice principal", "phó hiệu trưởng"),
    Role.CLERK: Text("clerk, with the school's seal", "văn thư đóng dấu"),
}
"""Roles that sign records; the others prepare, manage or watch."""


def problem_name(name: str) -> str:
    """A problem by its name in the contract, in the command's language."""
    return say(PROBLEMS[RecordProblem[name]] if name in RecordProblem.__members__ else OTHER_PROBLEM)


def slot_name(slot: RecordSlot | None, subject_id: str = "") -> str:
    """The Ministry's name of a slot, with its subject."""
    name = "?" if slot is None else slot.value
    return f"{name} {subject_id}" if subject_id else name
