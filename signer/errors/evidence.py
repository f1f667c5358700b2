"""What is not proved, or has no proof."""

from __future__ import annotations

from signer.errors.access import AccessError
from signer.errors.base import SignerError
from signer.errors.reason import Reason


class VerificationFailed(SignerError):
    """A signature, timestamp or chain failed verification."""

    reason = Reason.VERIFICATION_FAILED


class EvidenceRecordNotFound(AccessError):
    """No such evidence record for this school: unknown and foreign records look alike."""

    reason = Reason.EVIDENCE_RECORD_NOT_FOUND


class DocumentNotFound(AccessError):
    """No such document there: an evidence record does not cover it, or a request has no signed document to cover."""

    reason = Reason.DOCUMENT_NOT_FOUND
