"""What keeps one document from being signed."""

from __future__ import annotations

from signer.errors.reason import Reason
from signer.errors.request import RequestError


class DocumentError(RequestError):
    """One document can't be signed as it is. No key was used for it; its neighbours go on."""


class DocumentEmpty(DocumentError):
    """Zero bytes."""

    reason = Reason.DOCUMENT_EMPTY


class DocumentNotPdf(DocumentError):
    """The bytes are not a PDF at all."""

    reason = Reason.DOCUMENT_NOT_PDF


class DocumentNotXml(DocumentError):
    """The bytes are not XML at all."""

    reason = Reason.DOCUMENT_NOT_XML


class DocumentDamaged(DocumentError):
    """It claims to be a PDF or XML, but its structure is broken or truncated."""

    reason = Reason.DOCUMENT_DAMAGED


class DocumentEncrypted(DocumentError):
    """Encrypted: the appliance holds no passwords; remove the encryption before sending."""

    reason = Reason.DOCUMENT_ENCRYPTED


class DocumentLocked(DocumentError):
    """An earlier certification (DocMDP) or field lock (FieldMDP) forbids another signature."""

    reason = Reason.DOCUMENT_LOCKED


class DocumentUnsupported(DocumentError):
    """Well-formed, but of a kind that can't be signed safely (dynamic XFA, a document type in XML, another encoding than UTF-8)."""

    reason = Reason.DOCUMENT_UNSUPPORTED


class DocumentTooLarge(DocumentError):
    """Larger than the configured limit; `metadata['limitBytes']`."""

    reason = Reason.DOCUMENT_TOO_LARGE


class DocumentTooCostly(DocumentError):
    """It exceeded the time or memory a document worker may spend on one document."""

    reason = Reason.DOCUMENT_TOO_COSTLY


class DocumentDigestMismatch(DocumentError):
    """The bytes received don't have the SHA-256 the caller announced."""

    reason = Reason.DOCUMENT_DIGEST_MISMATCH


class DocumentUnsigned(DocumentError):
    """It holds neither a signature nor a document timestamp, so there is nothing to raise to a level."""

    reason = Reason.DOCUMENT_UNSIGNED


class FieldAlreadySigned(DocumentError):
    """The signature field asked for already holds a signature."""

    reason = Reason.FIELD_ALREADY_SIGNED
