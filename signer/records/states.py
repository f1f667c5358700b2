"""Where a record is, and what may happen to it next: one table.

Correction after the lock: the replacement has a UUID of its own and names the one it replaces. Recall: the school asks, the Department
agrees or refuses. Who must agree stands in `access.approval_policies`; here, what follows.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from signer.errors import RecordNotLocked, RecordReplaced
from signer.model import RecordSlot
from signer.records.calendar import VIETNAM
from signer.records.problem import Finding, Wording, found


class RecordState(Enum):
    """The contract's RecordState has the same names."""

    SIGNING = "signing"
    RELEASED = "released"
    LOCKED = "locked"
    CORRECTION_PENDING = "correction-pending"
    CORRECTION_ALLOWED = "correction-allowed"
    REPLACED = "replaced"
    RECALL_PENDING = "recall-pending"
    RECALLED = "recalled"


class Event(Enum):
    """What can happen to a record."""

    SLOT_SIGNED = "slot-signed"
    SEALED = "sealed"
    LOCK_DATE_PASSED = "lock-date-passed"
    CORRECTION_ASKED = "correction-asked"
    CORRECTION_AGREED = "correction-agreed"
    CORRECTION_REFUSED = "correction-refused"
    REPLACEMENT_SEALED = "replacement-sealed"
    RECALL_ASKED = "recall-asked"
    RECALL_AGREED = "recall-agreed"
    RECALL_REFUSED = "recall-refused"
    APPROVAL_LAPSED = "approval-lapsed"


_S, _E = RecordState, Event

TRANSITIONS: dict[tuple[RecordState, Event], RecordState] = {
    (_S.SIGNING, _E.SLOT_SIGNED): _S.SIGNING,
    (_S.SIGNING, _E.SEALED): _S.RELEASED,
    (_S.SIGNING, _E.LOCK_DATE_PASSED): _S.LOCKED,
    (_S.RELEASED, _E.SEALED): _S.RELEASED,
    (_S.RELEASED, _E.LOCK_DATE_PASSED): _S.LOCKED,
    (_S.RELEASED, _E.RECALL_ASKED): _S.RECALL_PENDING,
    (_S.LOCKED, _E.CORRECTION_ASKED): _S.CORRECTION_PENDING,
    (_S.LOCKED, _E.RECALL_ASKED): _S.RECALL_PENDING,
    (_S.CORRECTION_PENDING, _E.CORRECTION_AGREED): _S.CORRECTION_ALLOWED,
    (_S.CORRECTION_PENDING, _E.CORRECTION_REFUSED): _S.LOCKED,
    (_S.CORRECTION_PENDING, _E.APPROVAL_LAPSED): _S.LOCKED,
    (_S.CORRECTION_ALLOWED, _E.REPLACEMENT_SEALED): _S.REPLACED,
    (_S.CORRECTION_ALLOWED, _E.CORRECTION_REFUSED): _S.LOCKED,
    (_S.CORRECTION_ALLOWED, _E.APPROVAL_LAPSED): _S.LOCKED,
    (_S.RECALL_PENDING, _E.RECALL_AGREED): _S.RECALLED,
    (_S.RECALL_PENDING, _E.RECALL_REFUSED): _S.RELEASED,
    (_S.RECALL_PENDING, _E.APPROVAL_LAPSED): _S.RELEASED,
}
"""Everything else is refused. What a refused recall leaves RELEASED is LOCKED at once where its lock date has passed (`state_at`). A record
is sealed again over the same signatures where the first seal's file was lost; nothing else of a released one is signed.
"""

SUPERSEDED = frozenset({RecordState.REPLACED, RecordState.RECALLED})
"""States that nothing leads out of."""


def next_state(state: RecordState, event: Event) -> RecordState:
    """The state after an event.

    Raises:
        RecordReplaced: the record was replaced or recalled: whatever is asked for, it is asked of the wrong record.
        RecordNotLocked: the event is for a record past its lock date, or one whose signatures are complete, which this one is not.
    """
    following = TRANSITIONS.get((state, event))
    if following is not None:
        return following
    if state in SUPERSEDED:
        raise RecordReplaced(f"the record is {state.value}; ask for the one that replaces it", state=state.name)
    raise RecordNotLocked(f"a record that is {state.value} can't become {event.value}", state=state.name)


def state_at(state: RecordState, now: datetime, lock_time: datetime | None, approval_ends: datetime | None = None) -> RecordState:
    """The state as it is now: the lock date and the end of an approval pass without anybody's doing. lock_time: None where none is set."""
    if approval_ends is not None and now >= approval_ends:
        state = TRANSITIONS.get((state, Event.APPROVAL_LAPSED), state)
    return TRANSITIONS.get((state, Event.LOCK_DATE_PASSED), state) if lock_time is not None and now >= lock_time else state


def state_finding(state: RecordState, lock_time: datetime | None, slot: RecordSlot | None = None) -> Finding | None:
    """Why a slot of the record may not be signed in this state; None when it may. An allowed correction is signed in its replacement.

    slot: None for any but the seal's.
    """
    if (state, Event.SEALED if slot is RecordSlot.SEAL else Event.SLOT_SIGNED) in TRANSITIONS:
        return None
    if state in SUPERSEDED:
        return found(Wording.SUPERSEDED)
    if state is RecordState.LOCKED and lock_time is not None:
        return found(Wording.LOCKED, day=f"{lock_time.astimezone(VIETNAM):%d/%m/%Y}")
    return found(Wording.STATE_REFUSES, state=state.name)
