"""What a signature needs to know of documents that are alike: `values.Examined`, but for what their texts decide."""

from __future__ import annotations

from dataclasses import dataclass

from signer.formats.xml.alike.apart import Apart
from signer.formats.xml.alike.learning import Marked
from signer.formats.xml.alike.parts import Part, PartsOfDocument
from signer.formats.xml.identity import signature_id
from signer.formats.xml.search import lengthened
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

    def fill(self, document: Apart, parts: PartsOfDocument) -> Examined:
        """The same of another document with that markup. parts: that document's."""
        references = tuple(
            Reference(known.uri, known.transforms, known.digest_algorithm, parts.digest(part, known.digest_algorithm), known.mime_type)
            for known, part in zip(self.examined.references, self.parts, strict=True)
        )
        return Examined(
            lengthened(signature_id(self.path, references), lambda id_: id_.encode() in document.content),
            self.examined.canonicalization,
            references,
            self.examined.surroundings,
            Place(document.offset_of(self.place_tag) + self.place_bytes, self.examined.place.tag if self.examined.place else ""),
        )


def pattern_of(marked: Marked, path: str, examined: Examined) -> Pattern | None:
    """What was found in a document with marks, ready for others; None for what can't be.

    path: of the place. examined: what `examine` found in it.
    """
    place = examined.place
    if place is None or place.end:
        return None
    start = place.offset if marked.content.startswith(b"<", place.offset) else marked.content.rindex(b"<", 0, place.offset)
    parts = tuple(marked.parts.digested(each.digest) for each in examined.references)
    return Pattern(examined, path, parts, marked.content.count(b"<", 0, start), place.offset - start)
