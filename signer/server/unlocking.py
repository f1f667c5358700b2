"""AdminService: a person who tried too often is let in again, when several people allow it. For operators."""

from __future__ import annotations

from functools import partial
from typing import Any

from signer.control.approvals import Approvals
from signer.control.factors import Factors
from signer.people.approval import ApprovalKind
from signer.people.factor import FactorsState
from signer.people.four_eyes import GuardedAct, spend_approval
from signer.server import convert
from signer.server.convert_people import factors_state
from signer.server.door import current_operator
from signer.server.people import PeopleRooms
from signer.v1 import admin_pb2_grpc, admin_people_pb2

_operator = partial(current_operator, "unlock people")


class UnlockMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask four eyes, unlock, convert."""

    def __init__(self, people: PeopleRooms, factors: Factors, approvals: Approvals) -> None:
        self._unlocking = people, factors, approvals

    async def UnlockFactors(  # noqa: N802
        self,
        request: admin_people_pb2.UnlockFactorsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.UnlockFactorsResponse:
        """Lets a locked person try again; one who is not locked stays as they are, and no approval is spent."""
        client_id, (people, factors, approvals) = _operator(), self._unlocking
        person = await people.people.person(convert.identifier(request.person_id, "person_id"))
        [message] = await people.messages([person])
        if factors_state(message.factors_state) in (FactorsState.LOCKED, FactorsState.DELAYED):
            act = GuardedAct(ApprovalKind.FACTOR_UNLOCK, "", person.id, client_id)
            approval_id = await spend_approval(approvals, act, request.approval_id)
            await factors.unlock(client_id, person.id, approval_id)
            [message] = await people.messages([person])
        return admin_people_pb2.UnlockFactorsResponse(person=message)
