"""What befalls a queued batch."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


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
