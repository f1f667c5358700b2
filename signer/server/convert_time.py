"""Between the messages of `timestamp.proto` and values; as `convert`, every field is checked here, once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument, SignerError
from signer.journal import EvidenceHead
from signer.pipeline.authorities import AuthorityStanding, AuthorityState
from signer.pipeline.evidence_proofs import DocumentProof
from signer.pipeline.imprints import GivenTimestamp
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.v1 import common_pb2, plan_pb2, timestamp_pb2

DIGESTS: dict[int, DigestAlgorithm] = {
    common_pb2.DigestAlgorithm.Value(f"DIGEST_ALGORITHM_{algorithm.name}"): algorithm for algorithm in DigestAlgorithm
}
_DIGEST_NUMBERS: dict[DigestAlgorithm, Any] = {algorithm: number for number, algorithm in DIGESTS.items()}
_AUTHORITY_STATES: dict[AuthorityState, Any] = {
    state: timestamp_pb2.TimestampAuthorityState.Value(f"TIMESTAMP_AUTHORITY_STATE_{state.name}") for state in AuthorityState
}
_OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,38})){1,31}")


def digest_algorithm(number: int, field: str, default: DigestAlgorithm | None = None) -> DigestAlgorithm:
    """A digest algorithm; without a default it is required."""
    if not number and default is not None:
        return default
    if number not in DIGESTS:
        raise InvalidArgument(
            f"{field} must be one of {', '.join(f'DIGEST_ALGORITHM_{known.name}' for known in DigestAlgorithm)}", field=field
        )
    return DIGESTS[number]


def digest(value: bytes, algorithm: DigestAlgorithm, field: str) -> bytes:
    """A digest of its algorithm's length."""
    if len(value) != algorithm.size_bytes:
        raise InvalidArgument(f"{field}: a {algorithm.value} digest has {algorithm.size_bytes} raw bytes, not {len(value)}", field=field)
    return value


def policy_oid(value: str) -> str:
    """A dotted OID, or empty."""
    if value and not _OID.fullmatch(value):
        raise InvalidArgument("policy_oid must be an object identifier in dotted numbers, such as 1.3.6.1.4.1.99999.1", field="policy_oid")
    return value


def wanted_evidence(plan: plan_pb2.SigningPlan) -> DigestAlgorithm | None:
    """The digest of the evidence record that a plan asks for; None if it asks for none."""
    if not plan.evidence.create:
        return None
    return digest_algorithm(plan.evidence.digest_algorithm, "plan.evidence.digest_algorithm", DigestAlgorithm.SHA256)


def evidence_items(items: Iterable[timestamp_pb2.EvidenceItem], algorithm: DigestAlgorithm) -> dict[str, bytes]:
    """Digests by document id, none of which comes twice."""
    found: dict[str, bytes] = {}
    for item in items:
        document_id = convert.identifier(item.document_id, "items.document_id")
        if document_id in found:
            raise InvalidArgument(f"items: document_id {document_id!r} came twice", field="items.document_id")
        found[document_id] = digest(item.digest, algorithm, "items.digest")
    return found


def document_digests(digests: Iterable[timestamp_pb2.DocumentDigest]) -> dict[DigestAlgorithm, bytes]:
    """One document's digests by algorithm, none of which comes twice."""
    found: dict[DigestAlgorithm, bytes] = {}
    for one in digests:
        algorithm = digest_algorithm(one.algorithm, "digests.algorithm")
        if algorithm in found:
            raise InvalidArgument(f"digests: {algorithm.value} came twice; verify one document a call", field="digests.algorithm")
        found[algorithm] = digest(one.digest, algorithm, "digests.digest")
    return found


def moment(message: Timestamp, field: str) -> datetime:
    """A Timestamp as an aware time."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except ValueError as error:
        raise InvalidArgument(f"{field} is no time between the years 1 and 9999", field=field) from error


def evidence_record(head: EvidenceHead) -> timestamp_pb2.EvidenceRecord:
    """A kept record, without its content."""
    return timestamp_pb2.EvidenceRecord(
        evidence_record_id=head.record_id,
        school_id=head.school_id,
        request_id=head.request_id,
        document_count=head.documents,
        digest_algorithm=_DIGEST_NUMBERS[head.algorithm],
        first_time=convert.timestamp(head.span.first),
        latest_time=convert.timestamp(head.span.latest),
        renew_before=convert.timestamp(head.span.renew_before),
        chain_count=head.chains,
    )


def evidence_proof(proof: DocumentProof) -> timestamp_pb2.EvidenceProof:
    """One document's proof, or why there is none."""
    if isinstance(proof.record, SignerError):
        return timestamp_pb2.EvidenceProof(document_id=proof.document_id, status=to_rpc_status(proof.record))
    return timestamp_pb2.EvidenceProof(document_id=proof.document_id, status=status_pb2.Status(), evidence_record=proof.record)


def timestamp_result(given: GivenTimestamp | SignerError) -> timestamp_pb2.TimestampResult:
    """One timestamp, or why there is none."""
    if isinstance(given, SignerError):
        return timestamp_pb2.TimestampResult(status=to_rpc_status(given))
    return timestamp_pb2.TimestampResult(
        status=status_pb2.Status(),
        timestamp=given.timestamp,
        gen_time=convert.timestamp(given.gen_time),
        serial=f"{given.serial:x}",
        authority_name=given.authority_name,
    )


def timestamp_authority(standing: AuthorityStanding) -> timestamp_pb2.TimestampAuthority:
    """How an authority does."""
    message = timestamp_pb2.TimestampAuthority(
        authority_name=standing.name,
        built_in=standing.is_built_in,
        state=_AUTHORITY_STATES[standing.state],
        message=standing.message,
    )
    if standing.retry_at is not None:
        message.retry_time.CopyFrom(convert.timestamp(standing.retry_at))
    if standing.latency_s is not None:
        message.latency.CopyFrom(convert.duration(standing.latency_s))
    if standing.certificate:
        message.certificate.CopyFrom(convert.certificate_info(standing.certificate))
    if standing.clock_offset_s is not None:
        message.clock_offset.CopyFrom(convert.duration(standing.clock_offset_s))
    return message
