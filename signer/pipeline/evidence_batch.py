"""The evidence record over what a signing request released: every signed file, of this run and of earlier ones.

Covered is a file as it was released. A document that was parked has no such file until its timestamp is there and its ids have come again.
What was covered once stays covered. A run that adds files gets a further record over all of them; one that adds none, the record there is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentNotFound, InternalError, InvalidArgument, SignerError
from signer.journal import EvidenceHead
from signer.model import SignatureKey
from signer.pipeline.batch import SigningWork
from signer.pipeline.evidence import EvidenceKeeping, lock_of, made_once
from signer.pipeline.material import Finished, decode
from signer.pipeline.request import Request
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_LOOKED_UP_AT_ONCE = 64


async def cover_request(
    keeping: EvidenceKeeping, request: Request, digests: Mapping[str, bytes], algorithm: DigestAlgorithm
) -> EvidenceHead:
    """The record over all files that were released under a signing request. digests: of those that this run released.

    Raises as `create_evidence`, and DocumentNotFound when there is no such file.
    """
    async with keeping.engine.inside([lock_of(request.school_id, request.request_id)]):
        everything = {**await _covered_before(keeping, request, algorithm), **digests}
        everything |= await _released_before(keeping, request, everything, algorithm)
        if not everything:
            raise DocumentNotFound("no document of this request is signed: there is nothing to prove")
        return await made_once(keeping, request, everything, algorithm, is_first_only=False)


async def cover_batch(keeping: EvidenceKeeping, batch: SigningWork, algorithm: DigestAlgorithm) -> EvidenceHead | SignerError:
    """The record over what a batch released, once all of it has ended; an error fails no signature.

    Goes on to the archive once its timestamp was given, even if the batch's caller goes away meanwhile.
    """
    work = cover_request(keeping, batch.request, batch.covered, algorithm)
    try:
        return await asyncio.shield(keeping.engine.start_task(work))
    except SignerError as error:
        failed = error
    except Exception as error:  # noqa: BLE001 - a bug must not cost the batch its summary; the log has it whole
        failed = InternalError(f"internal error: {type(error).__name__}", reference=secrets.token_hex(8))
        _log.exception("evidence failed by a bug", **failed.metadata)
    keeping.engine.metrics.evidence_records.labels(outcome="failed").inc()
    _log.warning("evidence record not made", request_id=batch.request.request_id, reason=failed.reason.value, message=failed.message)
    return failed


async def _covered_before(keeping: EvidenceKeeping, request: Request, algorithm: DigestAlgorithm) -> dict[str, bytes]:
    """Digests that the newest record of this request holds, by document id: what was covered once stays covered."""
    for head in await keeping.archive.of_request(request.school_id, request.request_id):
        first = (await keeping.archive.chains(head))[0]
        if first.algorithm is algorithm:
            return dict(zip(await keeping.archive.document_ids(head), first.leaves, strict=True))
    return {}


async def _released_before(
    keeping: EvidenceKeeping, request: Request, known: Mapping[str, bytes], algorithm: DigestAlgorithm
) -> dict[str, bytes]:
    """Digests of the other files that earlier runs of the request released, by document id."""
    signed = await keeping.archive.signed_documents(request.school_id, request.request_id)
    missing = [SignatureKey(request.school_id, request.request_id, document_id) for document_id in signed if document_id not in known]
    found: dict[str, bytes] = {}
    for start in range(0, len(missing), _LOOKED_UP_AT_ONCE):
        request.check()
        for key, stored in (await keeping.engine.ledger.look_up(missing[start : start + _LOOKED_UP_AT_ONCE])).items():
            material = decode(stored.material) if stored.material else None
            if not isinstance(material, Finished) or not material.signed_sha256:
                _log.info("not covered: its file has not been released, or is forgotten", document_id=key.document_id)
                continue
            found[key.document_id] = _digest_of(material, algorithm, key.document_id)
    return found


def _digest_of(material: Finished, algorithm: DigestAlgorithm, document_id: str) -> bytes:
    digest = material.digest(algorithm)
    if not digest:
        raise InvalidArgument(
            f"document {document_id!r} was signed by an earlier run without a {algorithm.value} digest: send it again, or use sha256",
            field="plan.evidence.digest_algorithm",
        )
    return digest
