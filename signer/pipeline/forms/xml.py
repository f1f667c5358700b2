"""XML: a document worker says where a signature goes and digests what it signs; the signature is built here (`formats.xml`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from signer.documents.wire import ExaminedXmlReply, ExamineXmlCall, FindSlotCall
from signer.errors import InternalError, SignerError
from signer.formats.insertions import Additions
from signer.formats.xml.identity import object_id
from signer.formats.xml.template import XmlProfile
from signer.formats.xml.values import Examined, PreparedXml
from signer.model import Packaging, XadesOptions
from signer.pipeline.forms.form import Arrived, Preparation, Signer
from signer.pipeline.forms.templates import Templates
from signer.pipeline.record_slots import slots_to_sign
from signer.records.calendar import vietnamese_day
from signer.records.examination import Expectation
from signer.records.register import SignedSlot
from signer.telemetry.metrics import Reading

if TYPE_CHECKING:
    from signer.pipeline.lot import Lot

_DEFAULTS = XadesOptions()


class XmlPrepared(msgspec.Struct, frozen=True, array_like=True, tag="xml"):
    """A signature but for its value, and what it says of itself."""

    signature: PreparedXml
    profile: XmlProfile

    @property
    def to_be_signed(self) -> bytes:
        """SignedInfo, canonical."""
        return self.signature.to_be_signed

    def stamped_bytes(self, signature: bytes) -> bytes:
        """SignatureValue, canonical (EN 319 132-1 5.3)."""
        return self.signature.stamped_bytes(signature)

    def additions(self, templates: Templates, signer: Signer, signature: bytes, timestamp: bytes | None) -> Additions:
        """The Signature element in its place, or alone."""
        return templates.xml(signer, self.profile).additions(self.signature, signature, timestamp)


class XadesForm:
    """`Form` of PROFILE_XADES."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[XmlPrepared] | SignerError]:
        """Examined by document workers, built here."""
        options = lot.plan.options if isinstance(lot.plan.options, XadesOptions) else _DEFAULTS
        calls = [
            ExamineXmlCall(
                document=each.document.content,
                options=options,
                digest_algorithm=lot.plan.algorithm.digest,
                name=each.document.name if lot.plan.signs_names else "",
            )
            for each in arrived
        ]
        replies = await lot.engine.require_xml().examine_xml(calls)
        asked_for = [_as_asked(call, reply) for call, reply in zip(calls, replies, strict=True)]
        return [_built(lot, each, reply, XmlProfile.XADES) for each, reply in zip(arrived, asked_for, strict=True)]


class MinistryForm:
    """`Form` of PROFILE_MINISTRY_XML: the slot of the plan's role, in whichever layout the record has."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[XmlPrepared] | SignerError]:
        """Found by document workers in records that are fit, built here."""
        records, plan = lot.engine.records, lot.plan.record
        if records is None or plan is None:
            raise InternalError("records are signed by a plan that names a role, where layouts are known")
        code = records.schools.code_of(lot.request.school_id)
        expectation = Expectation(plan, code, vietnamese_day(lot.signing_time))
        trust, now = records.trust(), lot.signing_time.isoformat()
        calls = [FindSlotCall(document=each.document.content, expectation=expectation, trust=trust, now=now) for each in arrived]
        replies = await lot.engine.require_xml().examine_xml(calls)
        slots = await slots_to_sign(records.register, lot, replies)
        return [_in_slot(lot, each, reply, slot) for each, reply, slot in zip(arrived, replies, slots, strict=True)]


def _in_slot(
    lot: Lot, arrived: Arrived, reply: ExaminedXmlReply | SignerError, slot: SignedSlot | SignerError | None
) -> Preparation[XmlPrepared] | SignerError:
    if isinstance(slot, SignerError):
        return slot
    built = _built(lot, arrived, reply, XmlProfile.MINISTRY)
    return built if isinstance(built, SignerError) else replace(built, slot=slot)


def _as_asked(call: ExamineXmlCall, reply: ExaminedXmlReply | SignerError) -> ExaminedXmlReply | SignerError:
    """The reply, if it references what was asked for and nothing else."""
    if isinstance(reply, SignerError):
        return reply
    uris = [reference.uri for reference in reply.examined.references]
    if uris == [_uri(call, reply.examined)] and reply.examined.canonicalization == call.options.canonicalization:
        return reply
    return InternalError("a document worker's answer references something else than was asked for; the document was not signed")


def _uri(call: ExamineXmlCall, examined: Examined) -> str:
    match call.options.packaging:
        case Packaging.ENVELOPED:
            return f"#{call.options.reference_id}" if call.options.reference_id else ""
        case Packaging.ENVELOPING:
            return f"#{object_id(examined.id)}"
        case Packaging.DETACHED:
            return quote(call.name)


def _built(
    lot: Lot, arrived: Arrived, reply: ExaminedXmlReply | SignerError, profile: XmlProfile
) -> Preparation[XmlPrepared] | SignerError:
    if isinstance(reply, SignerError):
        return reply
    reading = Reading.TEXTS if reply.is_alike else Reading.WHOLE
    lot.engine.metrics.xml_examined.labels(reading=reading.value).inc()
    template = lot.engine.templates.xml(lot.plan.signer, profile)
    try:
        prepared = template.prepare(arrived.document.content, reply.examined, lot.signing_time)
    except SignerError as error:
        return error
    return Preparation(XmlPrepared(prepared, profile), reply.document_s)
