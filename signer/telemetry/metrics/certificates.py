"""Whether the certificates that are to sign are revoked, and how that is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge, Histogram

from signer.telemetry.metrics.labels import STAGE_SECONDS
from signer.telemetry.spec import Spec

_AGE_SECONDS = (60, 600, 3600, 6 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 31 * 86_400)
_STATUS_SOURCE = ("source", "ocsp, crl")


@dataclass(frozen=True)
class CertificateMetrics:
    """Their part of `Metrics`."""

    revocation_questions: Annotated[
        Counter,
        Spec(
            "signer_revocation_questions_total",
            "Questions whether a certificate is revoked, to one source each, by how they ended.",
            (
                _STATUS_SOURCE,
                (
                    "outcome",
                    "good, revoked, refused (not believed), unreachable, timed-out, http-status, too-long, paused, remembered",
                ),
            ),
        ),
    ]
    revocation_refused: Annotated[
        Counter,
        Spec(
            "signer_revocation_refused_total",
            "Answers about certificates that did not stand up to verification and were not used.",
            (_STATUS_SOURCE, ("check", "encoding, refused, certificate, time, signer, signature, scope")),
        ),
    ]
    revocation_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_revocation_request_duration_seconds",
            "From asking a CA to its whole answer; failed ones left out.",
            (_STATUS_SOURCE,),
            STAGE_SECONDS,
        ),
    ]
    revocation_answer_age_seconds: Annotated[
        Histogram,
        Spec(
            "signer_revocation_answer_age_seconds",
            "Age of an answer when it is used: since its thisUpdate.",
            (_STATUS_SOURCE,),
            _AGE_SECONDS,
        ),
    ]
    revocation_remembered: Annotated[Gauge, Spec("signer_revocation_remembered", "OCSP answers and CRLs remembered now.")]
    certificate_checks: Annotated[
        Counter,
        Spec(
            "signer_certificate_checks_total",
            "Checks of certificates that are to sign: once a credential and window, and by CheckCertificate.",
            (("outcome", "good, revoked, unknown (nobody could tell), unfit (usage, or no chain)"),),
        ),
    ]
    signed_without_status: Annotated[
        Counter,
        Spec(
            "signer_signed_without_status_total",
            "Documents and digests let through though nobody could tell whether the signer's certificate is revoked.",
        ),
    ]
