"""What a client meets between itself and the daemon, which never answers these."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


class RemoteError(SignerError):
    """What a client meets between itself and the daemon. The daemon itself never answers these."""


class ServiceUnreachable(RemoteError):
    """The daemon can't be reached or the connection broke: what it had begun may have ended. Repeat with the same ids."""

    reason = Reason.SERVICE_UNREACHABLE


class Unrecognized(RemoteError):
    """The daemon is newer than this client, or something between them answered: `metadata` has `code` and `remoteReason`."""

    reason = Reason.UNRECOGNIZED
