"""What befalls the daemon itself, whoever asks."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


class InternalError(SignerError):
    """A bug of ours. The message that leaves the daemon carries no detail; the log does."""

    reason = Reason.INTERNAL


class NotServedYet(SignerError):
    """The contract has the method, this release does not serve it. Nothing happened."""

    reason = Reason.NOT_SERVED_YET


class ConfigError(SignerError):
    """The configuration is refused. Nothing was started or changed."""

    reason = Reason.CONFIG_INVALID


class WorkerUnavailable(SignerError):
    """No document worker is ready; no key was used. Repeating is harmless."""

    reason = Reason.WORKER_UNAVAILABLE
