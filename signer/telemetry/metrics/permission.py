"""What people showed in order to allow a signature, and was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter

from signer.telemetry.spec import Spec


@dataclass(frozen=True)
class PermissionMetrics:
    """Their part of `Metrics`."""

    factor_refusals: Annotated[
        Counter,
        Spec("signer_factor_refusals_total", "Factors that were refused, for whatever reason; many at once: somebody is guessing."),
    ]
    sad_refusals: Annotated[
        Counter,
        Spec(
            "signer_sad_refusals_total",
            "SADs that were refused when they were presented, and documents that the presented one does not cover.",
            (("reason", "as in docs/errors.md"),),
        ),
    ]
