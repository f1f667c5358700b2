"""Between messages and values: clients, schools, quotas."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from signer.access.quotas import Meter
from signer.errors import InvalidArgument
from signer.people.client import ALWAYS, Client, ClientCertificate, ClientKind, Quota, QuotaSubject, School, SchoolTier, Window
from signer.server import convert
from signer.server.convert_keys import moment, text
from signer.v1 import admin_clients_pb2, common_pb2

_PAGE_SIZE_MAX: Final = 1000
_CERTIFICATES_MAX: Final = 100
_WEIGHT_MAX: Final = 100
_CODE_MAX: Final = 64
_PER_SECOND_MIN: Final = 0.1
_PER_DAY_MAX: Final = 2**53
_SHA256: Final = re.compile("[0-9a-f]{64}")
_TIER_NUMBERS: Final[dict[SchoolTier, Any]] = {
    tier: admin_clients_pb2.SchoolTier.Value(f"SCHOOL_TIER_{tier.name}") for tier in SchoolTier if tier is not SchoolTier.UNKNOWN
} | {SchoolTier.UNKNOWN: admin_clients_pb2.SCHOOL_TIER_UNSPECIFIED}
_TIERS: Final = {number: tier for tier, number in _TIER_NUMBERS.items()}
_KINDS: Final[dict[int, ClientKind]] = {admin_clients_pb2.ClientKind.Value(f"CLIENT_KIND_{kind.name}"): kind for kind in ClientKind}
_KIND_NUMBERS: Final[dict[ClientKind, Any]] = {kind: number for number, kind in _KINDS.items()}
_T = TypeVar("_T")


def client(message: admin_clients_pb2.Client) -> Client:
    """A client as it is wanted, its etag as it came."""
    if message.kind not in _KINDS:
        raise InvalidArgument("client.kind is required: SCHOOL_SOFTWARE, EDGE, OPERATOR or AUDITOR", field="client.kind")
    if len(message.certificates) > _CERTIFICATES_MAX:
        raise InvalidArgument(f"client.certificates has more than {_CERTIFICATES_MAX}", field="client.certificates")
    certificates = tuple(map(_certificate, message.certificates))
    if len({certificate.sha256 for certificate in certificates}) < len(certificates):
        raise InvalidArgument("client.certificates names a certificate twice", field="client.certificates")
    return Client(
        convert.identifier(message.client_id, "client.client_id"),
        _KINDS[message.kind],
        text(message.display_name, "client.display_name"),
        frozenset(convert.identifier(school_id, "client.school_ids") for school_id in message.school_ids),
        certificates,
        may_sign_digests=message.may_sign_digests,
        disabled=message.disabled,
        etag=message.etag,
    )


def client_message(client: Client, last_call: datetime | None) -> admin_clients_pb2.Client:
    """A client as it is."""
    made = admin_clients_pb2.Client(
        client_id=client.id,
        display_name=client.display_name,
        kind=_KIND_NUMBERS[client.kind],
        school_ids=sorted(client.school_ids),
        certificates=map(_certificate_message, client.certificates),
        may_sign_digests=client.may_sign_digests,
        disabled=client.disabled,
        etag=client.etag,
    )
    if last_call is not None:
        made.last_call_time.FromDatetime(last_call)
    return made


def school(message: admin_clients_pb2.School) -> School:
    """A school as it is wanted, its etag as it came."""
    school_id = convert.identifier(message.school_id, "school.school_id")
    code = text(message.school_code, "school.school_code") or school_id
    if len(code) > _CODE_MAX:
        raise InvalidArgument(f"school.school_code is longer than {_CODE_MAX} characters", field="school.school_code")
    if message.weight > _WEIGHT_MAX:
        raise InvalidArgument(f"school.weight must be at most {_WEIGHT_MAX}", field="school.weight")
    if message.tier not in _TIERS:
        raise InvalidArgument("school.tier is not of this contract", field="school.tier")
    name, weight = text(message.display_name, "school.display_name"), message.weight or 1
    return School(school_id, code, name, weight, message.disabled, _TIERS[message.tier], message.etag)


def school_message(school: School) -> admin_clients_pb2.School:
    """A school as it is."""
    return admin_clients_pb2.School(
        school_id=school.id,
        school_code=school.code,
        display_name=school.display_name,
        weight=school.weight,
        disabled=school.disabled,
        etag=school.etag,
        tier=_TIER_NUMBERS[school.tier],
    )


def quota(message: admin_clients_pb2.Quota) -> Quota:
    """A quota as it is wanted."""
    named = message.WhichOneof("subject")
    if named is None:
        raise InvalidArgument("quota.client_id or quota.school_id is required", field="quota.client_id")
    per_second = message.signatures_per_second_max
    if per_second and not _PER_SECOND_MIN <= per_second < math.inf:  # NaN is in no range
        raise InvalidArgument(
            f"quota.signatures_per_second_max must be 0 or at least {_PER_SECOND_MIN}", field="quota.signatures_per_second_max"
        )
    if message.signatures_per_day_max > _PER_DAY_MAX:
        raise InvalidArgument("quota.signatures_per_day_max must be at most 2^53", field="quota.signatures_per_day_max")
    subject = QuotaSubject.CLIENT if named == "client_id" else QuotaSubject.SCHOOL
    subject_id = convert.identifier(getattr(message, named), f"quota.{named}")
    return Quota(subject, subject_id, per_second, message.signatures_per_day_max, message.concurrent_rpcs_max)


def quota_message(meter: Meter) -> admin_clients_pb2.Quota:
    """A quota and what is used of it."""
    limits = meter.quota or Quota(meter.subject, meter.subject_id)
    made = admin_clients_pb2.Quota(
        signatures_per_second_max=limits.signatures_per_second_max,
        signatures_per_day_max=limits.signatures_per_day_max,
        concurrent_rpcs_max=limits.concurrent_rpcs_max,
        signatures_today=max(0, meter.today),
    )
    if meter.subject is QuotaSubject.CLIENT:
        made.client_id = meter.subject_id
    else:
        made.school_id = meter.subject_id
    return made


def page(values: Sequence[_T], names: Sequence[str], page_size: int, page_token: str) -> tuple[Sequence[_T], str]:
    """A page of values that lie in the order of their names, and the token of the next: the last name of this one; empty for the last."""
    size = min(page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
    start = next((at for at, name in enumerate(names) if name > page_token), len(names)) if page_token else 0
    end = start + size
    return values[start:end], names[end - 1] if end < len(names) else ""


def _certificate(message: admin_clients_pb2.ClientCertificate) -> ClientCertificate:
    sha256 = message.sha256.replace(":", "").lower()
    if not _SHA256.fullmatch(sha256):
        raise InvalidArgument("certificates.sha256 must be 64 hexadecimal digits; colons are ignored", field="client.certificates.sha256")
    return ClientCertificate(sha256, _window(message.accepted) if message.HasField("accepted") else ALWAYS, message.revoked)


def _window(message: common_pb2.TimeWindow) -> Window:
    field = "client.certificates.accepted"
    start = moment(message.start, f"{field}.start") if message.HasField("start") else None
    end = moment(message.end, f"{field}.end") if message.HasField("end") else None
    if start is not None and end is not None and end <= start:
        raise InvalidArgument(f"{field}.end must be after its start", field=f"{field}.end")
    return ALWAYS if start is None and end is None else Window(start, end)


def _certificate_message(certificate: ClientCertificate) -> admin_clients_pb2.ClientCertificate:
    made = admin_clients_pb2.ClientCertificate(sha256=certificate.sha256, revoked=certificate.revoked)
    if certificate.accepted.start is not None:
        made.accepted.start.FromDatetime(certificate.accepted.start)
    if certificate.accepted.end is not None:
        made.accepted.end.FromDatetime(certificate.accepted.end)
    return made
