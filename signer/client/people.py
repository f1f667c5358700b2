"""What an operator asks of the appliance about people: who there is, in which roles, who acts for whom, and the codes for their factors.

with SignerClient(…) as signer:
    outcome = signer.people.bring(rows, dry_run=True)
    signer.people.assign(Assignment("", "lan", Role.HOMEROOM_TEACHER, Scope("79000001", 2025, "1A")))
    code = signer.people.code("lan")
"""

from __future__ import annotations

import builtins
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import grpc

from signer.access.department import ImportedRow
from signer.client import convert_people
from signer.client.channel import Connection
from signer.client.convert import moment
from signer.client.key_values import Enrolled, NewKey
from signer.client.keys import key_outcome, key_spec
from signer.client.people_values import EnrolmentCode, ImportOutcome, PersonFile, PersonInfo
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.errors import InternalError
from signer.model import Role
from signer.people.factor import FactorsState
from signer.people.person import Assignment, Delegation, Person
from signer.rpc_status import from_failed_call
from signer.secrets import Secret
from signer.v1 import admin_keys_pb2, admin_pb2_grpc, admin_people_pb2, credential_pb2

TIMEOUT_S = 60.0
LONG_TIMEOUT_S = 600.0
ENROL_TIMEOUT_S = 36_000.0
_CALL_S = 3000.0
_KEYS_PER_CALL = 500
_ROWS_A_MESSAGE = 500


class PeopleClient:
    """`SignerClient.people`, for operators. Every method but `code` may be repeated."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def list(
        self, school_id: str = "", *, role: Role | None = None, factors_state: FactorsState | None = None, timeout_s: float = LONG_TIMEOUT_S
    ) -> Iterator[PersonInfo]:
        """People by id: with a role in the school, in any role or this one, whose factors are so."""
        request = admin_people_pb2.ListPeopleRequest(
            school_id=school_id,
            role=convert_people.ROLE_NUMBERS[role],
            factors_state=convert_people.STATE_NUMBERS[factors_state],
        )
        for response in self._pages(self._stub.ListPeople, request, timeout_s):
            yield from map(convert_people.person_info, response.people)

    def get(self, person_id: str, *, timeout_s: float = TIMEOUT_S) -> PersonFile:
        """Everything about a person. PersonNotFound."""
        return convert_people.person_file(
            self._call(self._stub.GetPerson, admin_people_pb2.GetPersonRequest(person_id=person_id), timeout_s)
        )

    def add(self, person: Person, *, timeout_s: float = TIMEOUT_S) -> PersonInfo:
        """Adds a person; the same again is returned, another of this id is IdTaken."""
        request = admin_people_pb2.CreatePersonRequest(person=convert_people.person_message(person))
        return convert_people.person_info(self._call(self._stub.CreatePerson, request, timeout_s).person)

    def change(self, person: Person, *, timeout_s: float = TIMEOUT_S) -> PersonInfo:
        """Replaces a person as they were read; ChangedMeanwhile when somebody else did."""
        request = admin_people_pb2.UpdatePersonRequest(person=convert_people.person_message(person))
        return convert_people.person_info(self._call(self._stub.UpdatePerson, request, timeout_s).person)

    def bring(
        self,
        rows: Sequence[ImportedRow],
        *,
        dry_run: bool = False,
        end_missing: bool = False,
        on_progress: Callable[[int], None] = lambda _sent: None,
        timeout_s: float = LONG_TIMEOUT_S,
    ) -> ImportOutcome:
        """Imports people and roles, all or nothing. end_missing: ends the roles of the rows' schools and years that they don't have."""
        header = admin_people_pb2.ImportHeader(dry_run=dry_run, end_missing=end_missing)
        messages = _import_messages(header, rows, on_progress)
        found: builtins.list[Any] = []
        try:
            for response in self._stub.ImportPeople(messages, timeout=timeout_s, wait_for_ready=True):
                if response.WhichOneof("message") == "row":
                    found.append(convert_people.row_outcome(response.row))
                elif response.WhichOneof("message") == "summary":
                    summary = response.summary
                    counts = (summary.rows, summary.created, summary.updated, summary.ended, summary.refused)
                    return ImportOutcome(summary.applied, *counts, rows=tuple(found))
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed
        raise InternalError("the daemon ended an import without its summary")

    def assign(self, assignment: Assignment, *, request_id: str = "", timeout_s: float = TIMEOUT_S) -> Assignment:
        """Gives a role. request_id: of a call that may be repeated later; empty for a new one."""
        request = admin_people_pb2.CreateAssignmentRequest(
            request_id=request_id or str(uuid.uuid4()), assignment=convert_people.assignment_message(assignment)
        )
        return convert_people.assignment(self._call(self._stub.CreateAssignment, request, timeout_s).assignment)

    def end_assignment(self, assignment_id: str, end: datetime | None = None, *, timeout_s: float = TIMEOUT_S) -> Assignment:
        """Ends a role, now or at a time."""
        request = admin_people_pb2.EndAssignmentRequest(assignment_id=assignment_id)
        if end is not None:
            request.end_time.FromDatetime(end)
        return convert_people.assignment(self._call(self._stub.EndAssignment, request, timeout_s).assignment)

    def assignments(
        self,
        school_id: str = "",
        *,
        person_id: str = "",
        role: Role | None = None,
        valid_at: datetime | None = None,
        timeout_s: float = LONG_TIMEOUT_S,
    ) -> Iterator[Assignment]:
        """Roles by id."""
        number = convert_people.ROLE_NUMBERS[role]
        request = admin_people_pb2.ListAssignmentsRequest(school_id=school_id, person_id=person_id, role=number)
        if valid_at is not None:
            request.valid_at.FromDatetime(valid_at)
        for response in self._pages(self._stub.ListAssignments, request, timeout_s):
            yield from map(convert_people.assignment, response.assignments)

    def delegate(self, delegation: Delegation, *, request_id: str = "", timeout_s: float = TIMEOUT_S) -> Delegation:
        """Lets one person act for another. request_id: as for `assign`."""
        request = admin_people_pb2.CreateDelegationRequest(
            request_id=request_id or str(uuid.uuid4()), delegation=convert_people.delegation_message(delegation)
        )
        return convert_people.delegation(self._call(self._stub.CreateDelegation, request, timeout_s).delegation)

    def end_delegation(self, delegation_id: str, end: datetime | None = None, *, timeout_s: float = TIMEOUT_S) -> Delegation:
        """Ends a delegation, now or at a time."""
        request = admin_people_pb2.EndDelegationRequest(delegation_id=delegation_id)
        if end is not None:
            request.end_time.FromDatetime(end)
        return convert_people.delegation(self._call(self._stub.EndDelegation, request, timeout_s).delegation)

    def delegations(
        self, school_id: str = "", *, person_id: str = "", valid_at: datetime | None = None, timeout_s: float = LONG_TIMEOUT_S
    ) -> Iterator[Delegation]:
        """Delegations by id; person_id: from or to whom."""
        request = admin_people_pb2.ListDelegationsRequest(school_id=school_id, person_id=person_id)
        if valid_at is not None:
            request.valid_at.FromDatetime(valid_at)
        for response in self._pages(self._stub.ListDelegations, request, timeout_s):
            yield from map(convert_people.delegation, response.delegations)

    def code(self, person_id: str, *, timeout_s: float = TIMEOUT_S) -> EnrolmentCode:
        """A new one-time code; the person's last one ends."""
        made = self._call(self._stub.CreateEnrolmentCode, admin_people_pb2.CreateEnrolmentCodeRequest(person_id=person_id), timeout_s)
        return EnrolmentCode(person_id, Secret(made.code), moment(made.expire_time), made.page_uri)

    def unlock(self, person_id: str, approval_id: str = "", *, timeout_s: float = TIMEOUT_S) -> PersonInfo:
        """Lets a person try again who gave wrong factors too often. ApprovalRequired; who is not locked stays as they are."""
        request = admin_people_pb2.UnlockFactorsRequest(person_id=person_id, approval_id=approval_id)
        return convert_people.person_info(self._call(self._stub.UnlockFactors, request, timeout_s).person)

    def enrol(self, keys: Iterable[NewKey], *, timeout_s: float = ENROL_TIMEOUT_S) -> Iterator[Enrolled]:
        """Keys for people, which sign by their activation alone: each with its certificate request as soon as it is durable.

        Who has a key of this kind in the school already is returned with it. Certificates follow by `keys.bring`, codes by `code`.
        """
        deadline_s = time.monotonic() + timeout_s
        wanted = builtins.list(keys)
        for start in range(0, len(wanted), _KEYS_PER_CALL):
            specs = [key_spec(key, credential_pb2.ACTIVATION_MODE_UNSPECIFIED) for key in wanted[start : start + _KEYS_PER_CALL]]
            request = admin_keys_pb2.EnrolPeopleRequest(enrolments=[admin_keys_pb2.Enrolment(key=spec) for spec in specs])
            try:
                for response in self._stub.EnrolPeople(request, timeout=min(_CALL_S, deadline_s - time.monotonic()), wait_for_ready=True):
                    yield Enrolled(response.person_id, key_outcome(response.result), start + response.done, len(wanted))
            except grpc.RpcError as failed:
                raise from_failed_call(failed) from failed

    @property
    def _stub(self) -> Any:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)

    def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    def _pages(self, method: Any, request: Any, timeout_s: float) -> Iterator[Any]:
        deadline_s = time.monotonic() + timeout_s
        while True:
            response = call_patiently(method, request, policy=self._policy, deadline_s=deadline_s)
            yield response
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token


def _import_messages(
    header: admin_people_pb2.ImportHeader, rows: Iterable[ImportedRow], on_progress: Callable[[int], None]
) -> Iterator[admin_people_pb2.ImportPeopleRequest]:
    yield admin_people_pb2.ImportPeopleRequest(header=header)
    waiting, sent = iter(rows), 0
    while some := list(islice(waiting, _ROWS_A_MESSAGE)):
        yield admin_people_pb2.ImportPeopleRequest(rows=admin_people_pb2.ImportRows(rows=map(convert_people.row_message, some)))
        sent += len(some)
        on_progress(sent)
