"""Which methods of the contract a client may call, by its kind: one table of methods, one of kinds.

What is asked for within a method (whose school, whose key, in which role) is decided behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from signer.errors import AccessError, MethodNotAllowed, RoleRefused
from signer.people.client import ClientKind


class MethodRight(Enum):
    """What a method lets its caller do."""

    SIGN = "sign documents"
    SIGN_DIGESTS = "sign digests"
    AUTHORIZE = "let holders authorise"
    DECIDE = "bring people's decisions"
    STAMP = "timestamp and archive"
    READ = "read what is its schools'"
    ADMINISTER = "administer the appliance"
    AUDIT = "read the journal"


_OF_SERVICE: Final[Mapping[str, MethodRight]] = MappingProxyType(
    {
        "SigningService": MethodRight.SIGN,
        "CredentialService": MethodRight.READ,
        "AuthorizationService": MethodRight.AUTHORIZE,
        "RecordService": MethodRight.READ,
        "ValidationService": MethodRight.READ,
        "TimestampService": MethodRight.STAMP,
        "AuditService": MethodRight.AUDIT,
    }
)
_OF_METHOD: Final[Mapping[str, MethodRight]] = MappingProxyType(
    {
        "SigningService/SignDigests": MethodRight.SIGN_DIGESTS,
        "SigningService/GetSignatureStates": MethodRight.READ,
        "SigningService/GetBatch": MethodRight.READ,
        "SigningService/ListBatches": MethodRight.READ,
        "SigningService/WatchBatch": MethodRight.READ,
        "RecordService/RequestCorrection": MethodRight.AUTHORIZE,
        "RecordService/RequestRecall": MethodRight.AUTHORIZE,
        "RecordService/SetCalendar": MethodRight.ADMINISTER,
        "AuditService/ArchiveSegments": MethodRight.ADMINISTER,
        "AdminService/DecideApproval": MethodRight.DECIDE,
        "AdminService/WithdrawApproval": MethodRight.DECIDE,
        "AdminService/GetApproval": MethodRight.READ,
        "AdminService/ListApprovals": MethodRight.READ,
        "TimestampService/GetEvidenceRecord": MethodRight.READ,
        "TimestampService/ListEvidenceRecords": MethodRight.READ,
        "TimestampService/VerifyEvidenceRecord": MethodRight.READ,
        "TimestampService/ListTimestampAuthorities": MethodRight.READ,
    }
)
"""Methods that differ from their service."""

_SOFTWARE: Final = frozenset({MethodRight.SIGN, MethodRight.AUTHORIZE, MethodRight.DECIDE, MethodRight.STAMP, MethodRight.READ})
_OF_KIND: Final[Mapping[ClientKind, frozenset[MethodRight]]] = MappingProxyType(
    {
        ClientKind.SCHOOL_SOFTWARE: _SOFTWARE,
        ClientKind.EDGE: _SOFTWARE,
        ClientKind.OPERATOR: frozenset(
            {MethodRight.DECIDE, MethodRight.STAMP, MethodRight.READ, MethodRight.ADMINISTER, MethodRight.AUDIT}
        ),
        ClientKind.AUDITOR: frozenset({MethodRight.READ, MethodRight.AUDIT}),
    }
)


def right_of(path: str) -> MethodRight:
    """What `/signer.v1.Service/Method` needs; of a service that the table does not name: ADMINISTER."""
    name = path.removeprefix("/signer.v1.")
    return _OF_METHOD.get(name) or _OF_SERVICE.get(name.partition("/")[0], MethodRight.ADMINISTER)


def rights_of(kind: ClientKind, *, names_schools: bool, may_sign_digests: bool) -> frozenset[MethodRight]:
    """What a client may do. An operator signs for those schools only that it names, so for none by default."""
    rights = _OF_KIND[kind]
    if kind is ClientKind.OPERATOR and names_schools:
        rights |= _SOFTWARE
    return rights | {MethodRight.SIGN_DIGESTS} if may_sign_digests and MethodRight.SIGN in rights else rights


def refusal(path: str, right: MethodRight, client_id: str) -> AccessError:
    """Why a client may not call a method."""
    method = path.rpartition("/")[2]
    if right is MethodRight.ADMINISTER:
        return RoleRefused(f"only a client of kind operator may {right.value}; {client_id} is none", method=method)
    return MethodNotAllowed(f"client {client_id} may not {right.value}; an operator says which clients may", method=method)
