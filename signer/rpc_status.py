"""Our errors as gRPC carries them, and back: one table, used by the door and by the client.

Follows AIP-193: a canonical code, `google.rpc.ErrorInfo` (reason, domain, metadata), `google.rpc.RetryInfo` where repeating later
helps, `google.rpc.BadRequest` for a wrong field; as `google.rpc.Status` in a result, or in the trailing metadata of a failed call.

Rules of the room:
- UNAVAILABLE only where repeating is harmless (clients and proxies repeat it by themselves): with the same ids, no key is used twice.
- RESOURCE_EXHAUSTED only where waiting helps; a configured limit is INVALID_ARGUMENT.
- ABORTED where a key may have been used and nothing was released: repeat the request, not the call.
- An exception that is not of our tree never shows its text: the caller gets a reference, the log has the rest under it.
- Stands above `errors` and below `server` and `client`; knows no service.
"""

from __future__ import annotations

import secrets
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from signer.errors import InternalError, Reason, ServiceUnreachable, SignerError, Unrecognized, leaves

DOMAIN = "signer"
STATUS_METADATA_KEY = "grpc-status-details-bin"
"""Where gRPC carries a whole google.rpc.Status (the name is grpc's own)."""

MESSAGE_BYTES_MAX = 800
"""Trailing metadata is limited to 8 KiB; the message stands in it up to three times, once percent-encoded (three bytes each)."""

_C = grpc.StatusCode

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.INTERNAL: _C.INTERNAL,
    Reason.NOT_SERVED_YET: _C.UNIMPLEMENTED,
    Reason.INVALID_ARGUMENT: _C.INVALID_ARGUMENT,
    Reason.CONFIG_INVALID: _C.FAILED_PRECONDITION,
    Reason.DOCUMENT_EMPTY: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_NOT_PDF: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_NOT_XML: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_DAMAGED: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_ENCRYPTED: _C.FAILED_PRECONDITION,
    Reason.DOCUMENT_LOCKED: _C.FAILED_PRECONDITION,
    Reason.DOCUMENT_UNSUPPORTED: _C.FAILED_PRECONDITION,
    Reason.DOCUMENT_TOO_LARGE: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_TOO_COSTLY: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_DIGEST_MISMATCH: _C.INVALID_ARGUMENT,
    Reason.DOCUMENT_UNSIGNED: _C.FAILED_PRECONDITION,
    Reason.FIELD_ALREADY_SIGNED: _C.FAILED_PRECONDITION,
    Reason.DUPLICATE_DOCUMENT_ID: _C.INVALID_ARGUMENT,
    Reason.ANCHOR_IMPOSTOR: _C.FAILED_PRECONDITION,
    Reason.RECORD_UNFIT: _C.FAILED_PRECONDITION,
    Reason.LAYOUT_NOT_FOUND: _C.NOT_FOUND,
    Reason.RECORD_NOT_LOCKED: _C.FAILED_PRECONDITION,
    Reason.RECORD_REPLACED: _C.FAILED_PRECONDITION,
    Reason.BATCH_TOO_LARGE: _C.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: _C.ALREADY_EXISTS,
    Reason.CALLER_UNKNOWN: _C.UNAUTHENTICATED,
    Reason.CLIENT_NOT_FOUND: _C.NOT_FOUND,
    Reason.SCHOOL_NOT_FOUND: _C.NOT_FOUND,
    Reason.CREDENTIAL_NOT_FOUND: _C.NOT_FOUND,
    Reason.KEY_NOT_FOUND: _C.NOT_FOUND,
    Reason.TOKEN_NOT_FOUND: _C.NOT_FOUND,
    Reason.ID_TAKEN: _C.ALREADY_EXISTS,
    Reason.CHANGED_MEANWHILE: _C.ABORTED,
    Reason.STATE_REFUSED: _C.FAILED_PRECONDITION,
    Reason.EVIDENCE_RECORD_NOT_FOUND: _C.NOT_FOUND,
    Reason.DOCUMENT_NOT_FOUND: _C.NOT_FOUND,
    Reason.ROLE_REFUSED: _C.PERMISSION_DENIED,
    Reason.QUOTA_EXCEEDED: _C.RESOURCE_EXHAUSTED,
    Reason.PERSON_NOT_FOUND: _C.NOT_FOUND,
    Reason.ASSIGNMENT_NOT_FOUND: _C.NOT_FOUND,
    Reason.DELEGATION_NOT_FOUND: _C.NOT_FOUND,
    Reason.SUBJECT_NOT_FOUND: _C.NOT_FOUND,
    Reason.RECORD_NOT_FOUND: _C.NOT_FOUND,
    Reason.CALENDAR_NOT_FOUND: _C.NOT_FOUND,
    Reason.METHOD_NOT_ALLOWED: _C.PERMISSION_DENIED,
    Reason.FACTORS_REFUSED: _C.PERMISSION_DENIED,
    Reason.AUTHORIZATION_NOT_FOUND: _C.NOT_FOUND,
    Reason.AUTHORIZATION_REQUIRED: _C.PERMISSION_DENIED,
    Reason.AUTHORIZATION_INVALID: _C.PERMISSION_DENIED,
    Reason.AUTHORIZATION_EXPIRED: _C.PERMISSION_DENIED,
    Reason.AUTHORIZATION_SPENT: _C.PERMISSION_DENIED,
    Reason.AUTHORIZATION_EXHAUSTED: _C.PERMISSION_DENIED,
    Reason.DOCUMENT_NOT_AUTHORIZED: _C.PERMISSION_DENIED,
    Reason.APPROVAL_NOT_FOUND: _C.NOT_FOUND,
    Reason.APPROVAL_REQUIRED: _C.FAILED_PRECONDITION,
    Reason.APPROVAL_ENDED: _C.FAILED_PRECONDITION,
    Reason.ENTRY_NOT_FOUND: _C.NOT_FOUND,
    Reason.ENTRY_ARCHIVED: _C.FAILED_PRECONDITION,
    Reason.CHECKPOINT_NOT_FOUND: _C.NOT_FOUND,
    Reason.CERTIFICATE_EXPIRED: _C.FAILED_PRECONDITION,
    Reason.CERTIFICATE_NOT_YET_VALID: _C.FAILED_PRECONDITION,
    Reason.CERTIFICATE_UNUSABLE: _C.FAILED_PRECONDITION,
    Reason.CERTIFICATE_REVOKED: _C.FAILED_PRECONDITION,
    Reason.CERTIFICATE_STATUS_UNAVAILABLE: _C.UNAVAILABLE,
    Reason.ALGORITHM_UNSUPPORTED: _C.INVALID_ARGUMENT,
    Reason.TOKEN_UNAVAILABLE: _C.UNAVAILABLE,
    Reason.TOKEN_REMOVED: _C.UNAVAILABLE,
    Reason.TOKEN_TIMED_OUT: _C.ABORTED,
    Reason.TOKEN_REFUSED: _C.FAILED_PRECONDITION,
    Reason.TOKEN_SIGNATURE_WRONG: _C.INTERNAL,
    Reason.SIGNATURE_OUTCOME_UNKNOWN: _C.ABORTED,
    Reason.PIN_HELD: _C.FAILED_PRECONDITION,
    Reason.PIN_LOCKED: _C.FAILED_PRECONDITION,
    Reason.PIN_SOURCE_UNREADABLE: _C.FAILED_PRECONDITION,
    Reason.TIMESTAMP_UNAVAILABLE: _C.UNAVAILABLE,
    Reason.TIMESTAMP_INVALID: _C.UNAVAILABLE,
    Reason.TIMESTAMP_PENDING: _C.UNAVAILABLE,
    Reason.CLOCK_UNTRUSTED: _C.FAILED_PRECONDITION,
    Reason.QUEUE_FULL: _C.RESOURCE_EXHAUSTED,
    Reason.QUEUE_NOT_CONFIGURED: _C.FAILED_PRECONDITION,
    Reason.BATCH_NOT_FOUND: _C.NOT_FOUND,
    Reason.BATCH_ENDED: _C.FAILED_PRECONDITION,
    Reason.RESULT_EXPIRED: _C.FAILED_PRECONDITION,
    Reason.TOO_MANY_REQUESTS: _C.RESOURCE_EXHAUSTED,
    Reason.DEADLINE_EXCEEDED: _C.DEADLINE_EXCEEDED,
    Reason.DEADLINE_TOO_LONG: _C.INVALID_ARGUMENT,
    Reason.CANCELLED: _C.CANCELLED,
    Reason.SHUTTING_DOWN: _C.UNAVAILABLE,
    Reason.JOURNAL_UNAVAILABLE: _C.UNAVAILABLE,
    Reason.JOURNAL_DAMAGED: _C.DATA_LOSS,
    Reason.SIGNATURE_IN_PROGRESS: _C.UNAVAILABLE,
    Reason.SIGNATURE_SETTLED: _C.ALREADY_EXISTS,
    Reason.WORKER_UNAVAILABLE: _C.UNAVAILABLE,
    Reason.VERIFICATION_FAILED: _C.FAILED_PRECONDITION,
    Reason.SERVICE_UNREACHABLE: _C.UNAVAILABLE,
    Reason.UNRECOGNIZED: _C.UNKNOWN,
}

_CODES_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

_BARE_CODES = {
    _C.UNAVAILABLE: Reason.SERVICE_UNREACHABLE,
    _C.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    _C.CANCELLED: Reason.CANCELLED,
    _C.UNIMPLEMENTED: Reason.NOT_SERVED_YET,
}
"""What a status means that grpc itself made, without an ErrorInfo; any other is UNRECOGNIZED."""


_Detail = TypeVar("_Detail", bound=Message)


class FailedCall(Protocol):
    """What a grpc.RpcError of a call offers, blocking or aio."""

    def code(self) -> grpc.StatusCode:
        """Canonical code."""

    def details(self) -> str | None:
        """Message."""

    def trailing_metadata(self) -> Any:
        """Pairs of key and str or bytes; None if the call never reached a server."""


def as_signer_error(error: Exception) -> SignerError:
    """The error as it may leave the daemon.

    One of our leaves leaves as it is. An InternalError or an exception that is not of our tree becomes an InternalError without detail
    whose `metadata['reference']` the caller of this function must log together with the original.
    """
    if isinstance(error, SignerError) and not isinstance(error, InternalError):
        return error
    known = error.metadata.get("reference") if isinstance(error, InternalError) else None
    reference = known or secrets.token_hex(8)
    return InternalError(f"internal error; the daemon's log has it under reference {reference}", reference=reference)


def to_rpc_status(error: Exception) -> status_pb2.Status:
    """The error as google.rpc.Status, for a result or for the end of a call."""
    outgoing = as_signer_error(error)
    message = outgoing.message.encode()[:MESSAGE_BYTES_MAX].decode(errors="ignore")
    details: list[any_pb2.Any] = [
        _packed(error_details_pb2.ErrorInfo(reason=outgoing.reason.value, domain=DOMAIN, metadata=outgoing.metadata)),
    ]
    if outgoing.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(outgoing.retry_after_s * 1e9))
        details.append(_packed(retry))
    if "field" in outgoing.metadata:
        violation = error_details_pb2.BadRequest.FieldViolation(field=outgoing.metadata["field"], description=message)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    return status_pb2.Status(code=CODES[outgoing.reason].value[0], message=message, details=details)


def abort_arguments(error: Exception) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Code, message and trailing metadata, as `context.abort` takes them."""
    status = to_rpc_status(error)
    return _CODES_BY_NUMBER[status.code], status.message, ((STATUS_METADATA_KEY, status.SerializeToString()),)


def from_rpc_status(status: status_pb2.Status) -> SignerError:
    """The leaf that a daemon's status stands for; must not be OK.

    A reason this release does not know becomes Unrecognized with `code` and `remoteReason`, so that an older client keeps working.
    """
    code = _CODES_BY_NUMBER.get(status.code, _C.UNKNOWN)
    info = _unpacked(status, error_details_pb2.ErrorInfo())
    if info is None or info.domain != DOMAIN:
        return _from_bare(code, status.message)
    retry = _unpacked(status, error_details_pb2.RetryInfo())
    retry_after_s = None if retry is None else retry.retry_delay.ToNanoseconds() / 1e9
    metadata = dict(info.metadata)
    kind = leaves().get(_REASONS.get(info.reason, Reason.UNRECOGNIZED), Unrecognized)
    if kind is Unrecognized:
        metadata |= {"code": code.name, "remoteReason": info.reason}
    return kind(status.message, retry_after_s=retry_after_s, **metadata)


def from_failed_call(call: FailedCall) -> SignerError:
    """The leaf that a failed call stands for: grpc.RpcError of the blocking API and AioRpcError alike."""
    for key, value in call.trailing_metadata() or ():
        if key == STATUS_METADATA_KEY and isinstance(value, bytes):
            try:
                return from_rpc_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break
    return _from_bare(call.code(), call.details() or "")


_REASONS = {reason.value: reason for reason in Reason}


def _from_bare(code: grpc.StatusCode, message: str) -> SignerError:
    reason = _BARE_CODES.get(code)
    if reason is None:
        return Unrecognized(message or f"answered {code.name}", code=code.name)
    if reason is Reason.SERVICE_UNREACHABLE:
        return ServiceUnreachable(message or "the daemon can't be reached")
    return leaves()[reason](message or code.name)


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _unpacked(status: status_pb2.Status, empty: _Detail) -> _Detail | None:
    for detail in status.details:
        if detail.Unpack(empty):
            return empty
    return None
