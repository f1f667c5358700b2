"""What an approval's progress does to the records it is about: a table of the state machine's events, applied in the approval's commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from signer.journal.records import RecordChange, RecordStore
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalState, Decision
from signer.records.history import HistoryKind
from signer.records.register import KeptRecord
from signer.records.states import Event, RecordState, next_state

REPLACEMENT: Final = "replacementRecordUuid"
"""The bound of a correction that names the record to come."""

_EVENTS: Final[Mapping[tuple[ApprovalKind, ApprovalState], Event]] = {
    (ApprovalKind.CORRECTION, ApprovalState.GRANTED): Event.CORRECTION_AGREED,
    (ApprovalKind.CORRECTION, ApprovalState.REJECTED): Event.CORRECTION_REFUSED,
    (ApprovalKind.CORRECTION, ApprovalState.WITHDRAWN): Event.CORRECTION_REFUSED,
    (ApprovalKind.RECALL, ApprovalState.GRANTED): Event.RECALL_AGREED,
    (ApprovalKind.RECALL, ApprovalState.REJECTED): Event.RECALL_REFUSED,
    (ApprovalKind.RECALL, ApprovalState.WITHDRAWN): Event.RECALL_REFUSED,
}
_PENDING: Final = frozenset({RecordState.CORRECTION_PENDING, RecordState.CORRECTION_ALLOWED, RecordState.RECALL_PENDING})


class RecordChanges:
    """`control.approvals.RecordRules`."""

    def __init__(self, store: RecordStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    async def follow(self, before: Approval, after: Approval, person_id: str, role: Role | None) -> Sequence[RecordChange]:
        """The record's new state and history, and the row of its replacement; nothing for approvals of other things."""
        kept = (
            await self._store.find(after.school_id, after.subject) if after.kind in (ApprovalKind.CORRECTION, ApprovalKind.RECALL) else None
        )
        if kept is None or kept.approval_id != after.id:
            return ()
        changed = kept
        event = _EVENTS.get((after.kind, after.state)) if after.state is not before.state else None
        if event is not None:
            changed = _moved(kept, event)
        change = RecordChange(changed, kept, _kinds(before, after, role), person_id, role)
        return (change, *(await self._replacement(kept, after, event)))

    async def _replacement(self, kept: KeptRecord, approval: Approval, event: Event | None) -> Sequence[RecordChange]:
        """Made when a correction is allowed; locked again when that is taken back."""
        if event not in (Event.CORRECTION_AGREED, Event.CORRECTION_REFUSED):
            return ()
        found = await self._store.find(kept.school_id, approval.parameters[REPLACEMENT])
        if event is Event.CORRECTION_AGREED:
            return (RecordChange(replacement_of(kept, approval), found),)
        if found is None or found.approval_id != approval.id:
            return ()
        return (RecordChange(replace(found, approval_ends=self._now()), found),)


def replacement_of(kept: KeptRecord, approval: Approval) -> KeptRecord:
    """The record that may be signed in place of another until the approval ends."""
    return KeptRecord(
        kept.school_id,
        approval.parameters[REPLACEMENT],
        kept.class_id,
        kept.school_year,
        kept.layout_id,
        is_supplementary=kept.is_supplementary,
        replaces=kept.record_uuid,
        approval_id=approval.id,
        approval_ends=approval.expires,
    )


def _moved(kept: KeptRecord, event: Event) -> KeptRecord:
    state = next_state(kept.state, event)
    if state in _PENDING:
        return replace(kept, state=state)
    return replace(kept, state=state, approval_id=kept.approval_id if state is RecordState.RECALLED else "", approval_ends=None)


def _kinds(before: Approval, after: Approval, role: Role | None) -> tuple[HistoryKind, ...]:
    if sum(step.decision is not None for step in after.steps) == sum(step.decision is not None for step in before.steps):
        return ()
    last = [step for step in after.steps if step.decision is not None][-1]
    told = role is Role.DEPARTMENT_OFFICER and after.kind is ApprovalKind.CORRECTION and last.decision is Decision.AGREE
    is_recalled = after.kind is ApprovalKind.RECALL and after.state is ApprovalState.GRANTED
    return (
        HistoryKind.APPROVAL_DECIDED,
        *((HistoryKind.REPORTED,) if told else ()),
        *((HistoryKind.RECALLED,) if is_recalled else ()),
    )
