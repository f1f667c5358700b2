"""The page for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge

from signer.telemetry.spec import Spec


@dataclass(frozen=True)
class PageMetrics:
    """Their part of `Metrics`."""

    page_requests: Annotated[
        Counter,
        Spec(
            "signer_page_requests_total",
            "Requests to the page for people, by page and status.",
            (("page", "its path; other for files and what there is none of"), ("status", "200, 303, 403, …")),
        ),
    ]
    page_sessions: Annotated[Gauge, Spec("signer_page_sessions", "Browsers signed in on the page for people, or on their first visit.")]
