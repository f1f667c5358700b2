"""Raising a signed PDF to a level (EN 319 142-1 6.3), the part between ids and journal; no signer's key is near.

 a. examine               a document worker verifies all signatures and says what is missing
 b. B-T                   a signature without a proven time gets a document timestamp after it; then step a again. A timestamp inside the
                          signature itself would change bytes that are there, and that later signatures cover
 c. B-LT                  the status of every certificate, from whoever issued it; certificates and answers go into a DSS
 d. B-LTA                 and a document timestamp over all of it, in the same update; also where one is there already: a renewal

Rules:
- Each addition is an update; none changes a byte before it.
- The level is given or the document fails, with nothing handed out: without the status of every certificate it is no B-LT.
- Whose addresses are called is decided here: a worker's path counts for nothing until it was verified anew, up to a configured anchor.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import DigestAlgorithm
from signer.documents.wire import Chain, ExamineCall, ExaminedReply, ExtendCall, Trust
from signer.errors import InternalError
from signer.formats.pades.update import PreparedUpdate, byte_range_digest, check, splice
from signer.formats.status.answer import Answer, AnswerKind
from signer.formats.status.loading import load_all
from signer.formats.status.path import Path, verified_path
from signer.formats.status.question import Question
from signer.model import Level
from signer.pipeline.engine import Engine
from signer.pipeline.request import Request
from signer.pipeline.stamping import answer_by_s, stamp_patiently

_CHAINS_MAX: Final = 512
"""Signatures and timestamps of one document: more than `validation.pdf.SIGNATURES_MAX` with a timestamp each."""


class Raising:
    """One document on its way up. `run` once; then the rest says what was made.

    content: the whole document, as far as it is raised. timestamp_time, field_name: of the last document timestamp added. document_s,
    timestamp_s: where the time went.
    """

    def __init__(self, engine: Engine, request: Request, level: Level, content: bytes) -> None:
        self.content = content
        self.timestamp_time: datetime | None = None
        self.field_name = ""
        self.document_s = 0.0
        self.timestamp_s = 0.0
        self._engine = engine
        self._request = request
        self._level = level
        self._doors = engine.require_archive()
        self._source_bytes = len(content)

    @property
    def appended(self) -> bytes:
        """What follows the document as it came; empty when it had the level."""
        return self.content[self._source_bytes :]

    async def run(self) -> None:
        """All steps. Raises what the doors raise, VerificationFailed, and why the request must not go on."""
        found = await self._examine()
        if found.lacks_timestamp:
            await self._add(ExtendCall(document=self.content), is_stamped=True)
            if self._level is Level.B_T:
                return
            found = await self._examine()
        if self._level is Level.B_T or (found.is_complete and self._level is Level.B_LT):
            return
        await self._add(await self._validation_data(found), is_stamped=self._level is Level.B_LTA)

    async def _examine(self) -> ExaminedReply:
        self._request.check()
        with_chains = self._level is not Level.B_T
        now = self._engine.utc_now().isoformat()
        call = ExamineCall(document=self.content, trust=self._doors.trust, now=now, with_chains=with_chains)
        found = await self._doors.workers.examine(call)
        self.document_s += found.document_s
        if len(found.chains) > _CHAINS_MAX:
            raise InternalError(f"a document worker found {len(found.chains)} chains")
        return found

    async def _validation_data(self, found: ExaminedReply) -> ExtendCall:
        """Step c: every certificate, and an answer about each that the document holds none for."""
        if found.is_complete:
            return ExtendCall(document=self.content)
        certificates: dict[bytes, None] = {}
        missing: dict[tuple[bytes, bytes], Question] = {}
        for chain in found.chains:
            path = path_of(chain, self._doors.trust)
            certificates.update(dict.fromkeys(each.public_bytes(Encoding.DER) for each in path.certificates))
            missing |= {asked.key: asked for asked, has in zip(path.questions, chain.covered, strict=True) if not has}
        self._request.check()
        deadline_s = answer_by_s(self._request)
        answers = await asyncio.gather(*(self._doors.status.answer(question, deadline_s) for question in missing.values()))
        return ExtendCall(
            document=self.content,
            certificates=tuple(certificates),
            ocsps=_encoded(answers, AnswerKind.OCSP),
            crls=_encoded(answers, AnswerKind.CRL),
        )

    async def _add(self, call: ExtendCall, *, is_stamped: bool) -> None:
        """One update: what the call holds, and a document timestamp if it is to be stamped."""
        self._request.check()
        if is_stamped:
            call = msgspec.structs.replace(call, contents_bytes=self._engine.require_timestamper().timestamp_bytes_max)
        reply = await self._doors.workers.extend(call)
        self.document_s += reply.document_s
        update = reply.update
        if is_stamped:
            update = await self._stamped(PreparedUpdate(reply.update, reply.contents_offset, reply.contents_digits))
            self.field_name = reply.field_name
        self.content += update

    async def _stamped(self, prepared: PreparedUpdate) -> bytes:
        """The update with its timestamp, over every byte but the timestamp's own."""
        check(len(self.content), prepared)
        imprint = byte_range_digest(hashlib.sha256(self.content), self.content, prepared, DigestAlgorithm.SHA256)
        self._request.check()
        started_s = self._request.clock_s()
        stamp = await stamp_patiently(self._engine, self._request, imprint, DigestAlgorithm.SHA256)
        self.timestamp_s += self._request.clock_s() - started_s
        self.timestamp_time = stamp.gen_time
        return splice(prepared, stamp.timestamp)


def path_of(chain: Chain, trust: Trust) -> Path:
    """A worker's chain, verified anew; VerificationFailed unless it leads to an anchor."""
    try:
        certificates = [x509.load_der_x509_certificate(each) for each in chain.certificates]
        at = datetime.fromisoformat(chain.at)
    except ValueError as error:
        raise InternalError("a document worker's chain can't be read") from error
    if at.utcoffset() is None or len(chain.covered) != len(certificates) - 1:
        raise InternalError("a document worker's chain has a time without a zone, or another number of answers than questions")
    anchors = trust.timestamping if chain.is_timestamp else trust.signing
    return verified_path(certificates, load_all(anchors), at, configured=load_all(trust.intermediates))


def _encoded(answers: Sequence[Answer], kind: AnswerKind) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(answer.encoded for answer in answers if answer.kind is kind))
