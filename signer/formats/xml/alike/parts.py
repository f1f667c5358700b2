"""The canonical form of a part of documents that are alike: its fixed octets, with a gap for each value."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.alike.apart import Apart, split_at_marks
from signer.formats.xml.canonical import canonicalize
from signer.formats.xml.digests import Digests
from signer.formats.xml.names import Canonicalization
from signer.formats.xml.reading import Element


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """between: what stands before, between and behind the values, canonical. values: the number of each."""

    between: list[bytes]
    values: list[int]

    def octets(self, values: Sequence[bytes]) -> bytes:
        """The canonical form of that part of a document. values: all of that document's."""
        pieces = [b""] * (2 * len(self.values) + 1)
        pieces[0::2] = self.between
        pieces[1::2] = map(values.__getitem__, self.values)
        return b"".join(pieces)


class PartsOfDocument:
    """The parts of one document, each digested once. values: what the marks of documents like it stand for."""

    def __init__(self, document: Apart) -> None:
        self.values = document.values
        self._digests: dict[tuple[Part, DigestAlgorithm], bytes] = {}

    def digest(self, part: Part, algorithm: DigestAlgorithm) -> bytes:
        """Of its canonical form."""
        key = (part, algorithm)
        if key not in self._digests:
            self._digests[key] = hashlib.new(algorithm.value, part.octets(self.values)).digest()
        return self._digests[key]


class KeptParts(Digests):
    """Digests of a document with marks, and the parts that they were made of. texts: how many it has."""

    def __init__(self, texts: int) -> None:
        super().__init__()
        self._texts = texts
        self._parts: dict[bytes, Part] = {}
        self._digested: dict[bytes, bytes] = {}

    def digest(self, octets: bytes, algorithm: DigestAlgorithm) -> bytes:
        """As of any document."""
        digest = super().digest(octets, algorithm)
        self._digested[digest] = octets
        return digest

    def digested(self, digest: bytes) -> Part:
        """What a digest was made of."""
        return self._part(self._digested[digest])

    def element(self, element: Element, method: Canonicalization) -> Part:
        """An element with all below it. DocumentUnsupported for what has no canonical form."""
        return self._part(canonicalize(element, method))

    def _part(self, octets: bytes) -> Part:
        """The same for the same octets: what several signatures cover is digested once."""
        if octets not in self._parts:
            self._parts[octets] = Part(*split_at_marks(octets, self._texts))
        return self._parts[octets]
