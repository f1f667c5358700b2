"""Digests of a document's parts as they stand in it.

The signatures of a record sign the same data over and over: the check of the earlier ones and the new one share what is digested here, so
that each part has its canonical form made once.
"""

from __future__ import annotations

import hashlib

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.canonical import canonicalize, canonicalize_document
from signer.formats.xml.names import Canonicalization
from signer.formats.xml.reading import Element


class Digests:
    """Of one document, which is left as it is. Comments are left out, as references by Id and to the document have it (XMLDSig 4.4.3.3)."""

    def __init__(self) -> None:
        self._known: dict[tuple[Element, bool, Canonicalization, DigestAlgorithm], bytes] = {}

    def of_element(self, element: Element, method: Canonicalization, algorithm: DigestAlgorithm) -> bytes:
        """Of an element with all below it. DocumentUnsupported for what has no canonical form."""
        key = (element, False, method, algorithm)
        if key not in self._known:
            self._known[key] = self.digest(canonicalize(element, method), algorithm)
        return self._known[key]

    def of_document(self, root: Element, method: Canonicalization, algorithm: DigestAlgorithm) -> bytes:
        """Of the whole document, with the processing instructions around its root. Raises as `of_element`."""
        key = (root, True, method, algorithm)
        if key not in self._known:
            self._known[key] = self.digest(canonicalize_document(root, method), algorithm)
        return self._known[key]

    def digest(self, octets: bytes, algorithm: DigestAlgorithm) -> bytes:
        """Of canonical octets."""
        return hashlib.new(algorithm.value, octets).digest()
