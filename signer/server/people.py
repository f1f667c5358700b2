"""AdminService: people, who has which role, who acts for whom. For operators."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from signer.control.enrolment import OneTimeCodes
from signer.control.people import People
from signer.journal import CredentialFilter, CredentialStore, RoleFilter
from signer.people.factor import FactorsStanding, FactorsState
from signer.people.person import Person
from signer.server import convert, convert_people
from signer.server.convert_keys import moment
from signer.server.door import current_operator
from signer.store.times import microseconds
from signer.v1 import admin_pb2_grpc, admin_people_pb2

_operator = partial(current_operator, "look after people")
_PAGE_SIZE_MAX: Final = 1000
_OF_A_PERSON_MAX: Final = 1000


class Standings(Protocol):
    """Whoever keeps factors."""

    async def standings(self, person_ids: Collection[str], now_us: int) -> dict[str, FactorsStanding]:
        """Where each person's factors are."""


@dataclass(frozen=True, slots=True)
class PeopleRooms:
    """What people are looked after with. page_uri: where codes are used; empty where there is no page."""

    people: People
    codes: OneTimeCodes
    factors: Standings
    credentials: CredentialStore
    page_uri: str
    utc_now: Callable[[], datetime]

    async def messages(self, people: Sequence[Person]) -> list[admin_people_pb2.Person]:
        """People with where their factors are; a code that waits is told of those who have none."""
        now = self.utc_now()
        person_ids = [each.id for each in people]
        found = await self.factors.standings(person_ids, microseconds(now))
        without = [person_id for person_id in person_ids if found[person_id].state is FactorsState.NONE]
        waiting = await self.codes.store.waiting(without, now) if without else frozenset()
        issued = FactorsStanding(FactorsState.CODE_ISSUED)
        return [convert_people.person_message(each, issued if each.id in waiting else found[each.id]) for each in people]


class PeopleMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask `control.people`, convert."""

    def __init__(self, rooms: PeopleRooms) -> None:
        self._people_rooms = rooms

    async def ListPeople(  # noqa: N802
        self,
        request: admin_people_pb2.ListPeopleRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.ListPeopleResponse:
        """A page of them, by id; the page token is the last id of the page before."""
        _operator()
        size, after = _page(request)
        wanted_state = convert_people.factors_state(request.factors_state)
        school, role = _optional(request.school_id, "school_id"), convert_people.role_filter(request.role)
        response = admin_people_pb2.ListPeopleResponse()
        while True:
            people = await self._people_rooms.people.store.people(RoleFilter(after, school, role=role), size + 1)
            for message in await self._people_rooms.messages(people):
                if wanted_state is not None and message.factors_state != request.factors_state:
                    continue
                if len(response.people) == size:
                    response.next_page_token = response.people[-1].person_id
                    return response
                response.people.append(message)
            if len(people) <= size:
                return response
            after = people[-1].id

    async def GetPerson(  # noqa: N802
        self,
        request: admin_people_pb2.GetPersonRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.GetPersonResponse:
        """A person whole."""
        _operator()
        found = await self._people_rooms.people.person(convert.identifier(request.person_id, "person_id"))
        of_them = RoleFilter(person_id=found.id)
        kept = await self._people_rooms.credentials.page(CredentialFilter(person_id=found.id), _OF_A_PERSON_MAX)
        assignments = await self._people_rooms.people.store.assignments(of_them, _OF_A_PERSON_MAX)
        delegations = await self._people_rooms.people.store.delegations(of_them, _OF_A_PERSON_MAX)
        return admin_people_pb2.GetPersonResponse(
            person=await self._person_message(found),
            assignments=map(convert_people.assignment_message, assignments),
            delegations=map(convert_people.delegation_message, delegations),
            credential_ids=[each.id for each in kept],
        )

    async def CreatePerson(  # noqa: N802
        self,
        request: admin_people_pb2.CreatePersonRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.CreatePersonResponse:
        """Adds them."""
        made = await self._people_rooms.people.add(_operator(), convert_people.person(request.person))
        return admin_people_pb2.CreatePersonResponse(person=await self._person_message(made))

    async def UpdatePerson(  # noqa: N802
        self,
        request: admin_people_pb2.UpdatePersonRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.UpdatePersonResponse:
        """Replaces them whole."""
        changed = await self._people_rooms.people.change(_operator(), convert_people.person(request.person))
        return admin_people_pb2.UpdatePersonResponse(person=await self._person_message(changed))

    async def CreateAssignment(  # noqa: N802
        self,
        request: admin_people_pb2.CreateAssignmentRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.CreateAssignmentResponse:
        """Gives a role."""
        client_id, request_id = _operator(), _optional(request.request_id, "request_id")
        made = await self._people_rooms.people.assign(client_id, request_id, convert_people.assignment(request.assignment))
        return admin_people_pb2.CreateAssignmentResponse(assignment=convert_people.assignment_message(made))

    async def EndAssignment(  # noqa: N802
        self,
        request: admin_people_pb2.EndAssignmentRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.EndAssignmentResponse:
        """Ends it."""
        client_id, assignment_id = _operator(), convert.identifier(request.assignment_id, "assignment_id")
        ended = await self._people_rooms.people.end_assignment(
            client_id, assignment_id, convert_people.end_time(request, self._people_rooms.utc_now())
        )
        return admin_people_pb2.EndAssignmentResponse(assignment=convert_people.assignment_message(ended))

    async def ListAssignments(  # noqa: N802
        self,
        request: admin_people_pb2.ListAssignmentsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.ListAssignmentsResponse:
        """A page of them, by id."""
        _operator()
        size, _after = _page(request)
        found = await self._people_rooms.people.store.assignments(_wanted(request, convert_people.role_filter(request.role)), size + 1)
        response = admin_people_pb2.ListAssignmentsResponse(assignments=map(convert_people.assignment_message, found[:size]))
        response.next_page_token = found[size - 1].id if len(found) > size else ""
        return response

    async def CreateDelegation(  # noqa: N802
        self,
        request: admin_people_pb2.CreateDelegationRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.CreateDelegationResponse:
        """Lets one person act for another."""
        client_id, request_id = _operator(), _optional(request.request_id, "request_id")
        wanted = convert_people.delegation(request.delegation)
        made = await self._people_rooms.people.delegate(client_id, request_id, wanted, self._people_rooms.utc_now())
        return admin_people_pb2.CreateDelegationResponse(delegation=convert_people.delegation_message(made))

    async def EndDelegation(  # noqa: N802
        self,
        request: admin_people_pb2.EndDelegationRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.EndDelegationResponse:
        """Ends it."""
        client_id, delegation_id = _operator(), convert.identifier(request.delegation_id, "delegation_id")
        ended = await self._people_rooms.people.end_delegation(
            client_id, delegation_id, convert_people.end_time(request, self._people_rooms.utc_now())
        )
        return admin_people_pb2.EndDelegationResponse(delegation=convert_people.delegation_message(ended))

    async def ListDelegations(  # noqa: N802
        self,
        request: admin_people_pb2.ListDelegationsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.ListDelegationsResponse:
        """A page of them, by id."""
        _operator()
        size, _after = _page(request)
        found = await self._people_rooms.people.store.delegations(_wanted(request), size + 1)
        response = admin_people_pb2.ListDelegationsResponse(delegations=map(convert_people.delegation_message, found[:size]))
        response.next_page_token = found[size - 1].id if len(found) > size else ""
        return response

    async def CreateEnrolmentCode(  # noqa: N802
        self,
        request: admin_people_pb2.CreateEnrolmentCodeRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_people_pb2.CreateEnrolmentCodeResponse:
        """The one place where a code is shown."""
        client_id, person_id = _operator(), convert.identifier(request.person_id, "person_id")
        made = await self._people_rooms.codes.create(client_id, person_id)
        return admin_people_pb2.CreateEnrolmentCodeResponse(
            code=made.code.reveal(), expire_time=convert.timestamp(made.expires), page_uri=self._people_rooms.page_uri
        )

    async def _person_message(self, person: Person) -> admin_people_pb2.Person:
        [message] = await self._people_rooms.messages([person])
        return message


def _page(request: Any) -> tuple[int, str]:
    return min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX), _optional(request.page_token, "page_token")


def _optional(value: str, field: str) -> str:
    return convert.identifier(value, field) if value else ""


def _wanted(request: Any, role: Any = None) -> RoleFilter:
    return RoleFilter(
        _optional(request.page_token, "page_token"),
        _optional(request.school_id, "school_id"),
        _optional(request.person_id, "person_id"),
        role,
        moment(request.valid_at, "valid_at") if request.HasField("valid_at") else None,
    )
