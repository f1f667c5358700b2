"""How one authority can fail one request."""

from __future__ import annotations

from enum import Enum


class Failure(Enum):
    """The value is the `outcome` label of the authority's metrics."""

    UNREACHABLE = "unreachable"
    """No connection, no TLS, or it was closed before the answer was whole."""
    TIMED_OUT = "timed-out"
    """No whole answer in time."""
    HTTP_STATUS = "http-status"
    """Another HTTP status than 200."""
    THROTTLED = "throttled"
    """HTTP status 429, or 503 with Retry-After."""
    NOT_AN_ANSWER = "not-an-answer"
    """HTTP status 200 with something else than a TimeStampResp, such as a portal's HTML, or too much of it."""
    REFUSED = "refused"
    """A TimeStampResp that grants nothing."""
    LIED = "lied"
    """A timestamp that did not stand up to verification."""
    SECRET_UNREADABLE = "secret-unreadable"
    """Our password or bearer token for it could not be read."""
    PAUSED = "paused"
    """Not asked: left alone, or quarantined."""
    NO_TIME = "no-time"
    """Not asked, or not waited for: the caller's deadline came first."""


BLAMELESS = frozenset({Failure.SECRET_UNREADABLE, Failure.PAUSED, Failure.NO_TIME})
"""Failures that say nothing about the authority."""


class AskFailed(Exception):
    """No timestamp from this authority for this request. retry_after_s: when it is worth asking again; None when nobody knows."""

    def __init__(self, failure: Failure, text: str, *, retry_after_s: float | None = None, check: str = "") -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text
        self.retry_after_s = retry_after_s
        self.check = check
