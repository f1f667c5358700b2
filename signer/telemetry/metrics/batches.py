"""Batches, queued and over a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Gauge, Histogram

from signer.telemetry.spec import Spec

_BATCH_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_QUEUE_STATES = "arriving, queued, running, waiting, paused, completed, cancelled, expired"


@dataclass(frozen=True)
class BatchMetrics:
    """Their part of `Metrics`."""

    queue_batches: Annotated[
        Gauge,
        Spec("signer_queue_batches", "Queued batches. Replicas that share a queue all tell the same.", (("state", _QUEUE_STATES),)),
    ]
    queue_oldest_age_seconds: Annotated[
        Gauge, Spec("signer_queue_oldest_age_seconds", "How long the queued batch has waited that was accepted first; 0 when none waits.")
    ]
    queue_documents_left: Annotated[Gauge, Spec("signer_queue_documents_left", "Documents of queued batches without an outcome.")]
    queue_bytes: Annotated[Gauge, Spec("signer_queue_bytes", "What queued batches take, bytes; the limit is queue.bytes_max.")]
    batches_in_progress: Annotated[Gauge, Spec("signer_batches_in_progress", "Batches open now.")]
    batch_documents_left: Annotated[
        Gauge, Spec("signer_batch_documents_left", "Documents that open batches announced or sent, and that have not ended yet.")
    ]
    batch_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_batch_duration_seconds",
            "From a batch's header to its summary, the client's sending and reading included.",
            (("documents", "one; class: up to 50; school: up to 2,500; larger"),),
            _BATCH_SECONDS,
        ),
    ]
