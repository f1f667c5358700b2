"""Four eyes as rules: which steps, by whom, in which order, until when. Pure: `now` is an argument, rights were asked for by the caller.

One person decides one step, and none of what they asked for. A refusal ends an approval; so do its time and the word of the one who asked.
What was granted is used once. What a person agrees to is all of it: kind, subject, bounds, reason (`purpose_of`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from signer.errors import ApprovalEnded, InvalidArgument, RoleRefused
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalState, ApprovalStep, Decision
from signer.people.person import Right

COUNT: Final = "count"
"""The bound that covers every smaller count."""
COMMENT_MAX: Final = 2000
REASON_MAX: Final = 2000
_OPEN: Final = frozenset({ApprovalState.PENDING, ApprovalState.GRANTED})


@dataclass(frozen=True, slots=True)
class Act:
    """What several people must allow. count: of what is done, where that is bounded."""

    kind: ApprovalKind
    school_id: str
    subject: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """A person's word on the next step."""

    person_id: str
    decision: Decision
    comment: str = ""


def as_of(approval: Approval, now: datetime) -> Approval:
    """The approval as it is now: its time passes without anybody's doing."""
    return replace(approval, state=ApprovalState.EXPIRED) if approval.state in _OPEN and now >= approval.expires else approval


def next_step(approval: Approval) -> ApprovalStep | None:
    """The step to be decided; None when nothing is."""
    if approval.state is not ApprovalState.PENDING:
        return None
    return next((step for step in approval.steps if step.decision is None), None)


def own_role(rights: Iterable[Right], roles: frozenset[Role], school_id: str) -> Role | None:
    """The first of these roles that a person has, in their own name, for the school; for the appliance as a whole when that is empty."""
    held = {
        right.role
        for right in rights
        if right.delegation is None and right.role in roles and right.assignment.scope.school_id in ("", school_id)
    }
    return min(held, key=lambda role: role.value, default=None)


def awaits(approval: Approval, person_id: str, rights: Iterable[Right], now: datetime) -> bool:
    """Whether the next step is one that this person may decide."""
    step = next_step(as_of(approval, now))
    return step is not None and not has_part(approval, person_id) and own_role(rights, step.roles, approval.school_id) is not None


def has_part(approval: Approval, person_id: str) -> bool:
    """Whether the person asked for it, or has decided a step."""
    return person_id == approval.requester_person_id or any(step.person_id == person_id for step in approval.steps)


def is_repeated(approval: Approval, statement: Statement) -> bool:
    """Whether the person has said just this already: the answer was lost."""
    return any((step.person_id, step.decision) == (statement.person_id, statement.decision) for step in approval.steps)


def require_step(approval: Approval, statement: Statement, rights: Iterable[Right], now: datetime) -> tuple[ApprovalStep, Role]:
    """The step that a statement decides, and the role it is made in.

    Raises:
        ApprovalEnded: nothing is left to decide.
        RoleRefused: the person asked for it, has decided a step, or has no role of the next one.
        InvalidArgument: a refusal without words, or too many of them.
    """
    approval = as_of(approval, now)
    step = next_step(approval)
    if step is None:
        raise ended(approval)
    if has_part(approval, statement.person_id):
        raise RoleRefused("one person decides one step, and none of what they asked for: another one must")
    role = own_role(rights, step.roles, approval.school_id)
    if role is None:
        wanted = ", ".join(sorted(each.value for each in step.roles))
        raise RoleRefused(f"the next step is for: {wanted}")
    if len(statement.comment) > COMMENT_MAX:
        raise InvalidArgument(f"comment is longer than {COMMENT_MAX} characters", field="comment")
    if statement.decision is Decision.REFUSE and not statement.comment.strip():
        raise InvalidArgument("comment is required to refuse: why", field="comment")
    return step, role


def decided(approval: Approval, statement: Statement, now: datetime) -> Approval:
    """The approval after the statement, which `require_step` has let pass."""
    position = approval.steps.index(_undecided(approval))
    step = replace(
        approval.steps[position], person_id=statement.person_id, decision=statement.decision, comment=statement.comment, decided=now
    )
    steps = (*approval.steps[:position], step, *approval.steps[position + 1 :])
    if statement.decision is Decision.REFUSE:
        return _ended_as(replace(approval, steps=steps), ApprovalState.REJECTED)
    if position + 1 == len(steps):
        return _ended_as(replace(approval, steps=steps), ApprovalState.GRANTED)
    return replace(approval, steps=steps)


def withdrawn(approval: Approval, person_id: str, now: datetime) -> Approval:
    """The approval, withdrawn by the one who asked.

    Raises:
        RoleRefused: somebody else asked for it.
        ApprovalEnded: it was used, refused or has expired.
    """
    if person_id != approval.requester_person_id:
        raise RoleRefused("an approval is withdrawn by the person who asked for it")
    if approval.state is ApprovalState.WITHDRAWN:
        return approval
    approval = as_of(approval, now)
    if approval.state not in _OPEN:
        raise ended(approval)
    return _ended_as(approval, ApprovalState.WITHDRAWN)


def used(approval: Approval, now: datetime) -> Approval:
    """The approval after its act. ApprovalEnded unless it is granted: of two acts under one approval the second gets that."""
    approval = as_of(approval, now)
    if approval.state is not ApprovalState.GRANTED:
        raise ended(approval)
    return replace(approval, state=ApprovalState.USED)


def covers(approval: Approval, act: Act) -> bool:
    """Whether the approval is for this act: the same in everything, and for at least so many."""
    bounds = dict(approval.parameters)
    allowed = bounds.pop(COUNT, "0")
    return (
        (approval.kind, approval.school_id, approval.subject) == (act.kind, act.school_id, act.subject)
        and bounds == dict(act.parameters)
        and (allowed.isdecimal() and act.count <= int(allowed))
    )


def purpose_of(approval: Approval, decision: Decision) -> bytes:
    """What factors for this decision are given for: SHA-256 over all that is decided, and of which step."""
    decided_before = [[step.person_id, step.decision.value] for step in approval.steps if step.decision is not None]
    whole = [
        "signer approval",
        approval.id,
        approval.kind.value,
        approval.school_id,
        approval.subject,
        sorted(approval.parameters.items()),
        approval.requester_person_id,
        approval.reason,
        approval.shown,
        decided_before,
        decision.value,
    ]
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def ended(approval: Approval) -> ApprovalEnded:
    """For a word on what takes none any more."""
    return ApprovalEnded(f"the approval is {approval.state.value}: ask for a new one", approval=approval.id, state=approval.state.name)


def _undecided(approval: Approval) -> ApprovalStep:
    step = next_step(approval)
    if step is None:
        raise ended(approval)
    return step


def _ended_as(approval: Approval, state: ApprovalState) -> Approval:
    """What is decided is not shown again: its SHA-256 stays."""
    return replace(approval, state=state, shown="")
