"""Counting ended items, the same for single documents, batches and digests."""

from __future__ import annotations

from signer.errors import SignerError, TimestampPending
from signer.pipeline.digests import SignedDigest
from signer.pipeline.item import SignedDocument
from signer.pipeline.plan import ReadyPlan
from signer.telemetry.metrics import Metrics, Outcome, Stage


class Observer:
    """Counts the items of one request. Labels are resolved once, not for each item."""

    def __init__(self, metrics: Metrics, plan: ReadyPlan) -> None:
        kind = {"profile": plan.profile.value, "level": plan.level.value}
        self._failures = metrics.item_failures
        self._failed = metrics.signatures.labels(**kind, outcome=Outcome.FAILED.value)
        self._parked = metrics.signatures.labels(**kind, outcome=Outcome.PARKED.value)
        self._repeated = metrics.signatures.labels(**kind, outcome=Outcome.REPEATED.value)
        self._signed = metrics.signatures.labels(**kind, outcome=Outcome.SIGNED.value)
        stages = (Stage.QUEUE, Stage.TOKEN, Stage.DOCUMENT, Stage.TIMESTAMP, Stage.JOURNAL)
        self._stages = [metrics.stage_duration_seconds.labels(stage=stage.value) for stage in stages]

    def observe(self, result: SignedDocument | SignedDigest | SignerError) -> None:
        """Counts one ended item and, for a new signature, where its time went."""
        if isinstance(result, TimestampPending):
            self._parked.inc()
        elif isinstance(result, SignerError):
            self._failed.inc()
            self._failures.labels(reason=result.reason.value).inc()
        elif result.replayed:
            self._repeated.inc()
        else:
            self._signed.inc()
            times = result.times
            spent_s = (times.queue_s, times.token_s, times.document_s, times.timestamp_s, times.journal_s)
            for stage, seconds in zip(self._stages, spent_s, strict=True):
                if seconds:  # a stage that had no part in it says nothing about how long such a stage takes
                    stage.observe(seconds)
