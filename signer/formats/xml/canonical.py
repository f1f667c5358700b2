"""Canonical octets of an element as it stands in its document.

lxml canonicalises documents rightly, but elements inside of them in part:
- where a default namespace is in scope, inclusive C14N writes `xmlns=""` into grandchildren (lxml 6.1). Such an element is made a document
  of its own first, by serialising it with its namespaces and reading it again;
- attributes of the xml namespace on ancestors, which C14N 1.0 and 1.1 inherit, are left out. They are put into the start tag here. C14N 1.1
  differs from 1.0 in nothing else but `xml:base`, which would have to be joined over the ancestors: refused.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Final

from lxml import etree

from signer.errors import DocumentUnsupported, InternalError
from signer.formats.xml.markup import escape_value, is_inherited
from signer.formats.xml.names import XML, Canonicalization
from signer.formats.xml.reading import PARSER, Element
from signer.formats.xml.values import Surroundings

_START_TAG: Final = re.compile(rb'<([^\s>]+)((?: [^\s=>]+="[^"]*")*)>')
_ATTRIBUTE: Final = re.compile(rb' ([^\s=>]+)="([^"]*)"')
_XML_PREFIX: Final = f"{{{XML}}}"


def canonicalize(element: Element, canonicalization: Canonicalization, *, with_comments: bool = False) -> bytes:
    """The canonical octets of an element with all below it. DocumentUnsupported for what has no canonical form."""
    octets = _octets(_alone(element, canonicalization), canonicalization, with_comments=with_comments)
    inherited = [each for each in inherited_attributes(element.getparent(), canonicalization) if element.get(_XML_PREFIX + each[0]) is None]
    return _with_attributes(octets, element, inherited) if inherited else octets


def canonicalize_document(root: Element, canonicalization: Canonicalization, *, with_comments: bool = False) -> bytes:
    """The canonical octets of a whole document, with the processing instructions around its root. Raises as `canonicalize`."""
    return _octets(root.getroottree(), canonicalization, with_comments=with_comments)


def without(target: Element | None, removed: Element) -> Element | None:
    """The same element (None: the root) in a copy of its document that lacks `removed`, as the enveloped-signature transform has it.

    None when `removed` is the element itself.
    """
    tree = removed.getroottree()
    copy = deepcopy(tree)
    gone = _at(copy, tree.getelementpath(removed))
    found = copy.getroot() if target is None else _at(copy, tree.getelementpath(target))
    parent = gone.getparent()
    if parent is None or found is gone:
        return None
    if gone.tail:
        before = gone.getprevious()
        if before is None:
            parent.text = (parent.text or "") + gone.tail
        else:
            before.tail = (before.tail or "") + gone.tail
        gone.tail = None
    parent.remove(gone)
    return found


def surroundings_of(element: Element) -> Surroundings:
    """What canonical forms of the element's children inherit."""
    namespaces = tuple((prefix or "", uri) for prefix, uri in element.nsmap.items() if uri)
    return Surroundings(namespaces, tuple(_xml_attributes(element).items()))


def inherited_attributes(parent: Element | None, canonicalization: Canonicalization) -> list[tuple[str, str]]:
    """Attributes of the xml namespace that a child of `parent` inherits: local name and value.

    Raises DocumentUnsupported where C14N 1.1 would have to join `xml:base`.
    """
    if canonicalization.is_exclusive or parent is None:
        return []
    found = _xml_attributes(parent)
    if canonicalization is Canonicalization.C14N_11 and "base" in found:
        raise DocumentUnsupported("xml:base above what is signed, with C14N 1.1: sign with C14N 1.0, or remove xml:base")
    return [(name, value) for name, value in found.items() if is_inherited(name, canonicalization)]


def _xml_attributes(element: Element) -> dict[str, str]:
    """By local name, of the element and above it; the nearest counts."""
    found: dict[str, str] = {}
    above: Element | None = element
    while above is not None:
        if above.attrib:
            for name, value in above.items():
                if str(name).startswith(_XML_PREFIX):
                    found.setdefault(str(name).removeprefix(_XML_PREFIX), str(value))
        above = above.getparent()
    return found


def _alone(element: Element, canonicalization: Canonicalization) -> Element:
    """The element itself, or a copy of it as a root where namespaces are in scope that its canonical form shows."""
    is_document = element.getparent() is None and element.getprevious() is None and element.getnext() is None
    if canonicalization.is_exclusive or is_document or not element.nsmap:
        return element
    return etree.fromstring(etree.tostring(element, encoding="utf-8", with_tail=False), PARSER)


def _octets(node: Element | etree._ElementTree, canonicalization: Canonicalization, *, with_comments: bool) -> bytes:
    try:
        octets: bytes = etree.tostring(
            node, method="c14n", exclusive=canonicalization.is_exclusive, with_comments=with_comments, with_tail=False
        )
    except etree.C14NError as error:
        raise DocumentUnsupported("the XML has no canonical form: a namespace's name is a relative address") from error
    return octets


def _with_attributes(octets: bytes, element: Element, inherited: list[tuple[str, str]]) -> bytes:
    tag = _START_TAG.match(octets)
    if tag is None:
        raise DocumentUnsupported("the start tag of what is signed can't be read")
    namespaces: list[bytes] = []
    attributes: dict[tuple[str, str], bytes] = {}
    for found in _ATTRIBUTE.finditer(tag[2]):
        prefix, _, local = found[1].decode().rpartition(":")
        if prefix == "xmlns" or (not prefix and local == "xmlns"):
            namespaces.append(found[0])
        else:
            attributes[XML if prefix == "xml" else element.nsmap[prefix] if prefix else "", local] = found[0]
    for local, value in inherited:
        attributes[XML, local] = f' xml:{local}="{escape_value(value)}"'.encode()
    ordered = (text for _key, text in sorted(attributes.items()))
    return b"<%s%s%s>%s" % (tag[1], b"".join(namespaces), b"".join(ordered), octets[tag.end() :])


def _at(tree: etree._ElementTree, path: str) -> Element:
    found: Element | None = tree.find(path)
    if found is None:
        raise InternalError("a copy of the document lacks an element that the document has")
    return found
