"""What happened to a record: who signed, who asked, who allowed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from signer.model import RecordSlot, Role


class HistoryKind(Enum):
    """The contract's RecordEventKind has the same names; the value is the database's."""

    SIGNED = "signed"
    LOCKED = "locked"
    CORRECTION_REQUESTED = "correction-requested"
    RECALL_REQUESTED = "recall-requested"
    APPROVAL_DECIDED = "approval-decided"
    REPLACED = "replaced"
    RECALLED = "recalled"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """One event. person_id: empty for the appliance itself. slot, subject_id, intent_entry: of SIGNED. journal_entry: None for LOCKED."""

    kind: HistoryKind
    at: datetime
    record_uuid: str
    person_id: str = ""
    role: Role | None = None
    acting_for: str = ""
    slot: RecordSlot | None = None
    subject_id: str = ""
    authorization_id: str = ""
    approval_id: str = ""
    journal_entry: int | None = None
    intent_entry: int | None = None
