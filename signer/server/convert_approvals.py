"""Between messages and values of approvals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from signer.errors import InvalidArgument
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, ApprovalStep, Decision
from signer.server import convert
from signer.server.convert import ROLE_NUMBERS, ROLES
from signer.v1 import approval_pb2

_PARAMETERS_MAX: Final = 16
_PARAMETER_CHARACTERS_MAX: Final = 1000
_SHOWN: Final = "changes"

KINDS: Final[Mapping[int, ApprovalKind]] = {approval_pb2.ApprovalKind.Value(f"APPROVAL_KIND_{kind.name}"): kind for kind in ApprovalKind}
KIND_NUMBERS: Final[Mapping[ApprovalKind, Any]] = {kind: number for number, kind in KINDS.items()}
STATES: Final[Mapping[int, ApprovalState]] = {
    approval_pb2.ApprovalState.Value(f"APPROVAL_STATE_{state.name}"): state for state in ApprovalState
}
_STATE_NUMBERS: Final[Mapping[ApprovalState, Any]] = {state: number for number, state in STATES.items()}
_DECISIONS: Final[Mapping[int, Decision]] = {
    approval_pb2.ApprovalDecision.Value(f"APPROVAL_DECISION_{decision.name}"): decision for decision in Decision
}
_DECISION_NUMBERS: Final[Mapping[Decision, Any]] = {decision: number for number, decision in _DECISIONS.items()}


def approval(value: Approval) -> approval_pb2.Approval:
    """An approval as callers see it."""
    message = approval_pb2.Approval(
        approval_id=value.id,
        kind=KIND_NUMBERS[value.kind],
        school_id=value.school_id,
        subject=value.subject,
        parameters=dict(value.parameters) | ({_SHOWN: value.shown} if value.shown else {}),
        requester_person_id=value.requester_person_id,
        reason=value.reason,
        steps=[_step(step) for step in value.steps],
        state=_STATE_NUMBERS[value.state],
    )
    message.create_time.CopyFrom(convert.timestamp(value.created))
    message.expire_time.CopyFrom(convert.timestamp(value.expires))
    return message


def _step(value: ApprovalStep) -> approval_pb2.ApprovalStep:
    message = approval_pb2.ApprovalStep(
        roles=[ROLE_NUMBERS[role] for role in sorted(value.roles, key=lambda role: role.value)],
        title=value.title,
        person_id=value.person_id,
        comment=value.comment,
        journal_entry=value.journal_entry or 0,
    )
    if value.decision is not None:
        message.decision = _DECISION_NUMBERS[value.decision]
    if value.decided is not None:
        message.decide_time.CopyFrom(convert.timestamp(value.decided))
    return message


def kind(number: int, field: str) -> ApprovalKind:
    """A required kind."""
    if number not in KINDS:
        raise InvalidArgument(f"{field} is required: one of {', '.join(each.name for each in ApprovalKind)}", field=field)
    return KINDS[number]


def kinds(numbers: Sequence[int], field: str) -> list[ApprovalKind]:
    """A filter."""
    return [kind(number, field) for number in numbers]


def states(numbers: Sequence[int], field: str) -> list[ApprovalState]:
    """A filter."""
    if any(number not in STATES for number in numbers):
        raise InvalidArgument(f"{field} has one that is not of this contract", field=field)
    return [STATES[number] for number in numbers]


def decision(number: int) -> Decision:
    """A required decision."""
    if number not in _DECISIONS:
        raise InvalidArgument("decision is required: AGREE or REFUSE", field="decision")
    return _DECISIONS[number]


def parameters(given: Mapping[str, str]) -> dict[str, str]:
    """An act's bounds."""
    field = "approval.parameters"
    if len(given) > _PARAMETERS_MAX or any(len(name) + len(value) > _PARAMETER_CHARACTERS_MAX for name, value in given.items()):
        raise InvalidArgument(f"{field} are at most {_PARAMETERS_MAX}, each of {_PARAMETER_CHARACTERS_MAX} characters", field=field)
    return dict(given)


def policy(message: approval_pb2.ApprovalPolicy) -> ApprovalPolicy:
    """A policy to set; what it must be is said by `access.approval_policies`."""
    if any(number not in ROLES for step in message.steps for number in step.roles):
        raise InvalidArgument("policy.steps has a role that is not of this contract", field="policy.steps")
    lifetime = timedelta(seconds=message.lifetime.seconds) if message.HasField("lifetime") else timedelta(days=7)
    return ApprovalPolicy(
        kind(message.kind, "policy.kind"),
        convert.identifier(message.school_id, "policy.school_id") if message.school_id else "",
        tuple(frozenset(ROLES[number] for number in step.roles) for step in message.steps),
        lifetime,
        message.count_above,
    )


def policy_message(value: ApprovalPolicy) -> approval_pb2.ApprovalPolicy:
    """A policy as callers see it."""
    steps = [
        approval_pb2.ApprovalPolicyStep(roles=[ROLE_NUMBERS[role] for role in sorted(roles, key=lambda role: role.value)])
        for roles in value.roles
    ]
    message = approval_pb2.ApprovalPolicy(
        kind=KIND_NUMBERS[value.kind], school_id=value.school_id, steps=steps, count_above=value.count_above, built_in=value.is_built_in
    )
    message.lifetime.CopyFrom(convert.duration(value.lifetime.total_seconds()))
    return message
