"""PDF: a document worker proposes the incremental update, the CMS goes into its hole (`formats.pades.update`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from signer.documents.wire import PrepareCall, PreparedReply
from signer.errors import SignerError
from signer.formats.cms.template import CmsTemplate
from signer.formats.insertions import Additions
from signer.formats.pades.update import PreparedUpdate, byte_range_digest, check, splice
from signer.model import Level
from signer.pipeline.forms.cms import CmsPrepared
from signer.pipeline.forms.form import Arrived, Preparation, Signer
from signer.pipeline.forms.record_gate import refusals
from signer.pipeline.forms.templates import Templates
from signer.telemetry.metrics import PreparationPath

if TYPE_CHECKING:
    from signer.pipeline.lot import Lot


class PadesPrepared(CmsPrepared, frozen=True, array_like=True, tag="pades"):
    """update: with its hole still empty (`formats.pades.update.PreparedUpdate`)."""

    update: bytes
    contents_offset: int
    contents_digits: int

    def additions(self, templates: Templates, signer: Signer, signature: bytes, timestamp: bytes | None) -> Additions:
        """The update with its CMS; InternalError when that does not fit the room kept for it."""
        cms = templates.pades(signer).assemble(self.signed_attributes, signature, timestamp=timestamp)
        return Additions(splice(PreparedUpdate(self.update, self.contents_offset, self.contents_digits), cms))


class PadesForm:
    """`Form` of PROFILE_PADES."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[PadesPrepared] | SignerError]:
        """Proposed by document workers, checked here; PDFs of records that must not be signed now are not proposed at all."""
        refused = await refusals(lot, arrived)
        prepared = iter(await self._prepare(lot, [each for each, why in zip(arrived, refused, strict=True) if why is None]))
        return [next(prepared) if why is None else why for why in refused]

    async def _prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[PadesPrepared] | SignerError]:
        template = lot.engine.templates.pades(lot.plan.signer)
        timestamp_bytes = lot.engine.require_timestamper().timestamp_bytes_max if lot.plan.level is not Level.B_B else 0
        contents_bytes = template.size_max(timestamp_bytes)
        calls = [
            PrepareCall(
                document=each.document.content,
                placement=each.document.placement,
                signing_time=lot.signing_time.isoformat(),
                contents_bytes=contents_bytes,
                digest_algorithm=lot.plan.algorithm.digest,
            )
            for each in arrived
        ]
        replies = await lot.engine.preparer.prepare(calls, lot.plan.artwork)
        return [_checked(lot, each, reply, template) for each, reply in zip(arrived, replies, strict=True)]


def _checked(
    lot: Lot, arrived: Arrived, reply: PreparedReply | SignerError, template: CmsTemplate
) -> Preparation[PadesPrepared] | SignerError:
    """Byte range → signed attributes, of an update that signs the whole file."""
    if isinstance(reply, SignerError):
        return reply
    path, fallback = (PreparationPath.COMPLETE, reply.fallback.value) if reply.fallback else (PreparationPath.FAST, "")
    lot.engine.metrics.documents_prepared.labels(path=path.value, fallback=fallback).inc()
    update = PreparedUpdate(reply.update, reply.contents_offset, reply.contents_digits)
    content = arrived.document.content
    try:
        check(len(content), update)
    except SignerError as error:
        return error
    attributes = template.signed_attributes(byte_range_digest(arrived.source, content, update, lot.plan.algorithm.digest))
    prepared = PadesPrepared(attributes, update.update, update.contents_offset, update.contents_digits)
    return Preparation(prepared, reply.document_s)
