"""Four eyes: what waits for whose word, and the word itself.

with SignerClient(…) as signer:
    for approval in signer.approvals.list(awaiting_person_id="hanh"):
        signer.approvals.decide(approval.id, "hanh", Decision.AGREE, [PinFactor(pin), TotpFactor(code)])
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from signer.client.channel import Connection
from signer.client.convert_people import ROLE_NUMBERS
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, ApprovalStep, Decision
from signer.people.factor import Factor, PinFactor, TotpFactor
from signer.v1 import admin_approvals_pb2, admin_pb2_grpc, approval_pb2, authorization_pb2

TIMEOUT_S = 60.0
_CHANGES: Final = "changes"
_KINDS: Final[Mapping[int, ApprovalKind]] = {approval_pb2.ApprovalKind.Value(f"APPROVAL_KIND_{kind.name}"): kind for kind in ApprovalKind}
_KIND_NUMBERS: Final[Mapping[ApprovalKind, Any]] = {kind: number for number, kind in _KINDS.items()}
_STATES: Final[Mapping[int, ApprovalState]] = {
    approval_pb2.ApprovalState.Value(f"APPROVAL_STATE_{state.name}"): state for state in ApprovalState
}
_STATE_NUMBERS: Final[Mapping[ApprovalState, Any]] = {state: number for number, state in _STATES.items()}
_DECISIONS: Final[Mapping[int, Decision]] = {
    approval_pb2.ApprovalDecision.Value(f"APPROVAL_DECISION_{decision.name}"): decision for decision in Decision
}
_DECISION_NUMBERS: Final[Mapping[Decision, Any]] = {decision: number for number, decision in _DECISIONS.items()}
_ROLES: Final = {number: role for role, number in ROLE_NUMBERS.items() if role is not None}


class ApprovalClient:
    """`SignerClient.approvals`. Every method may be repeated; a school's software sees the approvals of its schools."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def list(
        self,
        school_id: str = "",
        *,
        kinds: Sequence[ApprovalKind] = (),
        states: Sequence[ApprovalState] = (),
        awaiting_person_id: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[Approval]:
        """Approvals, newest first; of a person's, those whose next step they may decide."""
        request = admin_approvals_pb2.ListApprovalsRequest(
            school_id=school_id,
            kinds=[_KIND_NUMBERS[kind] for kind in kinds],
            states=[_STATE_NUMBERS[state] for state in states],
            awaiting_person_id=awaiting_person_id,
        )
        while True:
            response = self._call(self._stub.ListApprovals, request, timeout_s)
            yield from map(approval_value, response.approvals)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def get(self, approval_id: str, *, timeout_s: float = TIMEOUT_S) -> Approval:
        """One approval. ApprovalNotFound."""
        request = admin_approvals_pb2.GetApprovalRequest(approval_id=approval_id)
        return approval_value(self._call(self._stub.GetApproval, request, timeout_s).approval)

    def ask(
        self,
        kind: ApprovalKind,
        subject: str,
        person_id: str,
        reason: str,
        request_id: str,
        *,
        school_id: str = "",
        parameters: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Approval:
        """Asks for an approval. For operators; corrections and recalls are asked for with `register`."""
        wanted = approval_pb2.Approval(
            kind=_KIND_NUMBERS[kind],
            school_id=school_id,
            subject=subject,
            requester_person_id=person_id,
            reason=reason,
            parameters=dict(parameters or {}),
        )
        request = admin_approvals_pb2.CreateApprovalRequest(request_id=request_id, approval=wanted)
        return approval_value(self._call(self._stub.CreateApproval, request, timeout_s).approval)

    def decide(
        self,
        approval_id: str,
        person_id: str,
        decision: Decision,
        factors: Sequence[Factor],
        comment: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Approval:
        """A person's word on the next step, proven by their factors; the approval after it."""
        request = admin_approvals_pb2.DecideApprovalRequest(
            approval_id=approval_id,
            person_id=person_id,
            decision=_DECISION_NUMBERS[decision],
            comment=comment,
            factors=[_factor(each) for each in factors],
        )
        return approval_value(self._call(self._stub.DecideApproval, request, timeout_s).approval)

    def withdraw(self, approval_id: str, person_id: str, *, timeout_s: float = TIMEOUT_S) -> Approval:
        """Ends it, for the person who asked."""
        request = admin_approvals_pb2.WithdrawApprovalRequest(approval_id=approval_id, person_id=person_id)
        return approval_value(self._call(self._stub.WithdrawApproval, request, timeout_s).approval)

    def policies(self, school_id: str = "", *, timeout_s: float = TIMEOUT_S) -> builtins.list[ApprovalPolicy]:
        """The policies in force, one a kind. For operators."""
        request = admin_approvals_pb2.ListApprovalPoliciesRequest(school_id=school_id)
        return [_policy_value(each) for each in self._call(self._stub.ListApprovalPolicies, request, timeout_s).policies]

    def set_policy(self, policy: ApprovalPolicy, approval_id: str = "", *, timeout_s: float = TIMEOUT_S) -> ApprovalPolicy:
        """Sets one, under an approval where the present one asks for somebody. For operators."""
        request = admin_approvals_pb2.SetApprovalPolicyRequest(policy=_policy_message(policy), approval_id=approval_id)
        return _policy_value(self._call(self._stub.SetApprovalPolicy, request, timeout_s).policy)

    @property
    def _stub(self) -> admin_pb2_grpc.AdminServiceStub:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)

    def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)


def approval_value(message: approval_pb2.Approval) -> Approval:
    """An approval; what else deciders see is its `shown`."""
    parameters = dict(message.parameters)
    shown = parameters.pop(_CHANGES, "")
    return Approval(
        message.approval_id,
        _KINDS[message.kind],
        message.school_id,
        message.subject,
        message.requester_person_id,
        message.reason,
        tuple(_step(each) for each in message.steps),
        _STATES[message.state],
        message.create_time.ToDatetime(UTC),
        message.expire_time.ToDatetime(UTC),
        parameters,
        shown,
    )


def _step(message: approval_pb2.ApprovalStep) -> ApprovalStep:
    decided: datetime | None = message.decide_time.ToDatetime(UTC) if message.HasField("decide_time") else None
    return ApprovalStep(
        frozenset(_ROLES[number] for number in message.roles if number in _ROLES),
        message.title,
        message.person_id,
        _DECISIONS.get(message.decision),
        message.comment,
        decided,
        message.journal_entry or None,
    )


def _policy_value(message: approval_pb2.ApprovalPolicy) -> ApprovalPolicy:
    roles = tuple(frozenset(_ROLES[number] for number in step.roles if number in _ROLES) for step in message.steps)
    lifetime = timedelta(seconds=message.lifetime.seconds)
    return ApprovalPolicy(_KINDS[message.kind], message.school_id, roles, lifetime, message.count_above, message.built_in)


def _policy_message(policy: ApprovalPolicy) -> approval_pb2.ApprovalPolicy:
    steps = [
        approval_pb2.ApprovalPolicyStep(roles=[ROLE_NUMBERS[role] for role in sorted(roles, key=lambda role: role.value)])
        for roles in policy.roles
    ]
    message = approval_pb2.ApprovalPolicy(
        kind=_KIND_NUMBERS[policy.kind], school_id=policy.school_id, steps=steps, count_above=policy.count_above
    )
    message.lifetime.FromTimedelta(policy.lifetime)
    return message


def _factor(factor: Factor) -> authorization_pb2.Factor:
    match factor:
        case PinFactor(pin):
            return authorization_pb2.Factor(pin=pin.reveal())
        case TotpFactor(code):
            return authorization_pb2.Factor(totp=code.reveal())
        case _:
            return authorization_pb2.Factor(
                webauthn=authorization_pb2.WebAuthnAssertion(
                    challenge_id=factor.challenge_id,
                    authenticator_credential_id=factor.authenticator_credential_id,
                    authenticator_data=factor.authenticator_data,
                    client_data_json=factor.client_data_json,
                    signature=factor.signature,
                )
            )
