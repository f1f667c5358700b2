"""What evidence records are for: the proof of each document alone, and the verdict on one that is brought."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentNotFound, DocumentUnsupported, SignerError, VerificationFailed
from signer.formats.evidence import Coverage, EvidenceRecord, Proof, SharedEvidence, read_evidence_record
from signer.journal import EvidenceHead
from signer.pipeline.evidence import EvidenceKeeping

_TIMESTAMPS_MAX = 256
"""In one record that is verified: renewed every year, more than two centuries."""


@dataclass(frozen=True, slots=True)
class DocumentProof:
    """record: EvidenceRecord, DER, reduced to this document; or why there is none."""

    document_id: str
    record: bytes | SignerError


async def proofs_of(
    keeping: EvidenceKeeping, school_id: str, record_id: str, document_ids: Sequence[str]
) -> tuple[EvidenceHead, list[DocumentProof]]:
    """A record, and the proof of each document asked for, in that order. Raises EvidenceRecordNotFound or JournalUnavailable."""
    head = await keeping.require(school_id, record_id)
    if not document_ids:
        return head, []
    positions = await keeping.archive.positions(head, document_ids)
    evidence = await keeping.shared(head)
    return head, await asyncio.to_thread(_proofs, evidence, record_id, document_ids, positions)


def _proofs(evidence: SharedEvidence, record_id: str, document_ids: Sequence[str], positions: Mapping[str, int]) -> list[DocumentProof]:
    proofs: list[DocumentProof] = []
    for document_id in document_ids:
        if document_id in positions:
            proofs.append(DocumentProof(document_id, evidence.of_document(positions[document_id]).encoded()))
        else:
            absent = DocumentNotFound(f"evidence record {record_id} does not cover {document_id!r}", documentId=document_id)
            proofs.append(DocumentProof(document_id, absent))
    return proofs


async def verify_evidence(keeping: EvidenceKeeping, encoded: bytes, digests: Mapping[DigestAlgorithm, bytes]) -> Proof:
    """What an evidence record, DER, proves of a document, given by its digests.

    Raises DocumentDamaged for what is no evidence record, DocumentUnsupported for one that can't be judged here, InvalidArgument for a
    digest that is needed and not given; VerificationFailed when the record does not prove the document.
    """
    return await asyncio.to_thread(_verify, keeping, encoded, digests)


def _verify(keeping: EvidenceKeeping, encoded: bytes, digests: Mapping[DigestAlgorithm, bytes]) -> Proof:
    record = read_evidence_record(encoded)
    _require_few_timestamps(record)
    Coverage.of(record).check({algorithm: (digest,) for algorithm, digest in digests.items()})
    try:
        return keeping.prove(record)
    except ValueError as odd:  # a certificate beside the timestamp that no library reads: a stranger's bytes, no bug
        raise VerificationFailed(f"a timestamp can't be judged: {odd}", check="timestamp") from odd


def _require_few_timestamps(record: EvidenceRecord) -> None:
    count = sum(map(len, record.chains))
    if count > _TIMESTAMPS_MAX:
        raise DocumentUnsupported(f"{count} timestamps in one evidence record, the limit is {_TIMESTAMPS_MAX}", limitCount=_TIMESTAMPS_MAX)
