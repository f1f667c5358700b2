"""One request, one answer, repeated while the cause may pass."""

from __future__ import annotations

import math
import time
from typing import Protocol, TypeVar

import grpc

from signer.client.retries import RetryPolicy, allowed_s, is_interruption, is_tls_failure
from signer.errors import DeadlineExceeded
from signer.rpc_status import from_failed_call

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Request_contra = TypeVar("_Request_contra", contravariant=True)
_Response_co = TypeVar("_Response_co", covariant=True)


class Method(Protocol[_Request_contra, _Response_co]):
    """A method of a stub, or what asks one and may be repeated as a whole."""

    def __call__(self, request: _Request_contra, /, *, timeout: float) -> _Response_co:
        """The answer; raises grpc.RpcError."""


def call_patiently(method: Method[_Request, _Response], request: _Request, *, policy: RetryPolicy, deadline_s: float) -> _Response:
    """The answer, by `deadline_s` on the monotonic clock. Gives up after attempts_max failures, and connect_timeout_s at the earliest.

    Raises the leaf that the last failure stands for.
    """
    started_s = time.monotonic()
    failures = 0
    limit_s = math.inf
    while True:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("the deadline passed before the daemon answered; repeat with the same ids")
        try:
            return method(request, timeout=min(left_s, limit_s))
        except grpc.RpcError as failed:
            error = from_failed_call(failed)
            if allowed_s(error) < limit_s:
                limit_s = allowed_s(error)
                continue
            failures += 1
            is_patience_over = failures >= policy.attempts_max and time.monotonic() - started_s >= policy.connect_timeout_s
            if not is_interruption(error) or is_tls_failure(error) or is_patience_over or time.monotonic() >= deadline_s:
                raise error from failed
            time.sleep(max(0.0, min(policy.backoff_s(failures, error), deadline_s - time.monotonic())))
