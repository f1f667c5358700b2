"""What a signature's references really cover, and whether that is as it was signed (XMLDSig 4.4.3, 3.2.1).

Against wrapping: an Id is looked up in the whole document under every name an Id goes by, and must be there once; elements are compared
with what they are expected to be by where they are, never by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest

from signer.errors import DocumentUnsupported
from signer.formats.xml.canonical import canonicalize, canonicalize_document, without
from signer.formats.xml.names import Canonicalization
from signer.formats.xml.reading import Element
from signer.formats.xml.search import Finder, is_within
from signer.validation.xml_signature import ReferenceParts, SignatureParts


class Standing(Enum):
    """How a reference stands."""

    INTACT = "intact"
    CHANGED = "changed"
    AMBIGUOUS = "ambiguous"
    NOT_FOUND = "not-found"
    NOT_READ = "not-read"


@dataclass(frozen=True, slots=True)
class CoveredReference:
    """element: what it covers; None for what is outside of the document, or isn't found. is_document: the whole of it, from its root."""

    parts: ReferenceParts
    standing: Standing
    element: Element | None = None
    is_document: bool = False


def judge_references(finder: Finder, signature: SignatureParts, detached: bytes | None) -> tuple[CoveredReference, ...]:
    """Every reference of a signature, resolved and digested. detached: what the one reference out of the document is to; None without."""
    outside = sum(1 for each in signature.references if each.uri and not each.uri.startswith("#"))
    return tuple(_judge(finder, signature, each, detached if outside == 1 else None) for each in signature.references)


def _judge(finder: Finder, signature: SignatureParts, parts: ReferenceParts, detached: bytes | None) -> CoveredReference:
    if parts.uri and not parts.uri.startswith("#"):
        return _judge_detached(parts, detached)
    if parts.uri.startswith("#xpointer("):
        return CoveredReference(parts, Standing.NOT_READ)
    found = finder.by_id(parts.uri[1:]) if parts.uri else [finder.root]
    if len(found) != 1:
        return CoveredReference(parts, Standing.AMBIGUOUS if found else Standing.NOT_FOUND)
    (element,) = found
    try:
        digest = _digest(finder, signature, parts, element)
    except DocumentUnsupported:
        return CoveredReference(parts, Standing.NOT_READ, element)
    standing = Standing.INTACT if digest is not None and compare_digest(digest, parts.digest) else Standing.CHANGED
    return CoveredReference(parts, standing, element, is_document=element is finder.root)


def _judge_detached(parts: ReferenceParts, detached: bytes | None) -> CoveredReference:
    if detached is None:
        return CoveredReference(parts, Standing.NOT_FOUND)
    if parts.is_enveloped or parts.method is not None:
        return CoveredReference(parts, Standing.NOT_READ)
    digest = hashlib.new(parts.digest_algorithm.value, detached).digest()
    return CoveredReference(parts, Standing.INTACT if compare_digest(digest, parts.digest) else Standing.CHANGED)


def _digest(finder: Finder, signature: SignatureParts, parts: ReferenceParts, element: Element) -> bytes | None:
    """None when the signature is itself what it takes out. Without comments, whatever the canonicalisation is called (XMLDSig 4.4.3.3)."""
    method = parts.method or Canonicalization.C14N_10
    if not parts.is_enveloped or not is_within(signature.element, element):
        digest = finder.digests.of_element if parts.uri else finder.digests.of_document
        return digest(element, method, parts.digest_algorithm)
    left = without(element, signature.element)
    if left is None:
        return None
    canonical: Callable[[Element, Canonicalization], bytes] = canonicalize if parts.uri else canonicalize_document
    return hashlib.new(parts.digest_algorithm.value, canonical(left, method)).digest()
