"""Who signs a record, where in it, and under which rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """In which role somebody acts for a school; the value is its name in layouts, configuration and on the command line."""

    SUBJECT_TEACHER = "subject-teacher"
    HOMEROOM_TEACHER = "homeroom-teacher"
    PRINCIPAL = "principal"
    VICE_PRINCIPAL = "vice-principal"
    CLERK = "clerk"
    ACADEMIC_STAFF = "academic-staff"
    SCHOOL_ADMINISTRATOR = "school-administrator"
    DEPARTMENT_OFFICER = "department-officer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class RecordSlot(Enum):
    """The place in a record that a signature fills, in the order of signing; the value is the Ministry's name of it."""

    SUBJECT_TEACHER = "GVBM"
    HOMEROOM_TEACHER = "GVCN"
    PRINCIPAL = "CBQL"
    SEAL = "KY_PHAT_HANH"


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """The record rules that a request claims to keep: role, slot, order.

    layout_id: empty to recognise it from each record. slot: None for the role's. subject_id: whose marks a GVBM signs, by the Id the record
    gives it; empty for other roles. class_id and school_year (its first calendar year): empty and 0 to take them from each record.
    delegation_id: under which the signer acts for another person; empty in their own name.
    """

    role: Role
    layout_id: str = ""
    slot: RecordSlot | None = None
    subject_id: str = ""
    class_id: str = ""
    school_year: int = 0
    delegation_id: str = ""
