"""What keeps a credential, or its certificate, from signing now."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


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
