"""A document with marks for its texts, parsed: what is found in it is found in every document of its markup."""

from __future__ import annotations

from functools import cached_property

from signer.errors import DocumentUnsupported
from signer.formats.xml.alike.apart import Apart, number_of, with_marks
from signer.formats.xml.alike.parts import KeptParts
from signer.formats.xml.reading import Element, read
from signer.formats.xml.search import Finder


class Marked:
    """document: the one that has the texts. content: the same with marks. finder: over that. parts: of it, as they are digested.

    kept: names of elements whose texts are there. fixed: these texts, by their numbers: what is found depends on them too.
    """

    def __init__(self, document: Apart, kept: frozenset[str] = frozenset()) -> None:
        """Raises a leaf of DocumentError where there can't be marks."""
        self.document = document
        self.kept = kept
        self.content, left = with_marks(document, {each.encode() for each in kept})
        self.fixed = tuple((number, document.texts[number]) for number in left)
        self.parts = KeptParts(len(document.texts))
        self.finder = Finder(read(self.content), self.parts)

    @cached_property
    def original(self) -> Finder:
        """Over the document that has the texts."""
        return Finder(read(self.document.content))

    def in_original(self, element: Element) -> Element:
        """The same element there."""
        return self._twins[0][element]

    def in_marked(self, element: Element) -> Element:
        """The same element here."""
        return self._twins[1][element]

    @cached_property
    def _twins(self) -> tuple[dict[Element, Element], dict[Element, Element]]:
        pairs = list(zip(self.finder.root.iter(), self.original.root.iter(), strict=True))
        return dict(pairs), {original: marked for marked, original in pairs}


def text_number(element: Element) -> int:
    """Which text an element of a document with marks has. DocumentUnsupported for one with more than a text in it."""
    number = None if len(element) else number_of(element.text or "")
    if number is None:
        raise DocumentUnsupported("an element that should have a text alone has something else")
    return number
