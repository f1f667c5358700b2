"""Limits that several methods share; each is answered with a reason of its own, before a key is used."""

from __future__ import annotations

from signer.config.server import ServerSettings
from signer.errors import BatchTooLarge, DocumentTooLarge, DuplicateDocumentId

_ANSWER_HEADROOM_BYTES = 48 * 1024
"""For what an answer holds beside the document sent: the update (about 20 KiB) and the words around it."""
PROOFS_MAX = 1000
"""In one GetEvidenceRecord call; the contract's number."""
_STAMP_RESULT_BYTES = 1024
"""Of a TimestampResult beside the timestamp: the serial number, a name of 128, or an error's words."""
_WORDS_BYTES = 16 * 1024
"""For what stands around a document in an answer."""
_DIGEST_RESULT_BYTES = 512
"""More than a digest's result takes on the wire beside its signature: document_id and credential_id of 128, or an error's words."""


def require_size(size_bytes: int, limit_bytes: int) -> None:
    """DocumentTooLarge beyond the limit."""
    if size_bytes > limit_bytes:
        raise DocumentTooLarge(
            f"the document has {size_bytes} bytes, the limit is {limit_bytes} (server.limits.document_bytes_max)", limitBytes=limit_bytes
        )


def require_answerable(size_bytes: int, message_bytes_max: int) -> None:
    """DocumentTooLarge for a document that fits its request, but whose signed form would not fit one answer."""
    limit_bytes = message_bytes_max - _ANSWER_HEADROOM_BYTES
    if size_bytes > limit_bytes:
        raise DocumentTooLarge(
            f"the document has {size_bytes} bytes: signed, it does not fit one message. Send it by BatchSignDocuments, or ask for "
            "RESULT_FORM_APPENDED_BYTES",
            limitBytes=limit_bytes,
        )


def require_sendable(size_bytes: int, message_bytes_max: int) -> None:
    """DocumentTooLarge for what validation data made longer than one answer; the signature is kept."""
    limit_bytes = message_bytes_max - _WORDS_BYTES
    if size_bytes > limit_bytes:
        raise DocumentTooLarge(
            f"signed and kept, but {size_bytes} bytes do not fit one message: fetch it by BatchSignDocuments with the same ids",
            limitBytes=limit_bytes,
        )


def require_digest_count(count: int, signature_bytes_max: int, settings: ServerSettings) -> None:
    """BatchTooLarge for more digests than are allowed, or than one answer can hold."""
    room = (settings.message_bytes_max - _ANSWER_HEADROOM_BYTES) // (signature_bytes_max + _DIGEST_RESULT_BYTES)
    limit = max(1, min(settings.limits.digests_per_call_max, room))
    if count > limit:
        raise BatchTooLarge(
            f"{count} digests in one call, the limit is {limit} (digests_per_call_max, message_bytes_max); send several calls",
            limitCount=limit,
        )


def require_stamp_count(count: int, timestamp_bytes_max: int, settings: ServerSettings) -> None:
    """BatchTooLarge for more imprints than are allowed, or than timestamps fit one answer."""
    room = (settings.message_bytes_max - _ANSWER_HEADROOM_BYTES) // (timestamp_bytes_max + _STAMP_RESULT_BYTES)
    limit = max(1, min(settings.limits.digests_per_call_max, room))
    if count > limit:
        raise BatchTooLarge(
            f"{count} imprints in one call, the limit is {limit} (digests_per_call_max, message_bytes_max); send several calls",
            limitCount=limit,
        )


def require_evidence_count(count: int, settings: ServerSettings) -> None:
    """BatchTooLarge for more documents in one evidence record than in one batch."""
    limit = settings.limits.batch_documents_max
    if count > limit:
        raise BatchTooLarge(f"{count} documents in one evidence record, the limit is {limit} (batch_documents_max)", limitCount=limit)


def require_proof_count(count: int) -> None:
    """BatchTooLarge for more proofs in one call than the contract allows."""
    if count > PROOFS_MAX:
        raise BatchTooLarge(f"{count} proofs in one call, the limit is {PROOFS_MAX}; ask in several calls", limitCount=PROOFS_MAX)


def require_answer_fits(size_bytes: int, count: int, settings: ServerSettings) -> None:
    """BatchTooLarge for an answer of `count` proofs beyond one message."""
    room = settings.message_bytes_max - _ANSWER_HEADROOM_BYTES
    if size_bytes > room:
        limit = max(1, count * room // size_bytes)
        raise BatchTooLarge(
            f"{count} proofs do not fit one message (message_bytes_max), {limit} do; ask in several calls", limitCount=limit
        )


def duplicate(document_id: str) -> DuplicateDocumentId:
    """For the later of two items with the same id."""
    return DuplicateDocumentId(f"document_id {document_id!r} came twice; the first one goes on", documentId=document_id)
