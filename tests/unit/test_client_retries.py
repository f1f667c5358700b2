"""What the client repeats, what it does not, and how long it waits."""

from __future__ import annotations

import math

import pytest

from signer.client.retries import RetryPolicy, allowed_s, is_interruption, is_passing, is_tls_failure
from signer.errors import (
    AccessError,
    CredentialError,
    DeadlineTooLong,
    QueueFull,
    Reason,
    RequestError,
    ServiceUnreachable,
    SignerError,
    Unrecognized,
    leaves,
)

PASSING = {
    "TOKEN_UNAVAILABLE",
    "TOKEN_REMOVED",
    "TOKEN_TIMED_OUT",
    "SIGNATURE_OUTCOME_UNKNOWN",
    "CERTIFICATE_STATUS_UNAVAILABLE",
    "TIMESTAMP_UNAVAILABLE",
    "TIMESTAMP_INVALID",
    "QUEUE_FULL",
    "TOO_MANY_REQUESTS",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "SHUTTING_DOWN",
    "JOURNAL_UNAVAILABLE",
    "SIGNATURE_IN_PROGRESS",
    "WORKER_UNAVAILABLE",
    "SERVICE_UNREACHABLE",
}


@pytest.mark.parametrize("reason", sorted(PASSING))
def test_what_may_pass_by_itself_is_repeated(reason: str) -> None:
    error = leaves()[Reason(reason)]("")
    assert is_passing(error)
    assert is_interruption(error)


def test_what_the_caller_must_change_is_never_repeated() -> None:
    for kind in leaves().values():
        if issubclass(kind, (RequestError, AccessError, CredentialError)) and kind.reason.value not in PASSING:
            assert not is_passing(kind(""))
            assert not is_interruption(kind(""))


@pytest.mark.parametrize(
    ("error", "passing", "interruption"),
    [
        (Unrecognized("", code="UNAVAILABLE", remoteReason="NEW"), True, True),
        (Unrecognized("", code="FAILED_PRECONDITION", remoteReason="NEW"), False, False),
        (Unrecognized("", code="RESOURCE_EXHAUSTED", remoteReason="NEW"), False, False),
        (Unrecognized("", code="RESOURCE_EXHAUSTED", remoteReason="NEW", retry_after_s=3.0), True, True),
        (Unrecognized("RST_STREAM", code="INTERNAL"), False, True),
        (Unrecognized("Stream removed", code="UNKNOWN"), False, True),
        (Unrecognized("", code="INTERNAL", remoteReason="NEW"), False, False),
        (Unrecognized("message larger than max", code="RESOURCE_EXHAUSTED"), False, False),
    ],
)
def test_what_a_newer_daemon_or_a_proxy_says_is_judged_by_its_code(error: SignerError, passing: bool, interruption: bool) -> None:
    assert (is_passing(error), is_interruption(error)) == (passing, interruption)


def test_waiting_grows_is_bounded_and_honours_what_the_daemon_asks() -> None:
    policy = RetryPolicy(backoff_s_min=0.2, backoff_s_max=5.0)
    error = QueueFull("")
    for failures in range(1, 40):
        ceiling_s = min(5.0, 0.2 * 2 ** (failures - 1))
        assert ceiling_s / 2 <= policy.backoff_s(failures, error) <= ceiling_s
    assert policy.backoff_s(1, QueueFull("", retry_after_s=7.0)) == 7.0


def test_a_deadline_that_is_too_long_tells_the_one_allowed() -> None:
    assert allowed_s(DeadlineTooLong("", limitS=100.0)) < 100.0
    assert allowed_s(DeadlineTooLong("")) == math.inf
    assert allowed_s(QueueFull("", limitS=100.0)) == math.inf


def test_tls_that_does_not_fit_is_told_from_a_daemon_that_is_away() -> None:
    assert is_tls_failure(ServiceUnreachable("Ssl handshake failed (TSI_PROTOCOL_FAILURE): CERTIFICATE_VERIFY_FAILED"))
    assert not is_tls_failure(ServiceUnreachable("Failed to connect to remote host: connect: Connection refused (111)"))
