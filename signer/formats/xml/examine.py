"""What a signature needs to know of a stranger's document, found and digested in a document worker."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Final

from lxml import etree

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentLocked, DocumentUnsupported, FieldAlreadySigned, InvalidArgument
from signer.formats.xml.canonical import canonicalize, surroundings_of
from signer.formats.xml.identity import object_id, signature_id
from signer.formats.xml.names import CANONICALIZATIONS, DS, ENVELOPED_SIGNATURE, TYPE_OBJECT, Canonicalization
from signer.formats.xml.place import place_around_root, place_inside
from signer.formats.xml.reading import Element, XmlDocument
from signer.formats.xml.search import SIGNATURE, Finder, is_id, is_within
from signer.formats.xml.values import Examined, Reference
from signer.model import SlotRequest, XmlReference

_REFERENCE: Final = f"{{{DS}}}SignedInfo/{{{DS}}}Reference"


def examine(finder: Finder, request: SlotRequest, *, alone: bool = True) -> Examined:
    """Find the place for an enveloped signature, and digest what it signs.

    Args:
        finder: over the document, as `reading.read` returned it.
        request: a reference whose uri is empty signs the whole document but for the signature, so its first transform must be
            enveloped-signature; one without a target resolves to whichever element has the Id.
        alone: whether the place takes one signature only, as a record's slot does.

    Raises:
        InvalidArgument: place, target, canonicalisation or transform is none that is known here.
        FieldAlreadySigned: the place holds a signature already.
        DocumentUnsupported: the place or a target isn't there, or a referenced Id is there twice; or a style sheet is named.
        DocumentLocked: an earlier signature covers the place, and would be broken.
    """
    _require_no_style_sheet(finder.document)
    canonicalization(request.canonicalization, "canonicalization")
    place = finder.one_by_path(request.place, "place")
    if alone and any(True for _ in place.iterchildren(SIGNATURE)):
        raise FieldAlreadySigned(f"{request.place} holds a signature already; a slot takes one", place=request.place)
    _require_uncovered(finder, place)
    references = _Digester(finder, place).references(request.references)
    id_ = finder.free_id(signature_id(request.place, references))
    return Examined(id_, request.canonicalization, references, surroundings_of(place), place_inside(finder.document, place))


def examine_enveloping(document: XmlDocument, canonicalization_uri: str, digest_algorithm: DigestAlgorithm) -> Examined:
    """Make the document's root the content of an Object, and digest that.

    Raises:
        InvalidArgument: the canonicalisation is none that is known here.
        DocumentUnsupported: it names a style sheet, or has no canonical form.
    """
    _require_no_style_sheet(document)
    method = canonicalization(canonicalization_uri, "canonicalization")
    digest = _digest_enveloped(document.root, "", method, digest_algorithm)
    id_ = Finder(document).free_id(signature_id(TYPE_OBJECT, (Reference("", (), digest_algorithm, digest),)))
    digest = _digest_enveloped(document.root, object_id(id_), method, digest_algorithm)
    reference = Reference(f"#{object_id(id_)}", (canonicalization_uri,), digest_algorithm, digest)
    return Examined(id_, canonicalization_uri, (reference,), place=place_around_root(document))


def _digest_enveloped(root: Element, id_: str, method: Canonicalization, algorithm: DigestAlgorithm) -> bytes:
    envelope = etree.Element(f"{{{DS}}}Object", {"Id": id_}, nsmap={"ds": DS})
    envelope.append(deepcopy(root))
    return hashlib.new(algorithm.value, canonicalize(envelope, method)).digest()


def canonicalization(uri: str, field: str) -> Canonicalization:
    """By its URI; InvalidArgument, naming `field`, for one that is not known here."""
    found = CANONICALIZATIONS.get(uri)
    if found is None:
        raise InvalidArgument(f"unknown canonicalisation; known are {', '.join(CANONICALIZATIONS)}", field=field)
    return found


def covered_by(finder: Finder, uri: str) -> list[Element] | None:
    """The elements that a reference's URI may mean; None when it means none here. Generous: asked what may be harmed."""
    if uri == "":
        return [finder.root]
    if not uri.startswith("#"):
        return None
    if uri.startswith("#xpointer(id("):
        return finder.by_id(uri[len("#xpointer(id(") :].strip("'\")"))
    return [finder.root] if uri.startswith("#xpointer(") else finder.by_id(uri[1:])


def _require_no_style_sheet(document: XmlDocument) -> None:
    if document.has_style_sheet:
        raise DocumentUnsupported("the XML names a style sheet, which decides what its readers see; send it without xml-stylesheet")


def _require_uncovered(finder: Finder, place: Element) -> None:
    """Also not inside of another signature, whose own parts are signed by it in ways of its own."""
    for signature in finder.signatures():
        if is_within(place, signature):
            raise DocumentLocked("that place is inside an earlier signature; name one outside of it")
        for reference in signature.iterfind(_REFERENCE):
            covered = covered_by(finder, reference.get("URI", ""))
            if covered is not None and any(is_within(place, each) for each in covered):
                raise DocumentLocked("an earlier signature covers that place, and another one there would break it; name one outside of it")


class _Digester:
    """Digests what a new signature references."""

    def __init__(self, finder: Finder, place: Element) -> None:
        self._finder = finder
        self._place = place

    def references(self, wanted: tuple[XmlReference, ...]) -> tuple[Reference, ...]:
        if not wanted:
            raise InvalidArgument("at least one reference is needed", field="references")
        return tuple(self._reference(each) for each in wanted)

    def _reference(self, wanted: XmlReference) -> Reference:
        enveloped = ENVELOPED_SIGNATURE in wanted.transforms[:1]
        rest = wanted.transforms[1:] if enveloped else wanted.transforms
        if len(rest) > 1:
            raise InvalidArgument("a reference takes enveloped-signature and one canonicalisation at most", field="transforms")
        method = canonicalization(rest[0], "transforms") if rest else Canonicalization.C14N_10
        element = self._element(wanted)
        if is_within(self._place, element) and not enveloped:
            raise InvalidArgument("the signature would stand inside what it signs, without enveloped-signature", field="transforms")
        digest = self._finder.digests.of_element if wanted.uri else self._finder.digests.of_document
        algorithm = wanted.digest_algorithm
        return Reference(wanted.uri, wanted.transforms, algorithm, digest(element, method, algorithm))

    def _element(self, wanted: XmlReference) -> Element:
        if not wanted.uri:
            return self._finder.root
        value = wanted.uri[1:]
        if not wanted.uri.startswith("#") or not is_id(value):
            raise InvalidArgument("a reference is empty for the document, or # and an Id of letters, digits, '.', '-' and '_'", field="uri")
        if not wanted.target:
            return self._finder.one_by_id(value)
        target = self._finder.one_by_path(wanted.target, "target")
        if not self._finder.has_id(target, value):
            raise DocumentUnsupported(f"{wanted.target} is not the one element with the Id {value!r}", id=value)
        return target
