"""What is known of records, as callers see it: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signer.model import RecordSlot, Role
from signer.people.approval import Approval
from signer.records.history import HistoryKind
from signer.records.states import RecordState


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """A record. slots: signed here, with the subject of GVBM. lock_time: None where no dates are set."""

    record_uuid: str
    school_id: str
    class_id: str
    school_year: int
    layout_id: str
    state: RecordState | None
    slots: tuple[tuple[RecordSlot | None, str], ...]
    replaces: str
    replaced_by: str
    lock_time: datetime | None


@dataclass(frozen=True, slots=True)
class RecordHappening:
    """One event. person_id: empty for the appliance itself. credential_id, slot: of a signature. journal_entry: 0 for a lock date."""

    kind: HistoryKind | None
    at: datetime
    person_id: str
    role: Role | None
    acting_for: str
    reason: str
    approval_id: str
    credential_id: str
    slot: RecordSlot | None
    journal_entry: int


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A record with all that happened, oldest first, and the approvals that concern it."""

    record: KnownRecord
    events: tuple[RecordHappening, ...]
    approvals: tuple[Approval, ...]
