"""Raising a signed PDF to a level (EN 319 142-1 6.3), step by step; each addition is an update, none changes a byte before it.

 1. same ids before?      a stored outcome is returned; other content is refused
 2. intent, durable       no signer's key will be used, but the ids are taken
 3. examine               a document worker verifies all signatures and says what is missing
 4. B-T                   a signature without a proven time gets a document timestamp after it; then step 3 again. A timestamp inside the
                          signature itself would change bytes that are there, and that later signatures cover
 5. B-LT                  the status of every certificate, from whoever issued it; certificates and answers go into a DSS
 6. B-LTA                 and a document timestamp over all of it, in the same update; also where one is there already: a renewal
 7. outcome, durable      with what was appended; then release

Rules:
- The level asked for is given or the document fails, with nothing added: without the status of every certificate it is no B-LT.
- Whose addresses are called is decided here: a worker's path counts for nothing until it was verified anew, up to a configured anchor.
- A failure settles the intent, so a repeat of the ids tries again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import DigestAlgorithm
from signer.documents.wire import Chain, ExamineCall, ExaminedReply, ExtendCall, Trust
from signer.errors import InternalError, InvalidArgument, JournalUnavailable, SignerError, VerificationFailed
from signer.formats.pades.update import PreparedUpdate, byte_range_digest, check, splice
from signer.formats.status.answer import Answer, AnswerKind
from signer.formats.status.path import Path, find_path
from signer.formats.status.question import Question
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Level, SignatureKey, StageTimes
from signer.pipeline.document import IncomingDocument
from signer.pipeline.doors import Raiser, StatusDoor
from signer.pipeline.engine import Engine
from signer.pipeline.material import Extended, encode, stored_material
from signer.pipeline.request import Request
from signer.pipeline.stamping import answer_by_s, stamp_patiently
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Outcome as Counted

_log = get_logger(__name__)
_CHAINS_MAX: Final = 512
"""Signatures and timestamps of one document: more than `validation.pdf.SIGNATURES_MAX` with a timestamp each."""


@dataclass(frozen=True)
class Archiving:
    """What raising documents needs. trust: whom to believe; its signing and timestamping CAs are anchors."""

    engine: Engine
    workers: Raiser
    status: StatusDoor
    trust: Trust

    def path(self, chain: Chain) -> Path:
        """A worker's chain, verified anew; VerificationFailed unless it leads to an anchor."""
        try:
            certificates = [x509.load_der_x509_certificate(each) for each in chain.certificates]
            at = datetime.fromisoformat(chain.at)
        except ValueError as error:
            raise InternalError("a document worker's chain can't be read") from error
        anchors = self.trust.timestamping if chain.is_timestamp else self.trust.signing
        last = [certificate for certificate, encoded in zip(certificates, chain.certificates, strict=True) if encoded in anchors]
        path = find_path(certificates[0], certificates[1:], last, at)
        if path.certificates != tuple(certificates) or len(chain.covered) != len(path.questions):
            raise VerificationFailed("a chain of the document is not what it seemed; it was left as it is")
        return path


@dataclass(frozen=True, slots=True)
class ExtendedDocument:
    """A document that has the level. replayed: a stored outcome was returned."""

    source_sha256: bytes
    material: Extended
    times: StageTimes
    replayed: bool

    @property
    def appended(self) -> bytes:
        """The bytes to append to the document that was sent; empty when it had the level."""
        return self.material.appended


class ExtendingWork:
    """What a batch of documents to be raised does with each (`batch.Work`). InvalidArgument for level B-B."""

    lot_max = 1
    """Each goes its way alone: none is quicker in company."""

    def __init__(self, archiving: Archiving, request: Request, level: Level) -> None:
        if level is Level.B_B:
            raise InvalidArgument("header.level must be above B_B: LEVEL_B_T, LEVEL_B_LT or LEVEL_B_LTA", field="header.level")
        if level is not Level.B_LT:
            archiving.engine.require_timestamper()
        self.request = request
        self.level = level
        self._archiving = archiving

    async def run(self, documents: Sequence[IncomingDocument]) -> Sequence[ExtendedDocument | SignerError]:
        """Raises them."""
        return await asyncio.gather(*(self._one(document) for document in documents))

    def ended(self, document_id: str, result: ExtendedDocument | SignerError) -> None:  # noqa: ARG002
        """Counts it."""
        good = Counted.SIGNED if isinstance(result, SignerError) or not result.replayed else Counted.REPEATED
        outcome = Counted.FAILED if isinstance(result, SignerError) else good
        self._archiving.engine.metrics.extensions.labels(level=self.level.value, outcome=outcome.value).inc()

    async def _one(self, document: IncomingDocument) -> ExtendedDocument | SignerError:
        try:
            return await _Extension(self._archiving, self.request, self.level, document).run()
        except SignerError as error:
            return error


class _Extension:
    """One document on its way. content: as far as it is raised; times grow with it."""

    def __init__(self, archiving: Archiving, request: Request, level: Level, document: IncomingDocument) -> None:
        self._archiving = archiving
        self._engine = archiving.engine
        self._request = request
        self._level = level
        self._key = SignatureKey(request.school_id, request.request_id, document.document_id)
        self._source_sha256 = hashlib.sha256(document.content).digest()
        self._source_bytes = len(document.content)
        self._content = document.content
        self._times = StageTimes()
        self._timestamp_time: datetime | None = None
        self._field_name = ""

    @property
    def _plan(self) -> str:
        return f"pades/extend/{self._level.value}"

    @property
    def _fingerprint(self) -> bytes:
        return hashlib.sha256(self._source_sha256 + self._plan.encode("ascii")).digest()

    async def run(self) -> ExtendedDocument:
        """All steps."""
        async with self._engine.inside([self._key]):
            self._request.check()
            stored = (await self._engine.ledger.look_up([self._key])).get(self._key)
            material = stored_material(stored, self._key.document_id, self._fingerprint) if stored else None
            if isinstance(material, Extended):
                return ExtendedDocument(self._source_sha256, material, StageTimes(), replayed=True)
            self._request.check()
            (attempt,) = await self._engine.ledger.intend([self._intent()])
            try:
                await self._raise()
            except Exception as error:
                await self._settle_failed(attempt, error)
                raise
            return await self._release(attempt)

    async def _raise(self) -> None:
        found = await self._examine()
        if found.lacks_timestamp:
            await self._add(ExtendCall(document=self._content), is_stamped=True)
            if self._level is Level.B_T:
                return
            found = await self._examine()
        if self._level is Level.B_T or (found.is_complete and self._level is Level.B_LT):
            return
        await self._add(await self._validation_data(found), is_stamped=self._level is Level.B_LTA)

    async def _examine(self) -> ExaminedReply:
        self._request.check()
        found = await self._archiving.workers.examine(
            ExamineCall(
                document=self._content,
                trust=self._archiving.trust,
                now=self._engine.utc_now().isoformat(),
                with_chains=self._level is not Level.B_T,
            )
        )
        self._times = replace(self._times, document_s=self._times.document_s + found.document_s)
        if len(found.chains) > _CHAINS_MAX:
            raise InternalError(f"a document worker found {len(found.chains)} chains")
        return found

    async def _validation_data(self, found: ExaminedReply) -> ExtendCall:
        """Step 5: every certificate, and an answer about each that the document holds none for."""
        if found.is_complete:
            return ExtendCall(document=self._content)
        certificates: dict[bytes, None] = {}
        missing: dict[tuple[bytes, bytes], Question] = {}
        for chain in found.chains:
            path = self._archiving.path(chain)
            certificates.update(dict.fromkeys(each.public_bytes(Encoding.DER) for each in path.certificates))
            missing |= {asked.key: asked for asked, has in zip(path.questions, chain.covered, strict=True) if not has}
        self._request.check()
        deadline_s = answer_by_s(self._request)
        answers = await asyncio.gather(*(self._archiving.status.answer(question, deadline_s) for question in missing.values()))
        return ExtendCall(
            document=self._content,
            certificates=tuple(certificates),
            ocsps=_encoded(answers, AnswerKind.OCSP),
            crls=_encoded(answers, AnswerKind.CRL),
        )

    async def _add(self, call: ExtendCall, *, is_stamped: bool) -> None:
        """One update: what the call holds, and a document timestamp if it is to be stamped."""
        self._request.check()
        if is_stamped:
            call = msgspec.structs.replace(call, contents_bytes=self._engine.require_timestamper().timestamp_bytes_max)
        reply = await self._archiving.workers.extend(call)
        self._times = replace(self._times, document_s=self._times.document_s + reply.document_s)
        update = reply.update
        if is_stamped:
            update = await self._stamped(PreparedUpdate(reply.update, reply.contents_offset, reply.contents_digits))
            self._field_name = reply.field_name
        self._content += update

    async def _stamped(self, prepared: PreparedUpdate) -> bytes:
        """The update with its timestamp, over every byte but the timestamp's own."""
        check(len(self._content), prepared)
        imprint = byte_range_digest(hashlib.sha256(self._content), self._content, prepared, DigestAlgorithm.SHA256)
        self._request.check()
        started_s = self._request.clock_s()
        stamp = await stamp_patiently(self._engine, self._request, imprint, DigestAlgorithm.SHA256)
        self._times = replace(self._times, timestamp_s=self._times.timestamp_s + self._request.clock_s() - started_s)
        self._timestamp_time = stamp.gen_time
        return splice(prepared, stamp.timestamp)

    async def _release(self, attempt: int) -> ExtendedDocument:
        appended = self._content[self._source_bytes :]
        material = Extended(appended, self._timestamp_time, self._field_name, hashlib.sha256(self._content).digest())
        started_s = self._request.clock_s()
        outcome = Outcome(self._key, attempt, OutcomeKind.RELEASED, encode(material), hashlib.sha256(appended).digest())
        await self._engine.ledger.settle([outcome])
        times = replace(self._times, journal_s=self._request.clock_s() - started_s)
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


def _encoded(answers: Sequence[Answer], kind: AnswerKind) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(answer.encoded for answer in answers if answer.kind is kind))
