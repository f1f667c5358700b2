"""Where a record is, and what may happen to it next: one table, and who must agree where it says so.

Correction after the lock (the regulations' order): the teacher's reason, the principal's approval, the school's confirmation, a report to
the superior level; the replacement has a UUID of its own and names the one it replaces. Recall: the school asks, the Department agrees or
refuses. The approvals themselves are gathered elsewhere; here stands only which ones a step needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from signer.errors import RecordNotLocked, RecordReplaced, RoleRefused
from signer.model import Role
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


_S, _E = RecordState, Event

TRANSITIONS: dict[tuple[RecordState, Event], RecordState] = {
    (_S.SIGNING, _E.SLOT_SIGNED): _S.SIGNING,
    (_S.SIGNING, _E.SEALED): _S.RELEASED,
    (_S.SIGNING, _E.LOCK_DATE_PASSED): _S.LOCKED,
    (_S.RELEASED, _E.LOCK_DATE_PASSED): _S.LOCKED,
    (_S.RELEASED, _E.RECALL_ASKED): _S.RECALL_PENDING,
    (_S.LOCKED, _E.CORRECTION_ASKED): _S.CORRECTION_PENDING,
    (_S.LOCKED, _E.RECALL_ASKED): _S.RECALL_PENDING,
    (_S.CORRECTION_PENDING, _E.CORRECTION_AGREED): _S.CORRECTION_ALLOWED,
    (_S.CORRECTION_PENDING, _E.CORRECTION_REFUSED): _S.LOCKED,
    (_S.CORRECTION_ALLOWED, _E.REPLACEMENT_SEALED): _S.REPLACED,
    (_S.RECALL_PENDING, _E.RECALL_AGREED): _S.RECALLED,
    (_S.RECALL_PENDING, _E.RECALL_REFUSED): _S.RELEASED,
}
"""Everything else is refused. What a refused recall leaves RELEASED is LOCKED at once where its lock date has passed (`state_at`)."""

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


def state_at(state: RecordState, now: datetime, lock_time: datetime) -> RecordState:
    """The state as it is now: the lock date passes without anybody's doing."""
    return TRANSITIONS.get((state, Event.LOCK_DATE_PASSED), state) if now >= lock_time else state


def state_finding(state: RecordState, lock_time: datetime) -> Finding | None:
    """Why no slot of the record may be signed in this state; None when one may. An allowed correction is signed in its replacement."""
    if state is RecordState.SIGNING:
        return None
    if state in SUPERSEDED:
        return found(Wording.SUPERSEDED)
    if state is RecordState.LOCKED:
        return found(Wording.LOCKED, day=f"{lock_time.astimezone(VIETNAM):%d/%m/%Y}")
    return found(Wording.STATE_REFUSES, state=state.name)


class Step(Enum):
    """What somebody does in an approval."""

    ASK = "ask"
    APPROVE = "approve"
    CONFIRM = "confirm"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """One step, by any of the roles. by_another: the person must be none of those of the steps before."""

    step: Step
    roles: frozenset[Role]
    by_another: bool = True


_TEACHERS = frozenset({Role.SUBJECT_TEACHER, Role.HOMEROOM_TEACHER})
_LEADERS = frozenset({Role.PRINCIPAL, Role.VICE_PRINCIPAL})

CORRECTION_STEPS = (
    ApprovalStep(Step.ASK, _TEACHERS),
    ApprovalStep(Step.APPROVE, frozenset({Role.PRINCIPAL})),
    ApprovalStep(Step.CONFIRM, frozenset({Role.VICE_PRINCIPAL, Role.CLERK, Role.ACADEMIC_STAFF, Role.SCHOOL_ADMINISTRATOR})),
    ApprovalStep(Step.REPORT, frozenset({Role.DEPARTMENT_OFFICER})),
)
"""A correction after the lock; it is allowed when the superior level has its report."""

RECALL_STEPS = (
    ApprovalStep(Step.ASK, _LEADERS),
    ApprovalStep(Step.APPROVE, frozenset({Role.DEPARTMENT_OFFICER})),
)
"""A recall: the school asks, the Department decides."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that somebody took."""

    person_id: str
    role: Role


def require_step(steps: Iterable[ApprovalStep], taken: Iterable[Taken], mine: Taken) -> ApprovalStep:
    """The step that `mine` takes, which is the first one not taken yet. taken: the steps before, in order.

    Raises:
        RoleRefused: no step is left, the role has no part in the next one, or the person took a step before.
    """
    before = tuple(taken)
    left = tuple(steps)[len(before) :]
    if not left:
        raise RoleRefused("nothing is left to decide")
    if mine.role not in left[0].roles:
        wanted = ", ".join(sorted(role.value for role in left[0].roles))
        raise RoleRefused(f"the next step ({left[0].step.value}) is for: {wanted}; not for '{mine.role.value}'", role=mine.role.value)
    if left[0].by_another and any(each.person_id == mine.person_id for each in before):
        raise RoleRefused(f"the next step ({left[0].step.value}) is for another person than the ones before", role=mine.role.value)
    return left[0]
