"""Who may not, and what is not there for this caller: the two look alike where telling them apart would tell what exists."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


class AccessError(SignerError):
    """The caller may not. No key was used, and nothing tells whether what was named exists."""


class CallerUnknown(AccessError):
    """The TLS client certificate is of no configured client."""

    reason = Reason.CALLER_UNKNOWN


class RoleRefused(AccessError):
    """The caller is known, but its role does not allow this. Nothing was changed."""

    reason = Reason.ROLE_REFUSED


class MethodNotAllowed(AccessError):
    """The client may not use this method. Nothing was begun."""

    reason = Reason.METHOD_NOT_ALLOWED


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


class PersonNotFound(AccessError):
    """No such person, or not one the caller may see. Nothing was changed."""

    reason = Reason.PERSON_NOT_FOUND


class AssignmentNotFound(AccessError):
    """No such role of a person. Nothing was changed."""

    reason = Reason.ASSIGNMENT_NOT_FOUND


class DelegationNotFound(AccessError):
    """No such delegation. Nothing was changed."""

    reason = Reason.DELEGATION_NOT_FOUND
