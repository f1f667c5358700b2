"""What goes on with a signature afterwards: parked, proved, raised to a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge

from signer.telemetry.spec import Spec


@dataclass(frozen=True)
class KeepingMetrics:
    """Their part of `Metrics`."""

    parked_signatures: Annotated[
        Gauge,
        Spec("signer_parked_signatures", "Signatures in the journal that wait for their timestamp, or for a repeat to reach their level."),
    ]
    parked_completed: Annotated[
        Counter, Spec("signer_parked_completed_total", "Parked signatures that got their timestamp without being asked for again.")
    ]
    evidence_records: Annotated[
        Counter,
        Spec(
            "signer_evidence_records_total",
            "Evidence records made and renewed; failed: one that a batch asked for and did not get.",
            (("outcome", "made, renewed, failed"),),
        ),
    ]
    evidence_renew_before_seconds: Annotated[
        Gauge,
        Spec(
            "signer_evidence_renew_before_timestamp_seconds",
            "When the first of all evidence records must be renewed, seconds since 1970; NaN without records.",
        ),
    ]
    extensions: Annotated[
        Counter,
        Spec(
            "signer_extensions_total",
            "Signed documents asked to be raised to a level, by how they ended.",
            (("level", "b-t, b-lt, b-lta"), ("outcome", "signed (something was added), repeated, failed")),
        ),
    ]
