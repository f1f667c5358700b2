"""AdminService: approvals and their policies. A school's software brings its people's decisions; policies are the operators'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from signer.access.approval_policies import OF_RECORDS
from signer.access.approvals import Act
from signer.control.approvals import Approvals, Wanted, require_subject
from signer.errors import ApprovalNotFound, InvalidArgument
from signer.people.approval import Approval, ApprovalKind
from signer.server import convert, convert_approvals, convert_factors
from signer.server.door import current_operator, current_visit
from signer.v1 import admin_approvals_pb2, admin_pb2_grpc

_operator = partial(current_operator, "say who must agree to what")
_PAGE_SIZE_MAX: Final = 100
Exists = Callable[[str, str], Awaitable[bool]]
"""Whether a school has the subject of an approval."""


@dataclass(frozen=True, slots=True)
class KnownSubjects:
    """`control.approvals.Subjects`: for each kind who knows; what is not among them is not looked for."""

    by_kind: Mapping[ApprovalKind, Exists]

    async def exists(self, kind: ApprovalKind, school_id: str, subject: str) -> bool:
        """Whether there is such a thing."""
        knows = self.by_kind.get(kind)
        return knows is None or await knows(school_id, subject)


class ApprovalMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask `control.approvals`, convert. Another school's approval looks like one that is not there."""

    def __init__(self, approvals: Approvals, subjects: KnownSubjects) -> None:
        self._approvals = approvals
        self._subjects = subjects

    async def CreateApproval(  # noqa: N802
        self,
        request: admin_approvals_pb2.CreateApprovalRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.CreateApprovalResponse:
        """Asks; of the message only what is asked for is looked at."""
        client_id, asked = _operator(), request.approval
        request_id = convert.identifier(request.request_id, "request_id")
        kind = convert_approvals.kind(asked.kind, "approval.kind")
        if kind in OF_RECORDS:
            raise InvalidArgument(f"{kind.name} is asked for by RecordService, which knows the record", field="approval.kind")
        act = Act(
            kind,
            convert.identifier(asked.school_id, "approval.school_id") if asked.school_id else "",
            convert.identifier(asked.subject, "approval.subject"),
        )
        await require_subject(self._subjects, act)
        requester = convert.identifier(asked.requester_person_id, "approval.requester_person_id")
        wanted = Wanted(act, requester, asked.reason, convert_approvals.parameters(asked.parameters))
        approval = await self._approvals.ask(client_id, request_id, wanted)
        return admin_approvals_pb2.CreateApprovalResponse(approval=convert_approvals.approval(approval))

    async def DecideApproval(  # noqa: N802
        self,
        request: admin_approvals_pb2.DecideApprovalRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.DecideApprovalResponse:
        """A person's statement, proven by their factors."""
        approval = await self._visible(request.approval_id)
        decided = await self._approvals.decide(
            approval.id,
            convert.identifier(request.person_id, "person_id"),
            convert_approvals.decision(request.decision),
            request.comment,
            convert_factors.factors(request.factors),
            client_id=current_visit().caller.client_id,
        )
        return admin_approvals_pb2.DecideApprovalResponse(approval=convert_approvals.approval(decided))

    async def WithdrawApproval(  # noqa: N802
        self,
        request: admin_approvals_pb2.WithdrawApprovalRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.WithdrawApprovalResponse:
        """Ends it, for the one who asked."""
        approval = await self._visible(request.approval_id)
        person_id = convert.identifier(request.person_id, "person_id")
        withdrawn = await self._approvals.withdraw(current_visit().caller.client_id, approval.id, person_id)
        return admin_approvals_pb2.WithdrawApprovalResponse(approval=convert_approvals.approval(withdrawn))

    async def GetApproval(  # noqa: N802
        self,
        request: admin_approvals_pb2.GetApprovalRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.GetApprovalResponse:
        """One approval."""
        return admin_approvals_pb2.GetApprovalResponse(approval=convert_approvals.approval(await self._visible(request.approval_id)))

    async def ListApprovals(  # noqa: N802
        self,
        request: admin_approvals_pb2.ListApprovalsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.ListApprovalsResponse:
        """A page, newest first; the page token is the number of the last one of the page before."""
        visit = current_visit()
        caller = visit.caller
        schools = None if caller.is_operator or caller.sees_all else caller.schools
        if request.school_id:
            if schools is not None:
                visit.require_school(request.school_id)
            schools = frozenset((convert.identifier(request.school_id, "school_id"),))
        listed = await self._approvals.page(
            schools,
            kinds=convert_approvals.kinds(request.kinds, "kinds"),
            states=convert_approvals.states(request.states, "states"),
            awaiting_person_id=convert.identifier(request.awaiting_person_id, "awaiting_person_id") if request.awaiting_person_id else "",
            before=convert.page_number(request.page_token),
            limit=min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX),
        )
        return admin_approvals_pb2.ListApprovalsResponse(
            approvals=[convert_approvals.approval(each) for each in listed.approvals],
            next_page_token="" if listed.next_before is None else str(listed.next_before),
        )

    async def ListApprovalPolicies(  # noqa: N802
        self,
        request: admin_approvals_pb2.ListApprovalPoliciesRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.ListApprovalPoliciesResponse:
        """Those in force, one a kind."""
        _operator()
        school_id = convert.identifier(request.school_id, "school_id") if request.school_id else ""
        found = await self._approvals.policies(school_id)
        return admin_approvals_pb2.ListApprovalPoliciesResponse(policies=[convert_approvals.policy_message(each) for each in found])

    async def SetApprovalPolicy(  # noqa: N802
        self,
        request: admin_approvals_pb2.SetApprovalPolicyRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_approvals_pb2.SetApprovalPolicyResponse:
        """Sets one, when those agreed whom the present one names."""
        policy = await self._approvals.set_policy(_operator(), convert_approvals.policy(request.policy), request.approval_id)
        return admin_approvals_pb2.SetApprovalPolicyResponse(policy=convert_approvals.policy_message(policy))

    async def _visible(self, approval_id: str) -> Approval:
        """An approval that the caller may see."""
        caller = current_visit().caller
        approval = await self._approvals.find(convert.identifier(approval_id, "approval_id"))
        if not (caller.is_operator or caller.sees_all or approval.school_id in caller.schools):
            raise ApprovalNotFound("no such approval", approval=approval.id)
        return approval
