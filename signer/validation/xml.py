"""Verify every signature of an XML document: XMLDSig, the Ministry's profile of it, and XAdES B-B and B-T.

One document, in this order:
1. it is parsed behind the same door as for signing, with its bounds (`formats.xml.reading`);
2. each ds:Signature is taken apart strictly (`xml_signature`); one that isn't understood is reported, not skipped;
3. what its references cover is found and digested (`xml_references`), and held against what its slot must sign (`xml_coverage`);
4. the key that made it is looked for among its certificates (`xml_key`), and what it says of itself is read as far as it signs that too
   (`xml_statements`);
5. a timestamp that stands gives the moment (`xml_timestamps`), else the one verified at; the signer's chain is judged then (`chains`).

A signature that stands may cover a part only. What it leaves out may be anything, so the document as a whole is then INDETERMINATE, unless
it is a record whose layout says that this is the part to sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from signer.errors import DocumentTooCostly
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.model import RecordSlot, SlotRequest
from signer.validation.report import Coverage, DocumentReport, Indication, SignatureReport, SlotReport
from signer.validation.trust import TrustAnchors
from signer.validation.xml_verifier import XmlVerifier

SIGNATURES_MAX: Final = 100
"""More than any record has (about 15)."""
_ASTRAY: Final = "the signature stands in none of the record's slots"


@dataclass(frozen=True, slots=True)
class SlotExpectation:
    """A slot of a record, by its layout. request: where its signature stands and what it references. subject_id: for GVBM."""

    slot: RecordSlot
    request: SlotRequest
    subject_id: str = ""


def verify_xml(
    document: bytes,
    trust: TrustAnchors,
    at: datetime | None = None,
    *,
    slots: Sequence[SlotExpectation] = (),
    detached: bytes | None = None,
) -> DocumentReport:
    """Judge every signature of an XML document.

    Args:
        document: the XML.
        trust: whom to believe.
        at: the moment to verify at, aware; None for now.
        slots: those of a record; a signature elsewhere in it does not pass. Empty for other documents.
        detached: what a signature in a file of its own is to; None without.

    Returns:
        A report in which slots' `order_right` is left False: the order is for `records` to judge.

    Raises:
        DocumentError: the document itself can't be read, or has more than SIGNATURES_MAX signatures, or too much is referenced.
        InvalidArgument: `at` has no zone.
    """
    verifier = XmlVerifier(Finder(read(document)), trust, at or datetime.now(UTC), detached)
    signatures = list(verifier.finder.signatures())
    if len(signatures) > SIGNATURES_MAX:
        raise DocumentTooCostly(f"the XML has more than {SIGNATURES_MAX} signatures; verify it in parts", limit=SIGNATURES_MAX)
    places = {place: each for each in slots for place in verifier.finder.by_path(each.request.place, "slots")}
    reports: list[SignatureReport] = []
    found: dict[SlotExpectation, SignatureReport] = {}
    for signature in signatures:
        parent = signature.getparent()
        expectation = None if parent is None else places.get(parent)
        report = verifier.judge(signature, None if expectation is None else expectation.request)
        if expectation is not None:
            report = replace(report, slot=expectation.slot)
            found[expectation] = report
        elif slots:
            report = _astray(report)
        reports.append(report)
    return DocumentReport(
        tuple(reports),
        tuple(_problems(reports, has_style_sheet=verifier.finder.document.has_style_sheet)),
        tuple(_slot(each, found.get(each)) for each in slots),
    )


def _astray(report: SignatureReport) -> SignatureReport:
    if report.indication is not Indication.TOTAL_PASSED:
        return replace(report, problems=(*report.problems, _ASTRAY))
    return replace(
        report, indication=Indication.INDETERMINATE, sub_indication="SIG_CONSTRAINTS_FAILURE", problems=(*report.problems, _ASTRAY)
    )


def _slot(expectation: SlotExpectation, report: SignatureReport | None) -> SlotReport:
    is_right = report is not None and report.coverage is Coverage.DOCUMENT
    return SlotReport(expectation.slot, expectation.subject_id, "" if report is None else report.name, references_right=is_right)


def _problems(reports: Sequence[SignatureReport], *, has_style_sheet: bool) -> Iterator[str]:
    if not reports:
        yield "the document is not signed"
    elif all(each.coverage is not Coverage.DOCUMENT for each in reports):
        yield "no signature covers the whole document"
    if has_style_sheet:
        yield "the document names a style sheet, which decides what its readers see"
