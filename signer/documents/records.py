"""A worker's look at one record: what is wrong with it, before any key is used, and where it is signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from signer.documents.anchors import anchors
from signer.documents.record_judge import RecordJudge, flaw_of
from signer.documents.wire import CheckedRecordReply, CheckRecordCall, ExaminedXmlReply, FindSlotCall
from signer.formats.xml.alike.apart import Apart
from signer.formats.xml.alike.learning import Marked
from signer.formats.xml.alike.memory import Memory
from signer.formats.xml.alike.parts import PartsOfDocument
from signer.formats.xml.alike.pattern import Pattern, pattern_of
from signer.formats.xml.examine import examine as examine_xml
from signer.formats.xml.reading import Element, read
from signer.formats.xml.search import Finder
from signer.formats.xml.values import Examined
from signer.model import SlotRequest
from signer.records.alike import RecordPattern, compared_names, record_pattern
from signer.records.examination import Examination, Expectation, SlotVerdict, examine, slot_to_sign
from signer.records.layout import Layout
from signer.records.pdf_rules import PdfSignature, pdf_findings, pdf_standings
from signer.records.plan_rules import OWN_SLOTS
from signer.records.reading import Identity
from signer.validation.content import DocumentKind, recognise
from signer.validation.pdf import verify_pdf
from signer.validation.report import SignatureKind
from signer.validation.xml_alike import SignaturePattern, signature_pattern


def check_record(call: CheckRecordCall, layouts: tuple[Layout, ...]) -> CheckedRecordReply:
    """Everything wrong with it; raises a leaf of DocumentError for what can't be read at all."""
    started_s = perf_counter()
    examination = _examine_pdf(call) if recognise(call.document) is DocumentKind.PDF else _examine_xml(call, layouts)
    return CheckedRecordReply(
        layout_id=examination.layout_id,
        identity=examination.identity,
        slots=examination.slots,
        findings=examination.findings,
        document_s=perf_counter() - started_s,
    )


def _examine_xml(call: CheckRecordCall, layouts: tuple[Layout, ...]) -> Examination:
    finder = Finder(read(call.document))
    return examine(finder, call.expectation, layouts, RecordJudge(finder, call.trust, call.now))


def _examine_pdf(call: CheckRecordCall) -> Examination:
    report = verify_pdf(call.document, anchors(call.trust), datetime.fromisoformat(call.now))
    signatures = [PdfSignature(each.name, flaw_of(each), each.signer) for each in report.signatures if each.kind is SignatureKind.SIGNATURE]
    own = OWN_SLOTS[call.expectation.plan.role]
    return Examination(slots=pdf_standings(signatures), findings=tuple(pdf_findings(signatures, own)))


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """Records of one markup, for one expectation. fixed: texts that they have in common. earlier: signatures that must stand in them."""

    fixed: tuple[tuple[int, bytes], ...]
    record: RecordPattern
    earlier: tuple[SignaturePattern, ...]
    signature: Pattern


@dataclass(frozen=True, slots=True)
class _Located:
    """Where a record is signed."""

    examined: Examined
    identity: Identity
    layout_id: str


def find_slot(call: FindSlotCall, layouts: tuple[Layout, ...], known: Memory[KnownRecords]) -> ExaminedXmlReply:
    """Where a fit record takes its signature; raises RecordUnfit, or a leaf of DocumentError for what can't be read at all.

    known: what was learnt of records like it, and will be.
    """
    started_s = perf_counter()
    found, is_alike = known.ask(
        call.document,
        call.expectation,
        fill=lambda like, document: _fill(like, document, call),
        read=lambda: _find_slot(call, layouts),
        learn=lambda document: _learn(document, call.expectation, layouts),
    )
    return ExaminedXmlReply(
        examined=found.examined,
        identity=found.identity,
        layout_id=found.layout_id,
        document_s=perf_counter() - started_s,
        is_alike=is_alike,
    )


def _find_slot(call: FindSlotCall, layouts: tuple[Layout, ...]) -> _Located:
    finder = Finder(read(call.document))
    request, found = slot_to_sign(finder, call.expectation, layouts, RecordJudge(finder, call.trust, call.now))
    return _Located(examine_xml(finder, request), found.identity, found.layout_id)


def _learn(document: Apart, expectation: Expectation, layouts: tuple[Layout, ...]) -> KnownRecords | None:
    """From a fit record, whose earlier signatures stand."""
    marked = Marked(document, compared_names(layouts))
    earlier: list[SignaturePattern | None] = []

    def judge(signature: Element, _request: SlotRequest) -> SlotVerdict:
        earlier.append(signature_pattern(marked, signature))
        return SlotVerdict(None)

    record = record_pattern(marked, expectation, layouts, judge)
    signature = pattern_of(marked, record.request.place, examine_xml(marked.finder, record.request)) if record else None
    learnt = tuple(each for each in earlier if each)
    if record is None or signature is None or len(learnt) < len(earlier):
        return None
    fixed = dict([*marked.fixed, *(pair for each in learnt for pair in each.fixed)])
    return KnownRecords(tuple(fixed.items()), record, learnt, signature)


def _fill(like: KnownRecords, document: Apart, call: FindSlotCall) -> _Located | None:
    if any(document.texts[number] != text for number, text in like.fixed):
        return None
    identity = like.record.identity(document.texts, call.expectation)
    parts = PartsOfDocument(document)
    if identity is None or (like.earlier and not _stand(like.earlier, parts, call)):
        return None
    return _Located(like.signature.fill(document, parts), identity, like.record.layout.id)


def _stand(signatures: tuple[SignaturePattern, ...], parts: PartsOfDocument, call: FindSlotCall) -> bool:
    trust, now = anchors(call.trust), datetime.fromisoformat(call.now)
    return all(each.stands(parts, trust, now) for each in signatures)
