"""What keeps a record from being signed in a role, in words for the person who mends it; never with a pupil's data in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from signer.errors import RecordUnfit


class RecordProblem(Enum):
    """For machines; the contract's RecordProblem has the same names."""

    PERSONAL_NUMBER_MISSING = "personal-number-missing"
    RESULTS_UNFINISHED = "results-unfinished"
    EARLIER_SIGNATURE_MISSING = "earlier-signature-missing"
    EARLIER_SIGNATURE_INVALID = "earlier-signature-invalid"
    SCHOOL_MISMATCH = "school-mismatch"
    ALREADY_SIGNED = "already-signed"
    DUPLICATE_UUID = "duplicate-uuid"
    LAYOUT_UNKNOWN = "layout-unknown"
    LAYOUT_VIOLATED = "layout-violated"
    SLOT_MISSING = "slot-missing"
    LOCKED = "locked"
    SUPERSEDED = "superseded"
    ROLE_NOT_ASSIGNED = "role-not-assigned"
    UUID_INVALID = "uuid-invalid"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a record lacks.

    location: an XPath without values; empty for the whole record. en, vi: what is wrong, and the next step.
    """

    problem: RecordProblem
    en: str
    vi: str
    location: str = ""


class Wording(Enum):
    """What can be said: the problem, English, Vietnamese; {names} are filled by `found`."""

    PERSONAL_NUMBER_MISSING = (
        RecordProblem.PERSONAL_NUMBER_MISSING,
        "the pupil has no personal number: enter the 12 digits in the school's software and export again",
        "học sinh chưa có số định danh cá nhân: nhập đủ 12 chữ số vào phần mềm của trường rồi xuất lại",
    )
    PERSONAL_NUMBER_MALFORMED = (
        RecordProblem.PERSONAL_NUMBER_MISSING,
        "the pupil's personal number is not 12 digits: correct it in the school's software and export again",
        "số định danh cá nhân của học sinh không đủ 12 chữ số: sửa trong phần mềm của trường rồi xuất lại",
    )
    RESULTS_UNFINISHED = (
        RecordProblem.RESULTS_UNFINISHED,
        "results are unfinished: {what} is missing or empty ({count} in all); complete them and export again",
        "kết quả chưa đầy đủ: thiếu hoặc để trống {what} (tất cả {count} chỗ); hoàn tất rồi xuất lại",
    )
    EARLIER_SIGNATURE_MISSING = (
        RecordProblem.EARLIER_SIGNATURE_MISSING,
        "{slot} has not signed yet, who signs before {own}",
        "{slot} chưa ký; chữ ký này phải có trước {own}",
    )
    EARLIER_SUBJECT_MISSING = (
        RecordProblem.EARLIER_SIGNATURE_MISSING,
        "{slot} of subject {subject} has not signed yet ({count} subjects in all), who signs before {own}",
        "{slot} môn {subject} chưa ký (tất cả {count} môn); chữ ký này phải có trước {own}",
    )
    EARLIER_SIGNATURE_INVALID = (
        RecordProblem.EARLIER_SIGNATURE_INVALID,
        "the signature of {slot} is not valid: {why}; export the record unsigned and have it signed again",
        "chữ ký của {slot} không hợp lệ: {why_vi}; xuất lại bản chưa ký và ký lại từ đầu",
    )
    SCHOOL_MISMATCH = (
        RecordProblem.SCHOOL_MISMATCH,
        "the record is of another school: its MA_TRUONG is not {expected}",
        "học bạ của trường khác: MA_TRUONG không phải là {expected}",
    )
    SCHOOL_MISSING = (
        RecordProblem.SCHOOL_MISMATCH,
        "the record does not say whose it is: MA_TRUONG is missing; {expected} is expected",
        "học bạ không ghi mã trường: thiếu MA_TRUONG, cần có {expected}",
    )
    ALREADY_SIGNED = (
        RecordProblem.ALREADY_SIGNED,
        "{slot} has signed already; a slot takes one signature",
        "{slot} đã ký; mỗi vị trí chỉ có một chữ ký",
    )
    DUPLICATE_UUID = (
        RecordProblem.DUPLICATE_UUID,
        "its MA_TRA_CUU_UUID is that of {first}, which came before: each record needs one of its own",
        "trùng MA_TRA_CUU_UUID với {first} đã gửi trước đó: mỗi học bạ phải có mã riêng",
    )
    KNOWN_OTHERWISE = (
        RecordProblem.DUPLICATE_UUID,
        "its MA_TRA_CUU_UUID is that of another pupil's or school year's record, signed before: each record needs one of its own",
        "trùng MA_TRA_CUU_UUID với học bạ của học sinh khác hoặc năm học khác đã ký trước đó: mỗi học bạ phải có mã riêng",
    )
    LAYOUT_UNKNOWN = (
        RecordProblem.LAYOUT_UNKNOWN,
        "the document is of no layout known here ({known})",
        "tài liệu không theo cấu trúc học bạ nào đã biết ({known})",
    )
    LAYOUT_OTHER = (
        RecordProblem.LAYOUT_UNKNOWN,
        "the record is of layout {found}, not {expected} as asked for",
        "học bạ theo cấu trúc {found}, không phải {expected} như yêu cầu",
    )
    LAYOUT_NOT_YET_VALID = (
        RecordProblem.LAYOUT_UNKNOWN,
        "layout {found} is accepted from {day} on",
        "cấu trúc {found} chỉ được dùng từ ngày {day}",
    )
    ELEMENT_MISSING = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: what {slot} signs is missing",
        "học bạ sai cấu trúc {layout}: thiếu phần dữ liệu mà {slot} ký",
    )
    ELEMENT_TWICE = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: this stands there more than once",
        "học bạ sai cấu trúc {layout}: phần này xuất hiện nhiều lần",
    )
    ID_WRONG = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: the Id of what {slot} signs is missing, or not {expected}",
        "học bạ sai cấu trúc {layout}: thiếu Id của phần dữ liệu mà {slot} ký, hoặc Id không phải là {expected}",
    )
    ID_TWICE = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: the Id of what {slot} signs stands there more than once",
        "học bạ sai cấu trúc {layout}: Id của phần dữ liệu mà {slot} ký bị trùng",
    )
    SLOT_INSIDE = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: the slot of {slot} lies inside what is signed",
        "học bạ sai cấu trúc {layout}: vị trí ký của {slot} nằm trong phần dữ liệu được ký",
    )
    VALUES_DIFFER = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record does not follow layout {layout}: it gives several different values here",
        "học bạ sai cấu trúc {layout}: có nhiều giá trị khác nhau ở đây",
    )
    SIGNATURE_TWICE = (
        RecordProblem.LAYOUT_VIOLATED,
        "the slot of {slot} holds more than one signature",
        "vị trí ký của {slot} có nhiều hơn một chữ ký",
    )
    SIGNATURE_ASTRAY = (
        RecordProblem.LAYOUT_VIOLATED,
        "the record holds a signature outside every slot of layout {layout}",
        "học bạ có chữ ký nằm ngoài các vị trí ký của cấu trúc {layout}",
    )
    SIGNED_TOO_EARLY = (
        RecordProblem.LAYOUT_VIOLATED,
        "{slot} has signed already, who signs after {own}; export the record unsigned and have it signed in order",
        "{slot} đã ký trước, trong khi phải ký sau {own}; xuất lại bản chưa ký và ký đúng thứ tự",
    )
    SUBJECT_WITHOUT_SLOT = (
        RecordProblem.LAYOUT_VIOLATED,
        "{count} subjects have results but no slot for their teacher's signature",
        "có {count} môn có kết quả nhưng không có vị trí ký cho giáo viên bộ môn",
    )
    SLOT_MISSING = (
        RecordProblem.SLOT_MISSING,
        "the record has no slot for {slot}",
        "học bạ không có vị trí ký cho {slot}",
    )
    SUBJECT_MISSING = (
        RecordProblem.SLOT_MISSING,
        "the record has no slot for the teacher of subject {subject}",
        "học bạ không có vị trí ký cho giáo viên môn {subject}",
    )
    LOCKED = (
        RecordProblem.LOCKED,
        "the record has been locked since {day}: a correction must be approved first",
        "học bạ đã khoá từ ngày {day}: phải được duyệt đính chính trước",
    )
    STATE_REFUSES = (
        RecordProblem.LOCKED,
        "the record's state is {state}: nothing is signed in it",
        "học bạ đang ở trạng thái {state}: không được ký",
    )
    SUPERSEDED = (
        RecordProblem.SUPERSEDED,
        "the record was replaced or recalled",
        "học bạ đã bị thay thế hoặc thu hồi",
    )
    OTHER_CLASS = (
        RecordProblem.ROLE_NOT_ASSIGNED,
        "the record is not of class {expected}",
        "học bạ không thuộc lớp {expected}",
    )
    OTHER_SCHOOL_YEAR = (
        RecordProblem.ROLE_NOT_ASSIGNED,
        "the record is not of the school year that begins in {expected}",
        "học bạ không thuộc năm học bắt đầu từ {expected}",
    )
    ROLE_NOT_HELD = (
        RecordProblem.ROLE_NOT_ASSIGNED,
        "the signer does not have the role for class {class_id} in the school year that begins in {year}",
        "người ký không được giao vai trò này cho lớp {class_id} trong năm học bắt đầu từ {year}",
    )
    UUID_MISSING = (
        RecordProblem.UUID_INVALID,
        "MA_TRA_CUU_UUID is missing: export the record again",
        "thiếu MA_TRA_CUU_UUID: xuất lại học bạ",
    )
    UUID_MALFORMED = (
        RecordProblem.UUID_INVALID,
        "MA_TRA_CUU_UUID is not a UUID version 4: export the record again",
        "MA_TRA_CUU_UUID không phải là UUID phiên bản 4: xuất lại học bạ",
    )
    UNREADABLE = (
        RecordProblem.UNREADABLE,
        "the document can't be read: {why}",
        "không đọc được tài liệu: {why}",
    )


def found(wording: Wording, location: str = "", /, **values: object) -> Finding:
    """The finding that this wording makes."""
    problem, en, vi = wording.value
    return Finding(problem, en.format(**values), vi.format(**values), location)


def refusal(findings: tuple[Finding, ...]) -> RecordUnfit:
    """What an unfit record's signature ends with: the first finding, and how many there are."""
    first = findings[0]
    more = f" (and {len(findings) - 1} more: CheckRecords lists them)" if len(findings) > 1 else ""
    error = RecordUnfit(f"{first.en}{more}", finding=first.problem.name)
    if first.location:
        error.metadata["location"] = first.location
    return error
