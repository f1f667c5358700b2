"""A worker's look at XML that takes a XAdES signature: where it goes and what it signs (EN 319 132-1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from urllib.parse import quote

from signer.documents.wire import ExaminedXmlReply, ExamineXmlCall
from signer.formats.xml.alike.learning import Marked
from signer.formats.xml.alike.memory import Memory
from signer.formats.xml.alike.parts import PartsOfDocument
from signer.formats.xml.alike.pattern import Pattern, pattern_of
from signer.formats.xml.detached import examine_detached
from signer.formats.xml.examine import examine, examine_enveloping
from signer.formats.xml.names import ENVELOPED_SIGNATURE
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder, is_within
from signer.formats.xml.values import Examined
from signer.model import Packaging, SlotRequest, XmlReference

_ROOT = "/*"
_PLACE_FIELD = "plan.xades.placement_xpath"


def examine_xml(call: ExamineXmlCall, known: Memory[Pattern]) -> ExaminedXmlReply:
    """Raises InvalidArgument for options that don't fit the document, or a leaf of DocumentError.

    known: what was learnt of documents like it, and will be.
    """
    started_s = perf_counter()
    is_alike = False
    if call.options.packaging is Packaging.ENVELOPED:
        examined, is_alike = known.ask(
            call.document,
            (call.options, call.digest_algorithm),
            fill=lambda like, document: like.fill(document, PartsOfDocument(document)),
            read=lambda: _enveloped(Finder(read(call.document)), call),
            learn=lambda document: _learn(Marked(document), call),
        )
    else:
        examined = _EXAMINE[call.options.packaging](call)
    return ExaminedXmlReply(examined=examined, document_s=perf_counter() - started_s, is_alike=is_alike)


def _learn(marked: Marked, call: ExamineXmlCall) -> Pattern | None:
    return pattern_of(marked, call.options.placement_xpath or _ROOT, _enveloped(marked.finder, call))


def _enveloped(finder: Finder, call: ExamineXmlCall) -> Examined:
    options = call.options
    place = options.placement_xpath or _ROOT
    enveloped = (ENVELOPED_SIGNATURE,) if _stands_inside(finder, place, options.reference_id) else ()
    reference = XmlReference(
        uri=f"#{options.reference_id}" if options.reference_id else "",
        target="",
        digest_algorithm=call.digest_algorithm,
        transforms=(*enveloped, options.canonicalization),
    )
    return examine(finder, SlotRequest(place, (reference,), options.canonicalization), alone=False)


def _stands_inside(finder: Finder, place: str, reference_id: str) -> bool:
    """Whether the signature would stand in what it signs."""
    if not reference_id:
        return True
    return is_within(finder.one_by_path(place, _PLACE_FIELD), finder.one_by_id(reference_id))


def _enveloping(call: ExamineXmlCall) -> Examined:
    return examine_enveloping(read(call.document), call.options.canonicalization, call.digest_algorithm)


def _detached(call: ExamineXmlCall) -> Examined:
    return examine_detached(call.document, quote(call.name), call.digest_algorithm, call.options.canonicalization)


_EXAMINE: Mapping[Packaging, Callable[[ExamineXmlCall], Examined]] = {
    Packaging.ENVELOPING: _enveloping,
    Packaging.DETACHED: _detached,
}
