"""What is full, and what ended before its work did."""

from __future__ import annotations

from signer.errors.base import SignerError
from signer.errors.reason import Reason


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
