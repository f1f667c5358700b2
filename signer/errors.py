"""The one tree of errors: every failure a caller, an operator or another room can meet.

Rules of the room:
- Each leaf has a `Reason`, which is part of the contract: it crosses gRPC as `google.rpc.ErrorInfo.reason` (AIP-193), processes as a
  frame, the command line as text. Reasons are never renamed.
- A leaf's docstring says what state the world is in: above all whether a key was used.
- Messages name the cause and the next step, and never hold a secret or a pupil's data.
- `rpc_status.py` maps each leaf to its gRPC code in one table; no room below knows gRPC.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Self


class Reason(Enum):
    """UPPER_SNAKE reasons as callers see them."""

    INTERNAL = "INTERNAL"
    NOT_SERVED_YET = "NOT_SERVED_YET"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    CONFIG_INVALID = "CONFIG_INVALID"
    DOCUMENT_EMPTY = "DOCUMENT_EMPTY"
    DOCUMENT_NOT_PDF = "DOCUMENT_NOT_PDF"
    DOCUMENT_NOT_XML = "DOCUMENT_NOT_XML"
    DOCUMENT_DAMAGED = "DOCUMENT_DAMAGED"
    DOCUMENT_ENCRYPTED = "DOCUMENT_ENCRYPTED"
    DOCUMENT_LOCKED = "DOCUMENT_LOCKED"
    DOCUMENT_UNSUPPORTED = "DOCUMENT_UNSUPPORTED"
    DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
    DOCUMENT_TOO_COSTLY = "DOCUMENT_TOO_COSTLY"
    DOCUMENT_DIGEST_MISMATCH = "DOCUMENT_DIGEST_MISMATCH"
    DOCUMENT_UNSIGNED = "DOCUMENT_UNSIGNED"
    FIELD_ALREADY_SIGNED = "FIELD_ALREADY_SIGNED"
    DUPLICATE_DOCUMENT_ID = "DUPLICATE_DOCUMENT_ID"
    ANCHOR_IMPOSTOR = "ANCHOR_IMPOSTOR"
    RECORD_UNFIT = "RECORD_UNFIT"
    LAYOUT_NOT_FOUND = "LAYOUT_NOT_FOUND"
    RECORD_NOT_LOCKED = "RECORD_NOT_LOCKED"
    RECORD_REPLACED = "RECORD_REPLACED"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    CALLER_UNKNOWN = "CALLER_UNKNOWN"
    CLIENT_NOT_FOUND = "CLIENT_NOT_FOUND"
    SCHOOL_NOT_FOUND = "SCHOOL_NOT_FOUND"
    CREDENTIAL_NOT_FOUND = "CREDENTIAL_NOT_FOUND"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"
    ID_TAKEN = "ID_TAKEN"
    CHANGED_MEANWHILE = "CHANGED_MEANWHILE"
    STATE_REFUSED = "STATE_REFUSED"
    EVIDENCE_RECORD_NOT_FOUND = "EVIDENCE_RECORD_NOT_FOUND"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    ROLE_REFUSED = "ROLE_REFUSED"
    PERSON_NOT_FOUND = "PERSON_NOT_FOUND"
    ASSIGNMENT_NOT_FOUND = "ASSIGNMENT_NOT_FOUND"
    DELEGATION_NOT_FOUND = "DELEGATION_NOT_FOUND"
    SUBJECT_NOT_FOUND = "SUBJECT_NOT_FOUND"
    RECORD_NOT_FOUND = "RECORD_NOT_FOUND"
    CALENDAR_NOT_FOUND = "CALENDAR_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    FACTORS_REFUSED = "FACTORS_REFUSED"
    AUTHORIZATION_NOT_FOUND = "AUTHORIZATION_NOT_FOUND"
    AUTHORIZATION_REQUIRED = "AUTHORIZATION_REQUIRED"
    AUTHORIZATION_INVALID = "AUTHORIZATION_INVALID"
    AUTHORIZATION_EXPIRED = "AUTHORIZATION_EXPIRED"
    AUTHORIZATION_SPENT = "AUTHORIZATION_SPENT"
    AUTHORIZATION_EXHAUSTED = "AUTHORIZATION_EXHAUSTED"
    DOCUMENT_NOT_AUTHORIZED = "DOCUMENT_NOT_AUTHORIZED"
    APPROVAL_NOT_FOUND = "APPROVAL_NOT_FOUND"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    APPROVAL_ENDED = "APPROVAL_ENDED"
    ENTRY_NOT_FOUND = "ENTRY_NOT_FOUND"
    ENTRY_ARCHIVED = "ENTRY_ARCHIVED"
    CHECKPOINT_NOT_FOUND = "CHECKPOINT_NOT_FOUND"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_UNUSABLE = "CERTIFICATE_UNUSABLE"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    CERTIFICATE_STATUS_UNAVAILABLE = "CERTIFICATE_STATUS_UNAVAILABLE"
    ALGORITHM_UNSUPPORTED = "ALGORITHM_UNSUPPORTED"
    TOKEN_UNAVAILABLE = "TOKEN_UNAVAILABLE"
    TOKEN_REMOVED = "TOKEN_REMOVED"
    TOKEN_TIMED_OUT = "TOKEN_TIMED_OUT"
    TOKEN_REFUSED = "TOKEN_REFUSED"
    TOKEN_SIGNATURE_WRONG = "TOKEN_SIGNATURE_WRONG"
    SIGNATURE_OUTCOME_UNKNOWN = "SIGNATURE_OUTCOME_UNKNOWN"
    PIN_HELD = "PIN_HELD"
    PIN_LOCKED = "PIN_LOCKED"
    PIN_SOURCE_UNREADABLE = "PIN_SOURCE_UNREADABLE"
    TIMESTAMP_UNAVAILABLE = "TIMESTAMP_UNAVAILABLE"
    TIMESTAMP_INVALID = "TIMESTAMP_INVALID"
    TIMESTAMP_PENDING = "TIMESTAMP_PENDING"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_NOT_CONFIGURED = "QUEUE_NOT_CONFIGURED"
    BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
    BATCH_ENDED = "BATCH_ENDED"
    RESULT_EXPIRED = "RESULT_EXPIRED"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DEADLINE_TOO_LONG = "DEADLINE_TOO_LONG"
    CANCELLED = "CANCELLED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"
    JOURNAL_DAMAGED = "JOURNAL_DAMAGED"
    SIGNATURE_IN_PROGRESS = "SIGNATURE_IN_PROGRESS"
    SIGNATURE_SETTLED = "SIGNATURE_SETTLED"
    WORKER_UNAVAILABLE = "WORKER_UNAVAILABLE"
    VERIFICATION_FAILED = "VERIFICATION_FAILED"
    SERVICE_UNREACHABLE = "SERVICE_UNREACHABLE"
    UNRECOGNIZED = "UNRECOGNIZED"


class SignerError(Exception):
    """Root of the tree; never raised itself.

    `metadata` holds identifiers and limits for machines (AIP-193 ErrorInfo.metadata): lowerCamelCase keys, short values, no secrets.
    """

    reason: ClassVar[Reason]

    def __init__(self, message: str, /, *, retry_after_s: float | None = None, **metadata: str | float) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.metadata: dict[str, str] = {key: str(value) for key, value in metadata.items()}

    def copy(self) -> Self:
        """The same error for another item: one exception raised in several places would share its traceback."""
        made = type(self)(self.message, retry_after_s=self.retry_after_s)
        made.metadata.update(self.metadata)
        return made


class InternalError(SignerError):
    """A bug of ours. The message that leaves the daemon carries no detail; the log does."""

    reason = Reason.INTERNAL


class NotServedYet(SignerError):
    """The contract has the method, this release does not serve it. Nothing happened."""

    reason = Reason.NOT_SERVED_YET


class ConfigError(SignerError):
    """The configuration is refused. Nothing was started or changed."""

    reason = Reason.CONFIG_INVALID


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


class AnchorImpostor(RequestError):
    """A CA certificate bears the name of a known one and is not its certificate; it is not believed. Nothing was changed."""

    reason = Reason.ANCHOR_IMPOSTOR


class DeadlineTooLong(RequestError):
    """The caller's deadline exceeds the budget the daemon is configured to hold resources for."""

    reason = Reason.DEADLINE_TOO_LONG


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


class RecordUnfit(DocumentError):
    """The record must not be signed in this role now; `metadata['finding']` is the first RecordProblem, by its name in the contract."""

    reason = Reason.RECORD_UNFIT


class LayoutNotFound(RequestError):
    """The request names a record layout that the appliance doesn't know; ListLayouts has those it knows."""

    reason = Reason.LAYOUT_NOT_FOUND


class RecordStateError(SignerError):
    """The record's state does not allow what is asked for; nothing was changed."""


class RecordNotLocked(RecordStateError):
    """What is asked for comes after the lock, or after release, and the record is not there; `metadata['state']`."""

    reason = Reason.RECORD_NOT_LOCKED


class RecordReplaced(RecordStateError):
    """The record was replaced or recalled; `metadata['state']`."""

    reason = Reason.RECORD_REPLACED


class AccessError(SignerError):
    """The caller may not. No key was used, and nothing tells whether what was named exists."""


class CallerUnknown(AccessError):
    """The TLS client certificate is of no configured client."""

    reason = Reason.CALLER_UNKNOWN


class ClientNotFound(AccessError):
    """No such client that operators keep; one of the configuration changes there. Nothing was changed."""

    reason = Reason.CLIENT_NOT_FOUND


class SchoolNotFound(AccessError):
    """No such school for this client: unknown and foreign schools look alike."""

    reason = Reason.SCHOOL_NOT_FOUND


class CredentialNotFound(AccessError):
    """No such credential for this school: unknown and foreign credentials look alike."""

    reason = Reason.CREDENTIAL_NOT_FOUND


class KeyNotFound(AccessError):
    """No key that the appliance keeps has this public key."""

    reason = Reason.KEY_NOT_FOUND


class TokenNotFound(AccessError):
    """The configuration names no such token."""

    reason = Reason.TOKEN_NOT_FOUND


class IdTaken(RequestError):
    """Something else has this id for good. Nothing was changed."""

    reason = Reason.ID_TAKEN


class ChangedMeanwhile(SignerError):
    """What was to be changed was changed by another since it was read. Nothing was changed by this call."""

    reason = Reason.CHANGED_MEANWHILE


class EvidenceRecordNotFound(AccessError):
    """No such evidence record for this school: unknown and foreign records look alike."""

    reason = Reason.EVIDENCE_RECORD_NOT_FOUND


class DocumentNotFound(AccessError):
    """No such document there: an evidence record does not cover it, or a request has no signed document to cover."""

    reason = Reason.DOCUMENT_NOT_FOUND


class RoleRefused(AccessError):
    """The caller is known, but its role does not allow this. Nothing was changed."""

    reason = Reason.ROLE_REFUSED


class PersonNotFound(AccessError):
    """No such person, or not one the caller may see. Nothing was changed."""

    reason = Reason.PERSON_NOT_FOUND


class AssignmentNotFound(AccessError):
    """No such role of a person. Nothing was changed."""

    reason = Reason.ASSIGNMENT_NOT_FOUND


class DelegationNotFound(AccessError):
    """No such delegation. Nothing was changed."""

    reason = Reason.DELEGATION_NOT_FOUND


class SubjectNotFound(AccessError):
    """What is to be approved is not there. Nothing was changed."""

    reason = Reason.SUBJECT_NOT_FOUND


class RecordNotFound(AccessError):
    """The appliance knows no such record of this school. Nothing was changed."""

    reason = Reason.RECORD_NOT_FOUND


class CalendarNotFound(AccessError):
    """No dates are set for the school year. Nothing was changed."""

    reason = Reason.CALENDAR_NOT_FOUND


class MethodNotAllowed(AccessError):
    """The client may not use this method. Nothing was begun."""

    reason = Reason.METHOD_NOT_ALLOWED


class FactorsRefused(AccessError):
    """The factors do not show that it is the person: unknown, locked, wrong, too few or used before, all alike. Nothing was signed."""

    reason = Reason.FACTORS_REFUSED


class AuthorizationNotFound(AccessError):
    """No such authorisation of this school. Nothing was changed."""

    reason = Reason.AUTHORIZATION_NOT_FOUND


class AuthorizationRequired(AccessError):
    """The key's holder must allow this, and no SAD came along. No key was used."""

    reason = Reason.AUTHORIZATION_REQUIRED


class AuthorizationInvalid(AccessError):
    """The SAD is not ours, not the caller's, or is for something else. No key was used."""

    reason = Reason.AUTHORIZATION_INVALID


class AuthorizationExpired(AccessError):
    """The SAD was not presented in time. No key was used."""

    reason = Reason.AUTHORIZATION_EXPIRED


class AuthorizationSpent(AccessError):
    """Another request has presented the SAD, or it was revoked. No key was used."""

    reason = Reason.AUTHORIZATION_SPENT


class AuthorizationExhausted(AccessError):
    """As many as the SAD allows were signed. No key was used."""

    reason = Reason.AUTHORIZATION_EXHAUSTED


class DocumentNotAuthorized(AccessError):
    """The document is not in the list that the holder allowed. No key was used."""

    reason = Reason.DOCUMENT_NOT_AUTHORIZED


class ApprovalNotFound(AccessError):
    """No such approval. Nothing was changed."""

    reason = Reason.APPROVAL_NOT_FOUND


class ApprovalRequired(AccessError):
    """Several people must allow this first. No key was used, nothing was changed."""

    reason = Reason.APPROVAL_REQUIRED


class ApprovalEnded(AccessError):
    """The approval was used, refused, withdrawn or has expired. Nothing was changed."""

    reason = Reason.APPROVAL_ENDED


class EntryNotFound(AccessError):
    """The journal has no such entry."""

    reason = Reason.ENTRY_NOT_FOUND


class EntryArchived(AccessError):
    """The entry was moved into an archive file that is not there. Its hashes are: proofs go on. `metadata['file']` names the file."""

    reason = Reason.ENTRY_ARCHIVED


class CheckpointNotFound(AccessError):
    """No checkpoint covers so many entries, or none was made."""

    reason = Reason.CHECKPOINT_NOT_FOUND


class CredentialError(SignerError):
    """The credential exists but must not sign this now. No key was used."""


class StateRefused(CredentialError):
    """A credential's state does not allow this step, or does not let it sign. No key was used, nothing was changed."""

    reason = Reason.STATE_REFUSED


class CertificateExpired(CredentialError):
    """Its certificate's notAfter has passed."""

    reason = Reason.CERTIFICATE_EXPIRED


class CertificateNotYetValid(CredentialError):
    """Its certificate's notBefore is still to come."""

    reason = Reason.CERTIFICATE_NOT_YET_VALID


class CertificateUnusable(CredentialError):
    """No certificate, or one whose key usage does not allow this signature."""

    reason = Reason.CERTIFICATE_UNUSABLE


class CertificateRevoked(CredentialError):
    """A verified answer of its CA says so; `metadata` has `serial` and `revocationTime`. Nothing was signed or added."""

    reason = Reason.CERTIFICATE_REVOKED


class CertificateStatusUnavailable(CredentialError):
    """Neither OCSP nor a CRL could tell whether it is revoked. Nothing was signed or added; repeating is harmless."""

    reason = Reason.CERTIFICATE_STATUS_UNAVAILABLE


class AlgorithmUnsupported(CredentialError):
    """The key can't make a signature of the algorithm asked for."""

    reason = Reason.ALGORITHM_UNSUPPORTED


class TokenError(SignerError):
    """A PKCS#11 token failed us. Each leaf says whether its key may have been used."""


class TokenUnavailable(TokenError):
    """No worker of the token is ready; the key was not used. Repeating is harmless."""

    reason = Reason.TOKEN_UNAVAILABLE


class TokenRemoved(TokenError):
    """The token is gone or its device fails; the key was not used. Repeating is harmless once it is back."""

    reason = Reason.TOKEN_REMOVED


class TokenTimedOut(TokenError):
    """The token did not answer by the deadline and its worker was killed: the key MAY have been used, no signature was released."""

    reason = Reason.TOKEN_TIMED_OUT


class TokenRefused(TokenError):
    """The token answered with an error for this request alone; no signature was made."""

    reason = Reason.TOKEN_REFUSED


class TokenSignatureWrong(TokenError):
    """The token returned a signature that does not verify; it was withheld."""

    reason = Reason.TOKEN_SIGNATURE_WRONG


class SignatureOutcomeUnknown(TokenError):
    """The worker died with this digest in its hands: the key MAY have been used, no signature was released."""

    reason = Reason.SIGNATURE_OUTCOME_UNKNOWN


class PinHeld(TokenError):
    """A PIN was refused once, or the token warns of its last try: held until an operator acts."""

    reason = Reason.PIN_HELD


class PinLocked(TokenError):
    """The token has locked its PIN: only its security officer can unlock it."""

    reason = Reason.PIN_LOCKED


class PinSourceUnreadable(TokenError):
    """The file, variable or credential that should hold the PIN is missing, empty or open to others."""

    reason = Reason.PIN_SOURCE_UNREADABLE


class TimestampError(SignerError):
    """No timestamp now. What was to be stamped is as it was; a signature that waits for one is kept."""


class TimestampUnavailable(TimestampError):
    """No timestamp could be had; the signature exists and is kept: repeat with the same ids to complete it without a second key use."""

    reason = Reason.TIMESTAMP_UNAVAILABLE


class TimestampInvalid(TimestampError):
    """A timestamp was answered that does not stand up to verification; it was not used."""

    reason = Reason.TIMESTAMP_INVALID


class ClockUntrusted(TimestampError):
    """The built-in authority has stopped: nothing vouches for its clock to the accuracy it states. It goes on by itself once that is so."""

    reason = Reason.CLOCK_UNTRUSTED


class TimestampPending(SignerError):
    """Signed and parked, as the caller chose: the appliance goes on asking for the timestamp; the same ids fetch the signature later."""

    reason = Reason.TIMESTAMP_PENDING


class CapacityError(SignerError):
    """The appliance is full; no key was used. Repeating after `retry_after_s` is right."""


class QueueFull(CapacityError):
    """The token's queue, or what is kept for queued batches, is at its limit."""

    reason = Reason.QUEUE_FULL


class TooManyRequests(CapacityError):
    """More concurrent RPCs than configured."""

    reason = Reason.TOO_MANY_REQUESTS


class QuotaExceeded(CapacityError):
    """The client or school has used what it may for now. Nothing was begun."""

    reason = Reason.QUOTA_EXCEEDED


class QueuedBatchError(SignerError):
    """A queued batch can't be had, or not so; nothing was changed."""


class QueueNotConfigured(QueuedBatchError):
    """The configuration has no `[queue]`: batches are signed over a stream alone."""

    reason = Reason.QUEUE_NOT_CONFIGURED


class BatchNotFound(QueuedBatchError):
    """The school has no such queued batch, or no more."""

    reason = Reason.BATCH_NOT_FOUND


class BatchEnded(QueuedBatchError):
    """The queued batch has ended otherwise."""

    reason = Reason.BATCH_ENDED


class ResultExpired(QueuedBatchError):
    """The result was acknowledged, or nobody fetched it in time; the signature stays in the journal."""

    reason = Reason.RESULT_EXPIRED


class LifecycleError(SignerError):
    """The request ended before its work did."""


class DeadlineExceeded(LifecycleError):
    """The deadline passed before this item's turn; no key was used for it after that."""

    reason = Reason.DEADLINE_EXCEEDED


class Cancelled(LifecycleError):
    """The caller cancelled or went away; no key was used after that was noticed."""

    reason = Reason.CANCELLED


class ShuttingDown(LifecycleError):
    """The daemon is draining and takes nothing new."""

    reason = Reason.SHUTTING_DOWN


class JournalUnavailable(SignerError):
    """The journal can't be written, so nothing is signed."""

    reason = Reason.JOURNAL_UNAVAILABLE


class JournalDamaged(SignerError):
    """The journal is not what was written: changed, cut out, reordered or spoiled; `metadata['index']` is the first bad entry."""

    reason = Reason.JOURNAL_DAMAGED


class SignatureInProgress(SignerError):
    """Another attempt at the same ids is under way: wait for its outcome. No key was used for this one."""

    reason = Reason.SIGNATURE_IN_PROGRESS


class SignatureSettled(SignerError):
    """The attempt has its outcome already, or the ids their signature: look it up. Nothing was changed."""

    reason = Reason.SIGNATURE_SETTLED


class WorkerUnavailable(SignerError):
    """No document worker is ready; no key was used. Repeating is harmless."""

    reason = Reason.WORKER_UNAVAILABLE


class VerificationFailed(SignerError):
    """A signature, timestamp or chain failed verification."""

    reason = Reason.VERIFICATION_FAILED


class RemoteError(SignerError):
    """What a client meets between itself and the daemon. The daemon itself never answers these."""


class ServiceUnreachable(RemoteError):
    """The daemon can't be reached or the connection broke: what it had begun may have ended. Repeat with the same ids."""

    reason = Reason.SERVICE_UNREACHABLE


class Unrecognized(RemoteError):
    """The daemon is newer than this client, or something between them answered: `metadata` has `code` and `remoteReason`."""

    reason = Reason.UNRECOGNIZED


def leaves() -> dict[Reason, type[SignerError]]:
    """Every leaf by its reason: what the status table is checked against and frames are read with."""
    found: dict[Reason, type[SignerError]] = {}
    pending: list[type[SignerError]] = [SignerError]
    while pending:
        kind = pending.pop()
        children = kind.__subclasses__()
        pending.extend(children)
        if not children:
            found[kind.reason] = kind
    return found
