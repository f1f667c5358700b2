"""Time: outside authorities, the clock, and the built-in authority's door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge, Histogram

from signer.telemetry.metrics.labels import STAGE_SECONDS
from signer.telemetry.spec import Spec

_TSA = ("tsa", "`[[stamping.servers]]` name")


@dataclass(frozen=True)
class TimestampMetrics:
    """Their part of `Metrics`."""

    tsa_requests: Annotated[
        Counter,
        Spec(
            "signer_tsa_requests_total",
            "Requests to an outside time-stamping authority, by how they ended.",
            (
                _TSA,
                (
                    "outcome",
                    "granted, lied, refused, not-an-answer, http-status, throttled, timed-out, unreachable, secret-unreadable, no-time",
                ),
            ),
        ),
    ]
    tsa_lies: Annotated[
        Counter,
        Spec(
            "signer_tsa_lies_total",
            "Timestamps that did not stand up to verification and were not used; one puts its authority in quarantine.",
            (_TSA, ("check", "encoding, imprint, nonce, policy, time, certificate, binding, signature, chain")),
        ),
    ]
    tsa_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_tsa_request_duration_seconds",
            "From a request's departure to its timestamp, verified; those granted alone.",
            (_TSA,),
            STAGE_SECONDS,
        ),
    ]
    tsa_state: Annotated[
        Gauge,
        Spec("signer_tsa_state", "Whether it is asked: 0 ready, 1 left alone after failures, 2 quarantined for a lie.", (_TSA,)),
    ]
    clock_state: Annotated[
        Gauge,
        Spec(
            "signer_clock_state",
            "1 for the state that the built-in authority's clock is in, 0 for the others. It issues in trusted and unguarded.",
            (("state", "trusted, unguarded, unknown, off, contradicted, leap-second"),),
        ),
    ]
    clock_offset_seconds: Annotated[
        Gauge, Spec("signer_clock_offset_seconds", "System clock minus true time, as the time sources have it; NaN while unknown.")
    ]
    clock_error_bound_seconds: Annotated[
        Gauge,
        Spec("signer_clock_error_bound_seconds", "The most the system clock can be off now; beyond `accuracy_ms` nothing is issued."),
    ]
    clock_check_age_seconds: Annotated[
        Gauge, Spec("signer_clock_check_age_seconds", "Since the time sources last said what agreed; NaN before the first time.")
    ]
    clock_source_checks: Annotated[
        Counter,
        Spec(
            "signer_clock_source_checks_total",
            "Questions to a time source, by how they ended.",
            (
                ("source", "as in `[timestamp.clock] servers`; or chrony"),
                ("outcome", "agreed, false, undecided, silent, unreachable, unsynchronised, kiss-o-death, nonsense, left-alone"),
            ),
        ),
    ]
    authority_requests: Annotated[
        Counter,
        Spec(
            "signer_authority_requests_total",
            "Requests to the built-in authority over HTTP, by how they ended.",
            (
                (
                    "outcome",
                    "granted; a PKIFailureInfo (bad-data-format, …); a status (http-400, …); gone: the client went away",
                ),
            ),
        ),
    ]
    authority_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_authority_request_duration_seconds",
            "From a request's head to its timestamp, over HTTP; those granted alone.",
            (),
            STAGE_SECONDS,
        ),
    ]
    authority_connections: Annotated[Gauge, Spec("signer_authority_connections", "HTTP connections open to the built-in authority now.")]
