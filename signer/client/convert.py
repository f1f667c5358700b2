"""Between messages and values, on the caller's side. What a newer daemon may say is kept readable, never a crash."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from signer.algorithms import SignatureAlgorithm
from signer.client.values import CredentialInfo, Finding, SignatureInfo
from signer.errors import SignerError
from signer.model import Level, StageTimes
from signer.rpc_status import from_rpc_status
from signer.v1 import common_pb2, credential_pb2, signature_pb2

ALGORITHM_NUMBERS = {
    algorithm: common_pb2.SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{algorithm.name}") for algorithm in SignatureAlgorithm
}
_ALGORITHMS = {number: algorithm for algorithm, number in ALGORITHM_NUMBERS.items()}
LEVEL_NUMBERS = {level: common_pb2.Level.Value(f"LEVEL_{level.name}") for level in Level}
_LEVELS = {number: level for level, number in LEVEL_NUMBERS.items()}


def sha256(content: bytes) -> bytes:
    """32 raw bytes."""
    return hashlib.sha256(content).digest()


def item_error(status: status_pb2.Status) -> SignerError | None:
    """An item's error; None when it is OK."""
    return from_rpc_status(status) if status.code else None


def signature_info(message: signature_pb2.SignatureInfo) -> SignatureInfo:
    """What was made."""
    return SignatureInfo(
        credential_id=message.credential_id,
        certificate_serial=message.certificate_serial,
        algorithm=_ALGORITHMS.get(message.algorithm),
        level=_LEVELS.get(message.level),
        signing_time=moment(message.signing_time) if message.HasField("signing_time") else None,
        timestamp_time=moment(message.timestamp_time) if message.HasField("timestamp_time") else None,
        source_sha256=message.source_sha256,
        signed_sha256=message.signed_sha256,
        field_name=message.field_name,
        acting_for=message.acting_for_person_id,
    )


def stage_times(message: common_pb2.StageTimes) -> StageTimes:
    """Where an item's time went, in seconds."""
    return StageTimes(
        queue_s=seconds(message.queue),
        document_s=seconds(message.document),
        token_s=seconds(message.token),
        timestamp_s=seconds(message.timestamp),
        journal_s=seconds(message.journal),
    )


def credential_info(message: credential_pb2.Credential) -> CredentialInfo:
    """A credential; algorithms that this release does not know are left out."""
    certificate = message.certificate
    has_one = message.HasField("certificate")
    return CredentialInfo(
        id=message.credential_id,
        school_id=message.school_id,
        token_name=message.token_name,
        display_name=message.display_name,
        key_kind=name_of(common_pb2.KeyKind, message.key_kind, "KEY_KIND_"),
        algorithms=tuple(_ALGORITHMS[number] for number in message.algorithms if number in _ALGORITHMS),
        usable=message.usable,
        findings=tuple(
            Finding(name_of(credential_pb2.CredentialProblem, finding.problem, "CREDENTIAL_PROBLEM_"), finding.message)
            for finding in message.findings
        ),
        subject=certificate.subject,
        issuer=certificate.issuer,
        certificate_serial=certificate.serial,
        certificate_der=certificate.der,
        not_before=moment(certificate.not_before) if has_one else None,
        not_after=moment(certificate.not_after) if has_one else None,
        person_id=message.person_id,
        state=name_of(credential_pb2.CredentialState, message.state, "CREDENTIAL_STATE_"),
        key_storage=name_of(credential_pb2.KeyStorage, message.key_storage, "KEY_STORAGE_"),
        renewed_by=message.renewed_by_credential_id,
    )


def name_of(kind: object, number: int, prefix: str) -> str:
    """An enum value's name without its prefix; a newer daemon's number stays a number."""
    known: dict[str, int] = dict(kind.items())  # type: ignore[attr-defined]
    name = next((name for name, value in known.items() if value == number), f"{prefix}{number}")
    return name.removeprefix(prefix)


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def moment(message: Timestamp) -> datetime:
    """An aware time, UTC."""
    return message.ToDatetime(tzinfo=UTC)
