"""The authorisation matrix over the wire: every method of the contract × every kind of caller × its own, a foreign and an unknown school.

What is expected stands here as a table of its own, by the regulations and docs/clients.md, not by the code's. A cell is allowed when the
call came past the question who may (whatever it came to then), and refused when it answers one of the reasons below; every cell is one or
the other, and all are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from signer.errors import Reason, SignerError
from signer.rpc_status import from_failed_call
from signer.server.unserved import SERVICE_NAMES
from signer.v1 import admin_clients_pb2, admin_pb2_grpc, signing_pb2
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, World, running_daemon

UNKNOWN_SCHOOL = "no-such-school"
TIMEOUT_S = 10.0
WATCH_S = 0.3
"""A watch says nothing until something happens: that it does not refuse is all that is asked."""


class Caller(Enum):
    """Who calls; the value is what it is known by."""

    SOFTWARE = "school software of the school, which may not sign digests"
    DIGESTS = "school software of the school, which may"
    EDGE = "an edge appliance of the school"
    OPERATOR = "an operator that names no school"
    SCHOOL_OPERATOR = "an operator that names the school"
    AUDITOR = "an auditor"
    DISABLED = "a client that is disabled"
    REVOKED = "a client whose certificate is revoked"
    STRANGER = "a certificate of nobody"


C = Caller
SIGNING = {C.SOFTWARE, C.DIGESTS, C.EDGE, C.SCHOOL_OPERATOR}
OPERATORS = {C.OPERATOR, C.SCHOOL_OPERATOR}
READERS = SIGNING | OPERATORS | {C.AUDITOR}
STAMPING = SIGNING | OPERATORS
KNOWN = set(C) - {C.DISABLED, C.REVOKED, C.STRANGER}
SEES_ALL = {C.OPERATOR, C.AUDITOR}

MAY_CALL: dict[str, set[Caller]] = {
    "SigningService": SIGNING,
    "SigningService/SignDigests": {C.DIGESTS},
    "SigningService/GetSignatureStates": READERS,
    "SigningService/GetBatch": READERS,
    "SigningService/ListBatches": READERS,
    "SigningService/WatchBatch": READERS,
    "CredentialService": READERS,
    "AuthorizationService": SIGNING,
    "RecordService": READERS,
    "RecordService/RequestCorrection": SIGNING,
    "RecordService/RequestRecall": SIGNING,
    "RecordService/SetCalendar": OPERATORS,
    "ValidationService": READERS,
    "TimestampService": STAMPING,
    "TimestampService/GetEvidenceRecord": READERS,
    "TimestampService/ListEvidenceRecords": READERS,
    "TimestampService/VerifyEvidenceRecord": READERS,
    "TimestampService/ListTimestampAuthorities": READERS,
    "AuditService": OPERATORS | {C.AUDITOR},
    "AuditService/ExportEntries": SEES_ALL,
    "AuditService/VerifyJournal": SEES_ALL,
    "AuditService/ListSegments": SEES_ALL,
    "AuditService/ArchiveSegments": OPERATORS,
    "AdminService": OPERATORS,
    "AdminService/DecideApproval": STAMPING,
    "AdminService/WithdrawApproval": STAMPING,
    "AdminService/GetApproval": READERS,
    "AdminService/ListApprovals": READERS,
}
"""By service, or by a method that differs from it."""

OPERATORS_OWN = {"AdminService", "RecordService/SetCalendar", "AuditService/ArchiveSegments"}
"""What is refused for the role: for operators alone."""
SHARED = {"DecideApproval", "WithdrawApproval", "GetApproval", "ListApprovals"}
"""Of AdminService, what schools use as well."""
HIDDEN = dict.fromkeys(("GetRecord", "RequestCorrection", "RequestRecall"), Reason.RECORD_NOT_FOUND)
"""How a foreign school's things are not there, where it is not the school itself that is not found."""
REFUSALS = {Reason.CALLER_UNKNOWN, Reason.METHOD_NOT_ALLOWED, Reason.ROLE_REFUSED, Reason.SCHOOL_NOT_FOUND}
WATCHES = {"WatchAuthorization", "WatchCheckpoints", "WatchBatch"}
FILLED: dict[str, Any] = {
    "request_id": "matrix",
    "record_uuid": "00000000-0000-4000-8000-000000000000",
    "reason": "matrix",
    "kind": 1,
    "role": 3,
    "level": 1,
    "profile": 1,
    "digest_algorithm": 1,
}
"""What a request must hold before anybody asks for its school; every other id is one that nothing has."""
FILLED_IN: dict[str, dict[str, Any]] = {"CreateChallengeRequest": {"kind": 3}}

CELLS = 195
ALLOWED = {C.SOFTWARE: 44, C.DIGESTS: 45, C.EDGE: 44, C.OPERATOR: 141, C.SCHOOL_OPERATOR: 123, C.AUDITOR: 57}
"""Of each caller's cells; nothing for whoever is not here. Whoever changes the contract or a right sees here what that changes."""


@dataclass(frozen=True)
class Cell:
    """One question, and how it was answered. reason: None when the call went well. told: all that was said, without the school's name."""

    method: str
    caller: Caller
    school_id: str
    reason: Reason | None
    told: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Gate:
    """A daemon, asked by the certificate that is one caller after the other, and the operator who says which."""

    world: World
    channel: grpc.Channel
    operator: admin_pb2_grpc.AdminServiceStub


@pytest.fixture(scope="module")
def gate(world: World) -> Iterator[Gate]:
    config = world.config("matrix.toml", journal={"url": "sqlite:///matrix.db"}, documents={"processes": 1}, queue={})
    with (
        running_daemon(config) as running,
        world.channel(running.port, "unlisted") as channel,
        world.channel(running.port, "operator") as operator,
    ):
        yield Gate(world, channel, admin_pb2_grpc.AdminServiceStub(operator))


def methods() -> list[MethodDescriptor]:
    pool = signing_pb2.DESCRIPTOR.pool
    return [method for name in SERVICE_NAMES for method in pool.FindServiceByName(name).methods]


def short(method: MethodDescriptor) -> str:
    assert method.containing_service is not None
    return f"{method.containing_service.name}/{method.name}"


def become(gate: Gate, caller: Caller) -> None:
    """The certificate is this caller's from now on."""
    stub = gate.operator
    sha256 = load_pem_x509_certificate((gate.world.pki / "unlisted.crt").read_bytes()).fingerprint(hashes.SHA256()).hex()
    kind = {
        C.EDGE: admin_clients_pb2.CLIENT_KIND_EDGE,
        C.OPERATOR: admin_clients_pb2.CLIENT_KIND_OPERATOR,
        C.SCHOOL_OPERATOR: admin_clients_pb2.CLIENT_KIND_OPERATOR,
        C.AUDITOR: admin_clients_pb2.CLIENT_KIND_AUDITOR,
    }.get(caller, admin_clients_pb2.CLIENT_KIND_SCHOOL_SOFTWARE)
    wanted = admin_clients_pb2.Client(
        client_id="matrix",
        kind=kind,
        school_ids=[] if caller in SEES_ALL else [SCHOOL],
        certificates=[] if caller is C.STRANGER else [admin_clients_pb2.ClientCertificate(sha256=sha256, revoked=caller is C.REVOKED)],
        may_sign_digests=caller is C.DIGESTS,
        disabled=caller is C.DISABLED,
    )
    there = {client.client_id: client for client in stub.ListClients(admin_clients_pb2.ListClientsRequest(), timeout=60).clients}
    if "matrix" in there:
        wanted.etag = there["matrix"].etag
        stub.UpdateClient(admin_clients_pb2.UpdateClientRequest(client=wanted), timeout=60)
    else:
        stub.CreateClient(admin_clients_pb2.CreateClientRequest(client=wanted), timeout=60)


def filled(kind: Descriptor, school_id: str) -> tuple[Message, bool]:
    """A request that names the school, and whether it can name one. What it names else is not there; what it changes would be nothing."""
    message = GetMessageClass(kind)()
    return message, _fill(message, school_id)


def _fill(message: Message, school_id: str) -> bool:
    names_school = False
    special = FILLED_IN.get(message.DESCRIPTOR.name, {})
    for field in message.DESCRIPTOR.fields:
        if field.name in {"header", "target", "submission"}:
            names_school = _fill(getattr(message, field.name), school_id) or names_school
            getattr(message, field.name).SetInParent()
        elif field.is_repeated or field.containing_oneof is not None:
            continue
        elif field.name == "school_id":
            message.school_id = school_id  # type: ignore[attr-defined]
            names_school = True
        elif field.name in special:
            setattr(message, field.name, special[field.name])
        elif field.name in FILLED and field.type != FieldDescriptor.TYPE_MESSAGE:
            setattr(message, field.name, FILLED[field.name])
        elif field.name.endswith("_id") and field.type == FieldDescriptor.TYPE_STRING and field.name != "delegation_id":
            setattr(message, field.name, "00000000-0000-4000-8000-000000000000")
    return names_school


def ask(channel: grpc.Channel, method: MethodDescriptor, request: Message) -> SignerError | None:
    """What refused the call; None when nothing did."""
    arity = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    response = GetMessageClass(method.output_type)
    assert method.containing_service is not None
    call = getattr(channel, arity)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=response.FromString,
    )
    timeout_s = WATCH_S if method.name in WATCHES else TIMEOUT_S
    try:
        answer = call(iter([request]) if method.client_streaming else request, timeout=timeout_s)
        if method.server_streaming:
            next(answer, None)
            answer.cancel()
    except grpc.RpcError as failed:
        return from_failed_call(failed)
    return None


def cells(gate: Gate, caller: Caller) -> Iterator[Cell]:
    """Every method, for each school that it can name."""
    become(gate, caller)
    for method in methods():
        for school_id in (SCHOOL, OTHER_SCHOOL, UNKNOWN_SCHOOL):
            request, names_school = filled(method.input_type, school_id)
            refused = ask(gate.channel, method, request)
            told = () if refused is None else (refused.message.replace(school_id, "…"), {**refused.metadata, "school": "…"})
            yield Cell(short(method), caller, school_id if names_school else "", None if refused is None else refused.reason, told)
            if not names_school:
                break


def expected(cell: Cell) -> Reason | None:
    """The specification of a cell: the reason it is refused with; None for one that is allowed."""
    if cell.caller not in KNOWN:
        return Reason.CALLER_UNKNOWN
    service, _, method = cell.method.partition("/")
    if cell.caller not in MAY_CALL.get(cell.method, MAY_CALL[service]):
        is_of_role = (service in OPERATORS_OWN and method not in SHARED) or cell.method in OPERATORS_OWN
        whole_journal = cell.method in MAY_CALL and service == "AuditService" and cell.caller in MAY_CALL[service]
        return Reason.ROLE_REFUSED if is_of_role or whole_journal else Reason.METHOD_NOT_ALLOWED
    looks_after_all = cell.caller in SEES_ALL or (
        cell.caller in OPERATORS and (service in {"AdminService", "AuditService"} or cell.method in OPERATORS_OWN)
    )
    if cell.school_id in {"", SCHOOL} or looks_after_all:
        return None
    return HIDDEN.get(method, Reason.SCHOOL_NOT_FOUND)


def is_as_specified(cell: Cell) -> bool:
    """What this release does not serve says so, behind the question who may call it."""
    wanted = expected(cell)
    if cell.reason is Reason.NOT_SERVED_YET:
        return wanted in {None, Reason.SCHOOL_NOT_FOUND}
    return cell.reason not in REFUSALS if wanted is None else cell.reason is wanted


@pytest.mark.parametrize("caller", C, ids=lambda caller: caller.name.lower())
def test_each_cell_is_as_specified(gate: Gate, caller: Caller) -> None:
    found = list(cells(gate, caller))
    wrong = [
        f"{cell.method} for {cell.school_id or 'no school'}: {cell.reason}, not {expected(cell)}"
        for cell in found
        if not is_as_specified(cell)
    ]
    assert not wrong, "\n".join(wrong)
    assert {cell.method for cell in found} == {short(method) for method in methods()}
    counts = Counter("allowed" if expected(cell) is None else "refused" for cell in found)
    assert (counts.total(), counts["allowed"]) == (CELLS, ALLOWED.get(caller, 0))
    told: dict[str, set[str]] = {}
    for cell in found:
        if cell.school_id in {OTHER_SCHOOL, UNKNOWN_SCHOOL}:
            told.setdefault(cell.method, set()).add(repr((cell.reason, cell.told)))
    differing = {method for method, each in told.items() if len(each) > 1}
    assert not differing or caller in SEES_ALL | OPERATORS, f"a foreign school is told from an unknown one: {differing}"


def test_the_table_names_every_service_and_no_method_that_is_not_there() -> None:
    names = {short(method) for method in methods()}
    services = {name.partition("/")[0] for name in names}
    assert {name for name in MAY_CALL if "/" not in name} == services
    assert {name for name in MAY_CALL if "/" in name} <= names
