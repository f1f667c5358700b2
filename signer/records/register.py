"""What is known of a record from before: identifiers, states, and which slots were signed here; and what that says of signing another.

The appliance knows a record from the first slot that it signed. One that it never saw is new, and locks with its school year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signer.model import RecordSlot, Role
from signer.records.calendar import VIETNAM, Calendar
from signer.records.problem import Finding, Wording, found
from signer.records.reading import Identity
from signer.records.states import RecordState, state_at, state_finding


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record as it is kept.

    pupil: tells two pupils' records of one UUID apart (`reading.pupil_mark`). is_supplementary: it locks later. replaces, replaced_by:
    UUIDs.
    approval_id: of the correction or recall under way, or under which this one replaces another; approval_ends: when that lapses.
    """

    school_id: str
    record_uuid: str
    class_id: str = ""
    school_year: int = 0
    layout_id: str = ""
    pupil: bytes = b""
    is_supplementary: bool = False
    state: RecordState = RecordState.SIGNING
    replaces: str = ""
    replaced_by: str = ""
    approval_id: str = ""
    approval_ends: datetime | None = None

    def lock_time(self, calendar: Calendar | None) -> datetime | None:
        """When it locks: a replacement that is being signed, with its approval; any other by the calendar, if there is one."""
        if self.replaces and self.state is RecordState.SIGNING:
            return self.approval_ends
        return None if calendar is None else calendar.lock_of(supplementary=self.is_supplementary)

    def state_at(self, now: datetime, calendar: Calendar | None) -> RecordState:
        """Where it is now."""
        return state_at(self.state, now, self.lock_time(calendar), self.approval_ends)


@dataclass(frozen=True, slots=True)
class SignedSlot:
    """A slot that is about to be signed, or was: which, of which record, by whom; identifiers only.

    subject_id: of GVBM. person_id: the key's holder, empty for a key of nobody in particular. acting_for: a person. replaces: the record
    that this one replaces, under approval_id.
    """

    record_uuid: str
    class_id: str
    school_year: int
    layout_id: str
    pupil: bytes
    is_supplementary: bool
    slot: RecordSlot
    subject_id: str = ""
    person_id: str = ""
    role: Role | None = None
    acting_for: str = ""
    authorization_id: str = ""
    approval_id: str = ""
    replaces: str = ""


def known_finding(
    kept: KeptRecord | None, identity: Identity, slot: RecordSlot, calendar: Calendar | None, now: datetime
) -> Finding | None:
    """What keeps a slot from being signed that the record itself does not tell. kept: of this UUID. calendar: of its school year."""
    if kept is None:
        lock_time = None if calendar is None else calendar.lock_of(supplementary=identity.is_supplementary)
        if lock_time is None or now < lock_time:
            return None
        return found(Wording.LOCKED, day=f"{lock_time.astimezone(VIETNAM):%d/%m/%Y}")
    if _is_another(kept, identity):
        return found(Wording.KNOWN_OTHERWISE)
    return state_finding(kept.state_at(now, calendar), kept.lock_time(calendar), slot)


def _is_another(kept: KeptRecord, identity: Identity) -> bool:
    """Of another pupil or school year. A replacement that was not signed yet has neither."""
    is_other_pupil = bool(kept.pupil) and bool(identity.pupil) and kept.pupil != identity.pupil
    return is_other_pupil or kept.school_year not in (0, identity.school_year)
