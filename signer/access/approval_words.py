"""What a step of an approval is called, in Vietnamese: for the people who decide it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from signer.model import Role
from signer.people.approval import ApprovalKind

ROLE_WORDS: Final[Mapping[Role, str]] = {
    Role.SUBJECT_TEACHER: "giáo viên bộ môn",
    Role.HOMEROOM_TEACHER: "giáo viên chủ nhiệm",
    Role.PRINCIPAL: "hiệu trưởng",
    Role.VICE_PRINCIPAL: "phó hiệu trưởng",
    Role.CLERK: "văn thư",
    Role.ACADEMIC_STAFF: "nhân viên học vụ",
    Role.SCHOOL_ADMINISTRATOR: "quản trị viên của trường",
    Role.DEPARTMENT_OFFICER: "cán bộ Sở GDĐT",
    Role.OPERATOR: "quản trị viên hệ thống",
    Role.AUDITOR: "kiểm soát viên",
}
ACT_WORDS: Final[Mapping[ApprovalKind, str]] = {
    ApprovalKind.CORRECTION: "đính chính học bạ",
    ApprovalKind.RECALL: "thu hồi học bạ",
    ApprovalKind.SEAL_ABOVE_COUNT: "đóng dấu số lượng lớn",
    ApprovalKind.KEY_DESTRUCTION: "huỷ khoá ký",
    ApprovalKind.FACTOR_UNLOCK: "mở khoá cho người dùng",
    ApprovalKind.PIN_RELEASE: "cho thử lại mã PIN của thiết bị",
    ApprovalKind.CALENDAR_CHANGE: "dời ngày khoá học bạ",
    ApprovalKind.POLICY_CHANGE: "đổi quy định phê duyệt",
    ApprovalKind.TRUST_CHANGE: "đổi danh sách CA tin cậy",
}
_TITLES: Final[Mapping[tuple[ApprovalKind, frozenset[Role]], str]] = {
    (ApprovalKind.CORRECTION, frozenset({Role.PRINCIPAL})): "Hiệu trưởng duyệt đính chính",
    (
        ApprovalKind.CORRECTION,
        frozenset({Role.VICE_PRINCIPAL, Role.CLERK, Role.ACADEMIC_STAFF, Role.SCHOOL_ADMINISTRATOR}),
    ): "Nhà trường xác nhận đính chính",
    (ApprovalKind.CORRECTION, frozenset({Role.DEPARTMENT_OFFICER})): "Sở GDĐT tiếp nhận báo cáo đính chính",
    (ApprovalKind.RECALL, frozenset({Role.DEPARTMENT_OFFICER})): "Sở GDĐT quyết định thu hồi",
}
"""The regulations' own; any other step is said by its roles and its act."""


def step_title(kind: ApprovalKind, roles: frozenset[Role]) -> str:
    """Such as `Hiệu trưởng duyệt đính chính`."""
    known = _TITLES.get((kind, roles))
    if known is not None:
        return known
    who = " hoặc ".join(ROLE_WORDS[role] for role in sorted(roles, key=lambda role: list(Role).index(role)))
    return f"{who[:1].upper()}{who[1:]} đồng ý {ACT_WORDS[kind]}"
