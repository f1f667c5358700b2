"""Counting ended items, the same for single documents, batches and digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from signer.errors import SignerError, TimestampPending
from signer.model import Credential, KeyStorage, StageTimes
from signer.pipeline.digests import SignedDigest
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.plan import ReadyPlan
from signer.telemetry.histogram import observe_all
from signer.telemetry.metrics import KeyClass, Outcome, Stage

_KEPT: Final = {
    (True, KeyStorage.TOKEN): KeyClass.PERSON_TOKEN,
    (True, KeyStorage.WRAPPED): KeyClass.PERSON_WRAPPED,
    (False, KeyStorage.TOKEN): KeyClass.ORGANISATION_TOKEN,
    (False, KeyStorage.WRAPPED): KeyClass.ORGANISATION_WRAPPED,
}


def key_class(credential: Credential) -> KeyClass:
    """How a school's key is held, and by whom."""
    if credential.kept is None:
        return KeyClass.CONFIGURED
    key = credential.kept.key
    return _KEPT[bool(key.person_id), key.storage]


class Observer:
    """Counts the items of one request. Labels are resolved once, not for each item."""

    def __init__(self, engine: Engine, plan: ReadyPlan) -> None:
        metrics, credential = engine.metrics, plan.credential
        kind = {"profile": plan.profile.value, "level": plan.level.value}
        self._failures = metrics.item_failures
        self._failed = metrics.signatures.labels(**kind, outcome=Outcome.FAILED.value)
        self._parked = metrics.signatures.labels(**kind, outcome=Outcome.PARKED.value)
        self._repeated = metrics.signatures.labels(**kind, outcome=Outcome.REPEATED.value)
        self._signed = metrics.signatures.labels(**kind, outcome=Outcome.SIGNED.value)
        tier = engine.tier_of(credential.school_id)
        self._made = metrics.class_signatures.labels(**{"class": key_class(credential).value}, tier=tier.value)
        stages = (Stage.QUEUE, Stage.TOKEN, Stage.DOCUMENT, Stage.TIMESTAMP, Stage.JOURNAL)
        self._stages = [metrics.stage_duration_seconds.labels(stage=stage.value) for stage in stages]

    def observe_all(self, results: Sequence[SignedDocument | SignedDigest | SignerError]) -> None:
        """As `observe` for each: what was signed is counted in one go."""
        made: list[StageTimes] = []
        for result in results:
            if isinstance(result, SignerError) or result.replayed:
                self.observe(result)
            else:
                made.append(result.times)
        self._count(made)

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
            self._count([result.times])

    def _count(self, made: Sequence[StageTimes]) -> None:
        if not made:
            return
        self._signed.inc(len(made))
        self._made.inc(len(made))
        spent_s = [(each.queue_s, each.token_s, each.document_s, each.timestamp_s, each.journal_s) for each in made]
        for stage, column_s in zip(self._stages, zip(*spent_s, strict=True), strict=True):
            if any(column_s):  # a stage that had no part in it says nothing about how long such a stage takes
                observe_all(stage, [seconds for seconds in column_s if seconds])
