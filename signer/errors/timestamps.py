"""What befalls a timestamp (RFC 3161), asked for or given."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


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
