"""What is worth repeating, and when.

Repeating is always safe: the ids make a repeat return the stored outcome. It is useful only where the cause may pass by itself: the
codes below (AIP-193, AIP-194), and the end of one stream's own deadline while the caller still has time.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import grpc

from signer.errors import (
    Cancelled,
    DeadlineExceeded,
    DeadlineTooLong,
    QuotaExceeded,
    ServiceUnreachable,
    SignerError,
    TimestampPending,
    Unrecognized,
)
from signer.rpc_status import CODES

_PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED})
_BROKEN_STREAM = frozenset({"UNKNOWN", "INTERNAL"})
"""What a proxy or HTTP/2 itself answers when a connection dies under a call: bare, without an ErrorInfo."""
_BELOW_LIMIT = 0.95
_QUOTA_WAIT_S_MAX = 60.0
_TLS_FAILURES = ("handshake failed", "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "Peer name")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient the client is.

    attempts_max: how often one document is sent before its passing error becomes its outcome; broken connections are not counted.
    connect_timeout_s: until when the daemon must have answered for the first time; later, a lost one is awaited until the deadline.
    stall_s: no message for so long while one is awaited (the daemon tells progress every second): the connection is given up.
    """

    attempts_max: int = 5
    connect_timeout_s: float = 15.0
    stall_s: float = 30.0
    backoff_s_min: float = 0.2
    backoff_s_max: float = 5.0

    def backoff_s(self, failures: int, error: SignerError) -> float:
        """How long to wait after so many failures in a row (from 1): exponential with jitter, and no less than the daemon asked for."""
        ceiling_s = min(self.backoff_s_max, self.backoff_s_min * 2.0 ** min(failures - 1, 16))
        return max(error.retry_after_s or 0.0, random.uniform(ceiling_s / 2, ceiling_s))  # noqa: S311  # spreads clients, hides nothing


def is_passing(error: SignerError) -> bool:
    """Whether the same document, sent again under the same ids, may well be signed. One that its caller wants parked is left parked.

    The end of a day's quota is no passing failure: nobody waits in a call until midnight.
    """
    if isinstance(error, TimestampPending):
        return False
    if isinstance(error, QuotaExceeded):
        return error.retry_after_s is not None and error.retry_after_s <= _QUOTA_WAIT_S_MAX
    if isinstance(error, Unrecognized):
        code = error.metadata.get("code", "")
        return code in {"UNAVAILABLE", "ABORTED"} or (code == "RESOURCE_EXHAUSTED" and error.retry_after_s is not None)
    return CODES[error.reason] in _PASSING or isinstance(error, (DeadlineExceeded, Cancelled))


def is_interruption(error: SignerError) -> bool:
    """Whether a call that ended so should be made again with what has no outcome yet."""
    if isinstance(error, Unrecognized) and "remoteReason" not in error.metadata:
        return error.metadata.get("code", "") in _BROKEN_STREAM or is_passing(error)
    return is_passing(error)


def allowed_s(error: SignerError) -> float:
    """The longest deadline that the daemon takes, a little below what it says: gRPC rounds deadlines up. Infinite unless it refused one."""
    return float(error.metadata.get("limitS", math.inf)) * _BELOW_LIMIT if isinstance(error, DeadlineTooLong) else math.inf


def is_tls_failure(error: SignerError) -> bool:
    """Whether the two sides' certificates don't fit, which no waiting mends."""
    return isinstance(error, ServiceUnreachable) and any(mark in error.message for mark in _TLS_FAILURES)
