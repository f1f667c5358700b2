"""What befalls a PKCS#11 token and its PIN."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


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
