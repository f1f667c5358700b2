"""ValidationService's work: signed documents judged, and certificates that are to sign.

 1. a document worker verifies every signature, by the document and the configured CAs alone
 2. chains are verified anew here: only addresses in certificates that a believed CA vouches for are called, never one that a document
    brings along
 3. certificates whose status the document does not hold are asked about, unless the caller wants none of that
 4. what that means for each signature (`validation.revocation`)

No key is used and nothing is journalled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from signer.documents.wire import Trust, VerifiedReply, VerifyCall
from signer.errors import CertificateRevoked, CertificateStatusUnavailable, VerificationFailed
from signer.formats.status.loading import load_all
from signer.formats.status.path import verified_path
from signer.formats.status.question import Question
from signer.pipeline.doors import StatusDoor
from signer.validation.report import DocumentReport, RevocationReport, RevocationStatus, SignatureKind, SignatureReport
from signer.validation.revocation import Key, KnownStatus, good, questions, revoked, settle

_QUESTIONS_MAX: Final = 512
_OPEN: Final = KnownStatus(RevocationReport(RevocationStatus.UNKNOWN), was_asked=True)


class Verifier(Protocol):
    """Document workers."""

    async def verify(self, call: VerifyCall) -> VerifiedReply:
        """What every signature is worth; raises a leaf of DocumentError."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How documents are judged. at: None for now. content: what a detached signature signs; None without."""

    at: datetime | None = None
    is_offline: bool = False
    with_record_rules: bool = False
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A report, and the moment it is as of."""

    report: DocumentReport
    at: datetime


class Verification:
    """trust: whom documents are believed under, now. Owned by the event loop."""

    def __init__(self, workers: Verifier, status: StatusDoor, trust: Callable[[], Trust], utc_now: Callable[[], datetime]) -> None:
        self._workers = workers
        self._status = status
        self._trust = trust
        self._utc_now = utc_now

    async def verify(self, document: bytes, manner: Manner, deadline_s: float) -> Judgement:
        """Judges every signature. deadline_s: on the loop's clock.

        Raises a leaf of DocumentError, WorkerUnavailable or DeadlineExceeded.
        """
        at, trust = manner.at or self._utc_now(), self._trust()
        call = VerifyCall(
            document=document, trust=trust, at=at.isoformat(), with_record_rules=manner.with_record_rules, content=manner.content
        )
        found = await self._workers.verify(call)
        known = {(each.certificate, each.issuer): each.known for each in found.embedded}
        if not manner.is_offline:
            known |= await self._ask(found.report, known, trust, deadline_s)
        return Judgement(settle(found.report, known, at), at)

    async def _ask(self, report: DocumentReport, known: dict[Key, KnownStatus], trust: Trust, deadline_s: float) -> dict[Key, KnownStatus]:
        vouched = {question.key for question in _vouched(report, trust)}
        now = self._utc_now()
        missing = [
            question
            for key, (question, _moment) in questions(report).items()
            if key in vouched and key not in known and now <= question.certificate.not_valid_after_utc
        ][:_QUESTIONS_MAX]
        told = await asyncio.gather(*(self._status_of(question, deadline_s) for question in missing))
        return dict(zip((question.key for question in missing), told, strict=True))

    async def _status_of(self, question: Question, deadline_s: float) -> KnownStatus:
        try:
            return good(await self._status.answer(question, deadline_s))
        except CertificateRevoked as said:
            return revoked(said, said.metadata.get("source", ""))
        except CertificateStatusUnavailable:
            names_a_place = bool(question.ocsp_urls or question.crl_urls)
            return _OPEN if names_a_place else KnownStatus(RevocationReport(RevocationStatus.UNKNOWN))


def _vouched(report: DocumentReport, trust: Trust) -> Iterator[Question]:
    """What may be asked about: of chains that lead to an anchor, verified anew, for a worker's word counts for nothing."""
    for signature in report.signatures:
        for certificates, at, anchors in _chains(signature, trust):
            try:
                path = verified_path(load_all(certificates), load_all(anchors), at, configured=load_all(trust.intermediates))
            except (VerificationFailed, ValueError):
                continue
            yield from path.questions


def _chains(signature: SignatureReport, trust: Trust) -> Iterator[tuple[tuple[bytes, ...], datetime, tuple[bytes, ...]]]:
    is_stamp = signature.kind is SignatureKind.DOCUMENT_TIMESTAMP
    if signature.certificates and signature.best_time is not None:
        yield signature.certificates, signature.best_time, trust.timestamping if is_stamp else trust.signing
    stamp = signature.timestamp
    if stamp is not None and stamp.certificates and not is_stamp:
        yield stamp.certificates, stamp.time, trust.timestamping
