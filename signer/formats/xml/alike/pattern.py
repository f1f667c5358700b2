"""What a signature needs to know of documents that are alike: `values.Examined`, but for what their texts decide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from signer.formats.xml.alike.apart import Apart
from signer.formats.xml.alike.parts import KeptOctets, Part
from signer.formats.xml.identity import signature_id
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder, lengthened
from signer.formats.xml.values import Examined, Place, Reference


@dataclass(frozen=True, slots=True)
class Pattern:
    """examined: of the document with marks. path: where its signature goes. parts: what each reference digests.

    place_tag: the number of the tag that the place is in or before. place_bytes: how far behind that tag's start.
    """

    examined: Examined
    path: str
    parts: tuple[Part, ...]
    place_tag: int
    place_bytes: int

    def fill(self, document: Apart) -> Examined:
        """The same of another document with that markup."""
        references = tuple(
            Reference(
                known.uri,
                known.transforms,
                known.digest_algorithm,
                hashlib.new(known.digest_algorithm.value, part.octets(document.texts)).digest(),
                known.mime_type,
            )
            for known, part in zip(self.examined.references, self.parts, strict=True)
        )
        return Examined(
            lengthened(signature_id(self.path, references), lambda id_: id_.encode() in document.content),
            self.examined.canonicalization,
            references,
            self.examined.surroundings,
            Place(document.offset_of(self.place_tag) + self.place_bytes, self.examined.place.tag if self.examined.place else ""),
        )


def finder_with_marks(marked: bytes) -> tuple[Finder, KeptOctets]:
    """Over a document with marks, as over any other; beside it, what it digests."""
    kept = KeptOctets()
    return Finder(read(marked), kept), kept


def pattern_of(marked: bytes, path: str, examined: Examined, kept: KeptOctets) -> Pattern | None:
    """What was found in a document with marks, ready for others; None for what can't be."""
    place = examined.place
    parts = [Part.of(kept.octets[each.digest]) for each in examined.references]
    if place is None or place.end:
        return None
    start = place.offset if marked.startswith(b"<", place.offset) else marked.rindex(b"<", 0, place.offset)
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return Pattern(examined, path, known, marked.count(b"<", 0, start), place.offset - start)
