"""What a key's holder, or several people, must allow first (EN 419 241-1: the SAD)."""

from __future__ import annotations

from signer.errors.access import AccessError
from signer.errors.reason import Reason


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


class SubjectNotFound(AccessError):
    """What is to be approved is not there. Nothing was changed."""

    reason = Reason.SUBJECT_NOT_FOUND


class ApprovalNotFound(AccessError):
    """No such approval. Nothing was changed."""

    reason = Reason.APPROVAL_NOT_FOUND


class ApprovalRequired(AccessError):
    """Several people must allow this first. No key was used, nothing was changed."""

    reason = Reason.APPROVAL_REQUIRED


class ApprovalEnded(AccessError):
    """The approval was used, refused, withdrawn or has expired. Nothing was changed."""

    reason = Reason.APPROVAL_ENDED
