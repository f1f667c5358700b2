"""Counting ended items, the same for single documents, batches and digests."""

from __future__ import annotations

from signer.errors import SignerError
from signer.model import StageTimes
from signer.pipeline.digests import SignedDigest
from signer.pipeline.document import SignedDocument
from signer.pipeline.plan import ReadyPlan
from signer.telemetry.metrics import Metrics, Outcome, Stage


def observe(metrics: Metrics, plan: ReadyPlan, result: SignedDocument | SignedDigest | SignerError) -> None:
    """Counts one ended item and, for a new signature, where its time went."""
    kind = Outcome.FAILED if isinstance(result, SignerError) else Outcome.REPEATED if result.replayed else Outcome.SIGNED
    metrics.signatures.labels(profile=plan.profile.value, level=plan.level.value, outcome=kind.value).inc()
    if not isinstance(result, SignerError) and not result.replayed:
        _observe_times(metrics, result.times)


def _observe_times(metrics: Metrics, times: StageTimes) -> None:
    for stage, seconds in (
        (Stage.QUEUE, times.queue_s),
        (Stage.TOKEN, times.token_s),
        (Stage.DOCUMENT, times.document_s),
        (Stage.TIMESTAMP, times.timestamp_s),
        (Stage.JOURNAL, times.journal_s),
    ):
        metrics.stage_duration_seconds.labels(stage=stage.value).observe(seconds)
