"""What becomes of a batch whose document, or plan, was refused for a reason. One that stands in no table is the document's own fault."""

from __future__ import annotations

from typing import Final

from signer.errors import Reason

HALTING: Final = frozenset(
    {
        Reason.TOKEN_UNAVAILABLE,
        Reason.TOKEN_REMOVED,
        Reason.PIN_HELD,
        Reason.PIN_LOCKED,
        Reason.PIN_SOURCE_UNREADABLE,
        Reason.TIMESTAMP_UNAVAILABLE,
        Reason.TIMESTAMP_INVALID,
        Reason.CLOCK_UNTRUSTED,
        Reason.CERTIFICATE_STATUS_UNAVAILABLE,
        Reason.QUOTA_EXCEEDED,
        Reason.QUEUE_FULL,
        Reason.JOURNAL_UNAVAILABLE,
        Reason.CALLER_UNKNOWN,
        Reason.SCHOOL_NOT_FOUND,
    }
)
"""What the next document would meet as well: the turn ends, and the batch waits until it is over."""

STOPPED: Final = frozenset({Reason.CANCELLED, Reason.SHUTTING_DOWN, Reason.DEADLINE_EXCEEDED})
"""Somebody, or the clock, ended the turn; the document is tried in another one, however often."""

AGAIN: Final = STOPPED | {
    Reason.WORKER_UNAVAILABLE,
    Reason.SIGNATURE_IN_PROGRESS,
    Reason.SIGNATURE_OUTCOME_UNKNOWN,
    Reason.TOKEN_TIMED_OUT,
    Reason.TIMESTAMP_PENDING,
}
"""What concerns one document: it is tried again in another turn."""
