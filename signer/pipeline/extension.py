"""ExtendDocuments: signed PDFs raised to a level, under ids of their own.

 1. same ids before?      a stored outcome is returned; other content is refused
 2. intent, durable       no signer's key will be used, but the ids are taken
 3. raise                 see `raising`
 4. outcome, durable      with what was appended; then release

A failure settles the intent, so a repeat of the ids tries again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from signer.errors import InvalidArgument, JournalUnavailable, SignatureInProgress, SignatureSettled, SignerError
from signer.formats.insertions import Additions
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Level, SignatureKey, StageTimes
from signer.pipeline.engine import Engine
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.material import Extended, encode, stored_material
from signer.pipeline.raising import Raising
from signer.pipeline.request import Request
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Outcome as Counted

_log = get_logger(__name__)
_TURN_S = 0.1
"""Between two looks at what another daemon works on."""


@dataclass(frozen=True, slots=True)
class ExtendedDocument:
    """A document that has the level. replayed: a stored outcome was returned."""

    source_sha256: bytes
    material: Extended
    times: StageTimes
    replayed: bool

    @property
    def additions(self) -> Additions:
        """What follows the document that was sent; empty when it had the level."""
        return Additions(self.material.appended)


class ExtendingWork:
    """What a batch of documents to be raised does with each (`batch.Work`). InvalidArgument for level B-B."""

    lot_max = 1
    """Each goes its way alone: none is quicker in company."""

    def __init__(self, engine: Engine, request: Request, level: Level) -> None:
        if level is Level.B_B:
            raise InvalidArgument("header.level must be above B_B: LEVEL_B_T, LEVEL_B_LT or LEVEL_B_LTA", field="header.level")
        if level is not Level.B_LT:
            engine.require_timestamper()
        self.request = request
        self.level = level
        self._engine = engine

    async def run(self, documents: Sequence[IncomingDocument]) -> Sequence[ExtendedDocument | SignerError]:
        """Raises them."""
        return await asyncio.gather(*(self._one(document) for document in documents))

    def ended(self, results: Sequence[tuple[str, ExtendedDocument | SignerError]]) -> None:
        """Counts them."""
        for _document_id, result in results:
            good = Counted.SIGNED if isinstance(result, SignerError) or not result.replayed else Counted.REPEATED
            outcome = Counted.FAILED if isinstance(result, SignerError) else good
            self._engine.metrics.extensions.labels(level=self.level.value, outcome=outcome.value).inc()

    async def _one(self, document: IncomingDocument) -> ExtendedDocument | SignerError:
        try:
            return await _Extension(self._engine, self.request, self.level, document).run()
        except SignerError as error:
            return error


class _Extension:
    """One document under its ids."""

    def __init__(self, engine: Engine, request: Request, level: Level, document: IncomingDocument) -> None:
        self._engine = engine
        self._request = request
        self._plan = f"pades/extend/{level.value}"
        self._key = SignatureKey(request.school_id, request.request_id, document.document_id)
        self._source_sha256 = hashlib.sha256(document.content).digest()
        self._fingerprint = hashlib.sha256(self._source_sha256 + self._plan.encode("ascii")).digest()
        self._raising = Raising(engine, request, level, document.content)

    async def run(self) -> ExtendedDocument:
        """All steps."""
        async with self._engine.inside([self._key]):
            self._request.check()
            while True:
                stored = (await self._engine.ledger.look_up([self._key])).get(self._key)
                material = stored_material(stored, self._key.document_id, self._fingerprint) if stored else None
                if isinstance(material, Extended):
                    return ExtendedDocument(self._source_sha256, material, StageTimes(), replayed=True)
                self._request.check()
                try:
                    (attempt,) = await self._engine.ledger.intend([self._intent()])
                    break
                except (SignatureInProgress, SignatureSettled):  # another daemon's
                    await asyncio.sleep(_TURN_S)
            try:
                await self._raising.run()
            except Exception as error:
                await self._settle_failed(attempt, error)
                raise
            return await self._release(attempt)

    async def _release(self, attempt: int) -> ExtendedDocument:
        raised = self._raising
        material = Extended(raised.appended, raised.timestamp_time, raised.field_name, hashlib.sha256(raised.content).digest())
        started_s = self._request.clock_s()
        outcome = Outcome(self._key, attempt, OutcomeKind.RELEASED, encode(material), hashlib.sha256(raised.appended).digest())
        await self._engine.ledger.settle([outcome])
        journal_s = self._request.clock_s() - started_s
        times = StageTimes(document_s=raised.document_s, timestamp_s=raised.timestamp_s, journal_s=journal_s)
        return ExtendedDocument(self._source_sha256, material, times, replayed=False)

    async def _settle_failed(self, attempt: int, error: Exception) -> None:
        detail = error.reason.value if isinstance(error, SignerError) else type(error).__name__
        try:
            await self._engine.ledger.settle([Outcome(self._key, attempt, OutcomeKind.FAILED, detail=detail)])
        except JournalUnavailable as unavailable:
            _log.error("failed attempt not settled; it counts as unknown", message=unavailable.message)

    def _intent(self) -> Intent:
        return Intent(
            key=self._key,
            fingerprint=self._fingerprint,
            client_id=self._request.client_id,
            credential_id="",
            certificate_serial="",
            algorithm=None,
            digest=self._source_sha256,
            plan=self._plan,
        )
