"""What is wrong with a request as a whole, or collides with what is there."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


class RequestError(SignerError):
    """The request itself is wrong: repeating it unchanged fails again. No key was used."""


class InvalidArgument(RequestError):
    """A field is missing, malformed or out of range; `metadata['field']` names it (google.rpc.BadRequest)."""

    reason = Reason.INVALID_ARGUMENT


class DuplicateDocumentId(RequestError):
    """A batch names one document_id twice: the later one is refused, the first goes on."""

    reason = Reason.DUPLICATE_DOCUMENT_ID


class BatchTooLarge(RequestError):
    """More documents than the configured limit: the ones beyond it are refused, the earlier ones go on."""

    reason = Reason.BATCH_TOO_LARGE


class RequestIdReused(RequestError):
    """The same request_id and document_id came before with other content. The stored outcome stands."""

    reason = Reason.REQUEST_ID_REUSED


class DeadlineTooLong(RequestError):
    """The caller's deadline exceeds the budget the daemon is configured to hold resources for."""

    reason = Reason.DEADLINE_TOO_LONG


class IdTaken(RequestError):
    """Something else has this id for good. Nothing was changed."""

    reason = Reason.ID_TAKEN


class ChangedMeanwhile(SignerError):
    """What was to be changed was changed by another since it was read. Nothing was changed by this call."""

    reason = Reason.CHANGED_MEANWHILE


class AnchorImpostor(RequestError):
    """A CA certificate bears the name of a known one and is not its certificate; it is not believed. Nothing was changed."""

    reason = Reason.ANCHOR_IMPOSTOR
