"""Between the messages of TimestampService and values, on the caller's side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from signer.algorithms import DigestAlgorithm
from signer.client import convert
from signer.client.time_values import BatchEvidence, EvidenceProof, EvidenceRecord, ProvenTime, StampedImprint, TimestampAuthority
from signer.errors import InvalidArgument, NotServedYet
from signer.v1 import batch_pb2, common_pb2, timestamp_pb2

_DIGEST_NUMBERS = {algorithm: common_pb2.DigestAlgorithm.Value(f"DIGEST_ALGORITHM_{algorithm.name}") for algorithm in DigestAlgorithm}
_DIGESTS = {number: algorithm for algorithm, number in _DIGEST_NUMBERS.items()}


def digest_number(given: DigestAlgorithm | str) -> common_pb2.DigestAlgorithm.ValueType:
    """Of an algorithm or its name; InvalidArgument names those there are."""
    try:
        return _DIGEST_NUMBERS[DigestAlgorithm(given)]
    except ValueError:
        known = ", ".join(algorithm.value for algorithm in DigestAlgorithm)
        raise InvalidArgument(f"{given!r} is no digest algorithm; known: {known}", field="digest_algorithm") from None


def evidence_items(digests: Mapping[str, bytes]) -> Iterator[timestamp_pb2.EvidenceItem]:
    """As they are sent."""
    for document_id, digest in digests.items():
        yield timestamp_pb2.EvidenceItem(document_id=document_id, digest=digest)


def document_digests(digests: Mapping[DigestAlgorithm, bytes] | Mapping[str, bytes]) -> Iterator[timestamp_pb2.DocumentDigest]:
    """As they are sent."""
    for algorithm, digest in digests.items():
        yield timestamp_pb2.DocumentDigest(algorithm=digest_number(algorithm), digest=digest)


def stamped_imprint(message: timestamp_pb2.TimestampResult) -> StampedImprint:
    """One timestamp, or why there is none."""
    error = convert.item_error(message.status)
    if error is not None:
        return StampedImprint(error)
    return StampedImprint(None, message.timestamp, convert.moment(message.gen_time), message.serial, message.authority_name)


def timestamp_authority(message: timestamp_pb2.TimestampAuthority) -> TimestampAuthority:
    """How an authority does."""
    has_certificate = message.HasField("certificate")
    return TimestampAuthority(
        name=message.authority_name,
        is_built_in=message.built_in,
        state=convert.name_of(timestamp_pb2.TimestampAuthorityState, message.state, "TIMESTAMP_AUTHORITY_STATE_"),
        message=message.message,
        retry_time=convert.moment(message.retry_time) if message.HasField("retry_time") else None,
        latency_s=convert.seconds(message.latency) if message.HasField("latency") else None,
        subject=message.certificate.subject,
        not_after=convert.moment(message.certificate.not_after) if has_certificate else None,
        clock_offset_s=convert.seconds(message.clock_offset) if message.HasField("clock_offset") else None,
    )


def evidence_record(message: timestamp_pb2.EvidenceRecord) -> EvidenceRecord:
    """A record."""
    return EvidenceRecord(
        id=message.evidence_record_id,
        school_id=message.school_id,
        request_id=message.request_id,
        documents=message.document_count,
        digest_algorithm=_DIGESTS.get(message.digest_algorithm),
        first_time=convert.moment(message.first_time),
        latest_time=convert.moment(message.latest_time),
        renew_before=convert.moment(message.renew_before),
        chains=message.chain_count,
    )


def evidence_proof(message: timestamp_pb2.EvidenceProof) -> EvidenceProof:
    """One document's proof, or why there is none."""
    return EvidenceProof(message.document_id, convert.item_error(message.status), message.evidence_record)


def proven_time(message: timestamp_pb2.VerifyEvidenceRecordResponse) -> ProvenTime:
    """The verdict; raises VerificationFailed when it is another."""
    error = convert.item_error(message.verdict)
    if error is not None:
        raise error
    return ProvenTime(convert.moment(message.proven_time), convert.moment(message.renew_before))


def batch_evidence(summary: batch_pb2.BatchSummary) -> BatchEvidence:
    """What a summary says of the evidence that was asked for."""
    if not summary.HasField("evidence_status"):
        return BatchEvidence(error=NotServedYet("the daemon does not make evidence records over batches"))
    return BatchEvidence(summary.evidence_record_id, convert.item_error(summary.evidence_status))
