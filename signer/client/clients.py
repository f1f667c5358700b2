"""Who may call for which schools, and how much, as operators look after it.

with SignerClient(…) as signer:
    signer.schools.create(SchoolInfo("79000001", code="79000001", display_name="TH Demo"))
    signer.clients.create(ClientInfo("vnedu", kind="school-software", school_ids=("79000001",), certificates=(CertificateEntry(sha256),)))
    signer.quotas.set(QuotaInfo("school", "79000001", signatures_per_day_max=20_000))
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from signer.client.channel import Connection
from signer.client.convert import moment, name_of
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.errors import ClientNotFound, SchoolNotFound
from signer.people.client import ClientKind, SchoolTier
from signer.v1 import admin_clients_pb2 as messages
from signer.v1 import admin_pb2_grpc

TIMEOUT_S: Final = 30.0
_TIER_NUMBERS: Final[dict[SchoolTier, Any]] = {
    tier: messages.SchoolTier.Value(f"SCHOOL_TIER_{tier.name}") for tier in SchoolTier if tier is not SchoolTier.UNKNOWN
} | {SchoolTier.UNKNOWN: messages.SCHOOL_TIER_UNSPECIFIED}
_TIERS: Final = {number: tier for tier, number in _TIER_NUMBERS.items()}
_PREFIX: Final = "CLIENT_KIND_"


@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """A client's certificate. sha256: hex. accepted_from, accepted_until: aware; None for no bound."""

    sha256: str
    accepted_from: datetime | None = None
    accepted_until: datetime | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client. kind: `school-software`, `edge`, `operator` or `auditor`. etag: empty for one of the daemon's configuration."""

    id: str
    kind: str
    display_name: str = ""
    school_ids: tuple[str, ...] = ()
    certificates: tuple[CertificateEntry, ...] = ()
    may_sign_digests: bool = False
    disabled: bool = False
    etag: str = ""
    last_call: datetime | None = None


@dataclass(frozen=True, slots=True)
class SchoolInfo:
    """A school. code: MA_TRUONG; empty: its id. weight: its share of a token. tier: a `SchoolTier`'s value.

    etag: empty for one that the configuration merely names.
    """

    id: str
    code: str = ""
    display_name: str = ""
    weight: int = 1
    disabled: bool = False
    etag: str = ""
    tier: str = SchoolTier.UNKNOWN.value


@dataclass(frozen=True, slots=True)
class QuotaInfo:
    """A quota. subject: `client` or `school`. 0 in a limit: none."""

    subject: str
    subject_id: str
    signatures_per_second_max: float = 0.0
    signatures_per_day_max: int = 0
    concurrent_rpcs_max: int = 0
    signatures_today: int = 0


_Named = TypeVar("_Named", ClientInfo, SchoolInfo)


class _Admin:
    """What the three have in common."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def _ask(self, method: str, request: Any, timeout_s: float) -> Any:
        stub = admin_pb2_grpc.AdminServiceStub(self._connection.channel)
        return call_patiently(getattr(stub, method), request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    def _pages(self, method: str, request: Any, field: str, timeout_s: float) -> Iterator[Any]:
        while True:
            answer = self._ask(method, request, timeout_s)
            yield from getattr(answer, field)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token


class ClientsClient(_Admin):
    """`SignerClient.clients`, for operators."""

    def list(self, school_id: str = "", *, timeout_s: float = TIMEOUT_S) -> builtins.list[ClientInfo]:
        """All clients, or those of a school, by id; those of the daemon's configuration as well."""
        found = self._pages("ListClients", messages.ListClientsRequest(school_id=school_id), "clients", timeout_s)
        return builtins.list(map(_client_info, found))

    def get(self, client_id: str, *, timeout_s: float = TIMEOUT_S) -> ClientInfo:
        """The client; ClientNotFound."""
        return _found(self.list(timeout_s=timeout_s), client_id, ClientNotFound)

    def create(self, client: ClientInfo, *, timeout_s: float = TIMEOUT_S) -> ClientInfo:
        """Adds a client, from the next call on. May be repeated: the same again is what is there."""
        return _client_info(self._ask("CreateClient", messages.CreateClientRequest(client=_client(client)), timeout_s).client)

    def update(self, client: ClientInfo, *, timeout_s: float = TIMEOUT_S) -> ClientInfo:
        """Replaces the client that was read with its etag, from the next call on; ChangedMeanwhile if it was changed since."""
        return _client_info(self._ask("UpdateClient", messages.UpdateClientRequest(client=_client(client)), timeout_s).client)


class SchoolsClient(_Admin):
    """`SignerClient.schools`, for operators."""

    def list(self, *, timeout_s: float = TIMEOUT_S) -> builtins.list[SchoolInfo]:
        """All schools, by id; those that only the daemon's configuration names as well."""
        return builtins.list(map(_school_info, self._pages("ListSchools", messages.ListSchoolsRequest(), "schools", timeout_s)))

    def get(self, school_id: str, *, timeout_s: float = TIMEOUT_S) -> SchoolInfo:
        """The school; SchoolNotFound."""
        return _found(self.list(timeout_s=timeout_s), school_id, SchoolNotFound)

    def create(self, school: SchoolInfo, *, timeout_s: float = TIMEOUT_S) -> SchoolInfo:
        """Adds a school. May be repeated: the same again is what is there."""
        return _school_info(self._ask("CreateSchool", messages.CreateSchoolRequest(school=_school(school)), timeout_s).school)

    def update(self, school: SchoolInfo, *, timeout_s: float = TIMEOUT_S) -> SchoolInfo:
        """Replaces the school that was read with its etag; ChangedMeanwhile if it was changed since."""
        return _school_info(self._ask("UpdateSchool", messages.UpdateSchoolRequest(school=_school(school)), timeout_s).school)


class QuotasClient(_Admin):
    """`SignerClient.quotas`, for operators."""

    def list(self, *, timeout_s: float = TIMEOUT_S) -> builtins.list[QuotaInfo]:
        """Clients' quotas, then schools', with what was signed today (UTC+7)."""
        return builtins.list(map(_quota_info, self._pages("ListQuotas", messages.ListQuotasRequest(), "quotas", timeout_s)))

    def set(self, quota: QuotaInfo, *, timeout_s: float = TIMEOUT_S) -> QuotaInfo:
        """In force from the next request on. May be repeated."""
        message = messages.Quota(
            signatures_per_second_max=quota.signatures_per_second_max,
            signatures_per_day_max=quota.signatures_per_day_max,
            concurrent_rpcs_max=quota.concurrent_rpcs_max,
        )
        setattr(message, f"{quota.subject}_id", quota.subject_id)
        return _quota_info(self._ask("SetQuota", messages.SetQuotaRequest(quota=message), timeout_s).quota)


def _found(values: builtins.list[_Named], name: str, missing: Callable[[str], Exception]) -> _Named:
    for value in values:
        if value.id == name:
            return value
    raise missing(f"there is no {name!r}")


def _client(client: ClientInfo) -> messages.Client:
    made = messages.Client(
        client_id=client.id,
        kind=messages.ClientKind.Value(f"{_PREFIX}{ClientKind(client.kind).name}"),
        display_name=client.display_name,
        school_ids=client.school_ids,
        may_sign_digests=client.may_sign_digests,
        disabled=client.disabled,
        etag=client.etag,
    )
    for certificate in client.certificates:
        entry = made.certificates.add(sha256=certificate.sha256, revoked=certificate.revoked)
        if certificate.accepted_from is not None:
            entry.accepted.start.FromDatetime(certificate.accepted_from)
        if certificate.accepted_until is not None:
            entry.accepted.end.FromDatetime(certificate.accepted_until)
    return made


def _client_info(message: messages.Client) -> ClientInfo:
    return ClientInfo(
        message.client_id,
        name_of(messages.ClientKind, message.kind, _PREFIX).lower().replace("_", "-"),
        message.display_name,
        tuple(message.school_ids),
        tuple(map(_certificate, message.certificates)),
        message.may_sign_digests,
        message.disabled,
        message.etag,
        moment(message.last_call_time) if message.HasField("last_call_time") else None,
    )


def _certificate(message: messages.ClientCertificate) -> CertificateEntry:
    accepted = message.accepted
    return CertificateEntry(
        message.sha256,
        moment(accepted.start) if accepted.HasField("start") else None,
        moment(accepted.end) if accepted.HasField("end") else None,
        message.revoked,
    )


def _school(school: SchoolInfo) -> messages.School:
    return messages.School(
        school_id=school.id,
        school_code=school.code,
        display_name=school.display_name,
        weight=school.weight,
        disabled=school.disabled,
        etag=school.etag,
        tier=_TIER_NUMBERS[SchoolTier(school.tier)],
    )


def _school_info(message: messages.School) -> SchoolInfo:
    tier = _TIERS.get(message.tier, SchoolTier.OTHER).value
    return SchoolInfo(message.school_id, message.school_code, message.display_name, message.weight, message.disabled, message.etag, tier)


def _quota_info(message: messages.Quota) -> QuotaInfo:
    subject = message.WhichOneof("subject") or "client_id"
    return QuotaInfo(
        subject.removesuffix("_id"),
        getattr(message, subject),
        message.signatures_per_second_max,
        message.signatures_per_day_max,
        message.concurrent_rpcs_max,
        message.signatures_today,
    )
