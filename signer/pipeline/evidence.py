"""Evidence records (RFC 4998): one timestamp over the digests of many documents; made here, kept in the journal's archive.

Digests come in, no document. What is answered is durable: a crash between timestamp and commit leaves nothing, and the same ids make the
record anew; one after the commit leaves the record, which the same ids return. A record is kept only if our own verification accepts it.

Here: over what the caller lists, one record a request. Over what a batch released: `evidence_batch`; renewals: `evidence_renewal`; what
records are for: `evidence_proofs`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from signer.algorithms import DigestAlgorithm
from signer.errors import EvidenceRecordNotFound, InvalidArgument, RequestIdReused, TimestampInvalid, VerificationFailed
from signer.formats.evidence import EvidenceRecord, Proof, SharedChain, SharedEvidence, build, check_timestamps
from signer.journal import EvidenceArchive, EvidenceHead, KeptChain, NewEvidence, StampedSpan
from signer.model import SignatureKey
from signer.pipeline.engine import Engine
from signer.pipeline.request import Request
from signer.pipeline.stamping import stamp_patiently
from signer.telemetry.logs import get_logger
from signer.timestamp.archived import ArchiveJudge

_log = get_logger(__name__)
_EVIDENCE = "(evidence)"
"""No document's id: what holds the ids of a record while somebody makes or renews it."""


@dataclass(frozen=True, slots=True)
class EvidenceKeeping:
    """What evidence records need. trusted_roots: DER; the CAs whose timestamps are believed now, expired ones included."""

    engine: Engine
    archive: EvidenceArchive
    trusted_roots: Callable[[], tuple[bytes, ...]]

    def prove(self, record: EvidenceRecord) -> Proof:
        """What a record's timestamps state now; VerificationFailed when they don't stand. For a thread: a millisecond a timestamp."""
        return check_timestamps(record, ArchiveJudge(self.trusted_roots()), self.now())

    def now(self) -> datetime:
        """The wall clock, aware."""
        return self.engine.utc_now()

    async def tell_due(self) -> None:
        """Keeps true what operators are warned by: when the first record must be renewed."""
        earliest = await self.archive.earliest_renewal()
        self.engine.metrics.evidence_renew_before_seconds.set(earliest.timestamp() if earliest else float("nan"))

    async def require(self, school_id: str, record_id: str) -> EvidenceHead:
        """A school's record; EvidenceRecordNotFound for one of another school as for none."""
        head = await self.archive.find(school_id, record_id)
        if head is None:
            raise EvidenceRecordNotFound(f"this school has no evidence record {record_id!r}", evidenceRecordId=record_id)
        return head

    async def shared(self, head: EvidenceHead) -> SharedEvidence:
        """A record's content, as it was when its head was read."""
        kept = await self.archive.chains(head)
        return await asyncio.to_thread(shared_evidence, kept)


def shared_evidence(kept: Iterable[KeptChain]) -> SharedEvidence:
    """Of what is kept."""
    return SharedEvidence(tuple(SharedChain(build(chain.leaves, chain.algorithm), chain.timestamps) for chain in kept))


def lock_of(school_id: str, name: str) -> SignatureKey:
    """For `Engine.inside`: who makes or renews the record of this name waits for whoever does so already."""
    return SignatureKey(school_id, name, _EVIDENCE)


def span_of(proof: Proof) -> StampedSpan:
    """A proof's times, as they are listed."""
    return StampedSpan(proof.proven_time, proof.timestamps[-1][-1].time, proof.renew_before)


def fingerprint_of(digests: Mapping[str, bytes], algorithm: DigestAlgorithm, *more: str) -> bytes:
    """What makes two requests for evidence the same: the documents' ids and digests, in whatever order they came. 32 bytes."""
    running = hashlib.sha256()
    for part in (algorithm.value, *more):
        running.update(len(part).to_bytes(4) + part.encode())
    for document_id in sorted(digests):
        encoded = document_id.encode()
        running.update(len(encoded).to_bytes(4) + encoded + digests[document_id])
    return running.digest()


async def create_evidence(
    keeping: EvidenceKeeping, request: Request, digests: Mapping[str, bytes], algorithm: DigestAlgorithm
) -> EvidenceHead:
    """The record over documents given by id and digest; a repeat of the same request returns the one that stands.

    Raises InvalidArgument for no digest, one of the wrong size or one twice; RequestIdReused when the request made one of other documents;
    TimestampUnavailable or TimestampInvalid when patience or deadline ends; JournalUnavailable. Nothing is kept then.
    """
    if len(set(digests.values())) < len(digests):
        raise InvalidArgument("items: a digest came twice", field="items.digest")
    async with keeping.engine.inside([lock_of(request.school_id, request.request_id)]):
        return await made_once(keeping, request, digests, algorithm, is_first_only=True)


async def made_once(
    keeping: EvidenceKeeping, request: Request, digests: Mapping[str, bytes], algorithm: DigestAlgorithm, *, is_first_only: bool
) -> EvidenceHead:
    """With the request's ids held: the record of these documents, found or made."""
    request.check()
    fingerprint = fingerprint_of(digests, algorithm)
    known = await keeping.archive.of_request(request.school_id, request.request_id)
    same = next((head for head in known if head.fingerprint == fingerprint), None)
    if same is not None:
        return same
    if known and is_first_only:
        raise RequestIdReused("an evidence record of other documents was made under this request_id; use a new one")
    return await _make(keeping, request, digests, algorithm, fingerprint, is_first_only=is_first_only)


async def _make(
    keeping: EvidenceKeeping,
    request: Request,
    digests: Mapping[str, bytes],
    algorithm: DigestAlgorithm,
    fingerprint: bytes,
    *,
    is_first_only: bool,
) -> EvidenceHead:
    document_ids = sorted(digests)
    leaves = tuple(digests[document_id] for document_id in document_ids)
    tree = await asyncio.to_thread(build, leaves, algorithm)
    stamp = await stamp_patiently(keeping.engine, request, tree.root, algorithm)
    evidence = SharedEvidence((SharedChain(tree, (stamp.timestamp,)),))
    try:
        proof = await asyncio.to_thread(keeping.prove, evidence.of_document(0))
    except VerificationFailed as failed:
        raise TimestampInvalid(
            f"the evidence would prove nothing; is the authority's CA among [trust] ca_files? {failed.message}"
        ) from failed
    head = await keeping.archive.add(
        NewEvidence(
            record_id=f"er-{secrets.token_hex(16)}",
            school_id=request.school_id,
            request_id=request.request_id,
            fingerprint=fingerprint,
            document_ids=document_ids,
            chain=KeptChain(algorithm, leaves, (stamp.timestamp,)),
            span=span_of(proof),
            is_first_only=is_first_only,
        )
    )
    keeping.engine.metrics.evidence_records.labels(outcome="made").inc()
    await keeping.tell_due()
    _log.info("evidence record made", record_id=head.record_id, request_id=request.request_id, documents=head.documents)
    return head
