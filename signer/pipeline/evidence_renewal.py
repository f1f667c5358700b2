"""Renewal of kept evidence records (RFC 4998 §5.2): by timestamp before the last one weakens, by hash tree before a digest does.

Everything earlier is kept. A record that no longer stands is not renewed: what proves nothing now would prove nothing then. The renewed
one must stand too before it is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument, RequestIdReused
from signer.formats.evidence import SharedChain, timestamp_tree
from signer.journal import EvidenceHead, KeptChain, Renewal
from signer.pipeline.evidence import EvidenceKeeping, fingerprint_of, lock_of, span_of
from signer.pipeline.request import Request
from signer.pipeline.stamping import stamp_patiently


async def renew_by_timestamp(keeping: EvidenceKeeping, request: Request, record_id: str) -> EvidenceHead:
    """The record with a further timestamp over those of its last chain; a repeat of the request returns the record as it is then.

    Raises EvidenceRecordNotFound; RequestIdReused when the request renewed otherwise; VerificationFailed when the record stands no more;
    TimestampUnavailable, TimestampInvalid, SignatureInProgress, JournalUnavailable. The record is as it was then.
    """
    fingerprint = hashlib.sha256(record_id.encode()).digest()
    async with keeping.engine.inside([lock_of(request.school_id, record_id)]):
        head = await keeping.require(request.school_id, record_id)
        if await _is_done(keeping, request, head, fingerprint):
            return head
        evidence = await keeping.shared(head)
        record = evidence.of_document(0)
        await asyncio.to_thread(keeping.prove, record)
        tree = timestamp_tree(record)
        stamp = await stamp_patiently(keeping.engine, request, tree.root, tree.algorithm)
        proof = await asyncio.to_thread(keeping.prove, evidence.with_timestamp(stamp.timestamp).of_document(0))
        return await _keep(keeping, Renewal(head, request.request_id, fingerprint, span_of(proof), stamp.timestamp))


async def renew_by_hash_tree(
    keeping: EvidenceKeeping, request: Request, record_id: str, digests: Mapping[str, bytes], algorithm: DigestAlgorithm
) -> EvidenceHead:
    """The record with a new chain. digests: of every document by another algorithm than the last chain's, by id.

    Whether they are of the documents that were covered before, only who has the documents can know: a wrong one leaves its document
    without proof. Raises as `renew_by_timestamp`, and InvalidArgument for documents missing or too many, a wrong size, or the same
    algorithm.
    """
    fingerprint = fingerprint_of(digests, algorithm, record_id)
    async with keeping.engine.inside([lock_of(request.school_id, record_id)]):
        head = await keeping.require(request.school_id, record_id)
        if await _is_done(keeping, request, head, fingerprint):
            return head
        if algorithm is head.algorithm:
            raise InvalidArgument(f"the record's last hash tree is of {algorithm.value} already: name another", field="digest_algorithm")
        leaves = _in_order(digests, await keeping.archive.document_ids(head))
        evidence = await keeping.shared(head)
        await asyncio.to_thread(keeping.prove, evidence.of_document(0))
        tree = await asyncio.to_thread(evidence.hash_tree, leaves, algorithm)
        stamp = await stamp_patiently(keeping.engine, request, tree.root, algorithm)
        renewed = evidence.with_chain(SharedChain(tree, (stamp.timestamp,)))
        proof = await asyncio.to_thread(keeping.prove, renewed.of_document(0))
        chain = KeptChain(algorithm, tuple(group[0] for group in tree.groups), (stamp.timestamp,))
        return await _keep(keeping, Renewal(head, request.request_id, fingerprint, span_of(proof), new_chain=chain))


async def _keep(keeping: EvidenceKeeping, renewal: Renewal) -> EvidenceHead:
    head = await keeping.archive.renew(renewal)
    keeping.engine.metrics.evidence_records.labels(outcome="renewed").inc()
    await keeping.tell_due()
    return head


async def _is_done(keeping: EvidenceKeeping, request: Request, head: EvidenceHead, fingerprint: bytes) -> bool:
    """Whether this request renewed the record before; RequestIdReused when it renewed another one, or otherwise."""
    request.check()
    before = await keeping.archive.renewed_by(request.school_id, request.request_id)
    if before is not None and before != (head.record_id, fingerprint):
        raise RequestIdReused("another renewal was made under this request_id; use a new one", requestId=request.request_id)
    return before is not None


def _in_order(digests: Mapping[str, bytes], document_ids: list[str]) -> list[bytes]:
    missing = [document_id for document_id in document_ids if document_id not in digests]
    if missing:
        raise InvalidArgument(f"items: {len(missing)} of the record's documents are missing, {missing[0]!r} first", field="items")
    if len(digests) > len(document_ids):
        strange = next(iter(digests.keys() - set(document_ids)))
        raise InvalidArgument(f"items: the record does not cover {strange!r}", field="items")
    return [digests[document_id] for document_id in document_ids]
