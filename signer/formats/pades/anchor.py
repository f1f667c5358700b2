"""The place of a visible signature beside a text (TextAnchor): the text is looked for on the pages, as people see it.

Read with PDFium (pypdfium2, Apache-2.0 or BSD): the reader inside Chrome, fuzzed without end by its makers. It takes letters from the
ToUnicode maps of subset fonts, which Vietnamese exports depend on, keeps to the address space of a document worker, and reads a report
card in 9 ms where pdfminer.six needs 390. It is native code, and runs in document workers only.

Rules:
- compared are letters in Unicode NFC, runs of white space and line ends as one space, upper and lower case as they are;
- occurrences follow one another in the order of pages and of the text on them, without overlap;
- the text's corner is the left and lower edge of its letters on the first line that it takes.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from signer.errors import DocumentUnsupported
from signer.formats.pades.reading import open_to_sign
from signer.formats.pades.refusal import refusals
from signer.model import FieldPlacement, PageRectangle, TextAnchor

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

_SPACES: Final = re.compile(r"\s+")
_LINE_ENDS: Final = "\r\n"


def placed(document: bytes, placement: FieldPlacement) -> FieldPlacement:
    """The placement with a rectangle where its anchor's text stands in this document; as it is without an anchor.

    Raises:
        DocumentUnsupported: the text is not there, not so often, or the pages can't be read for their text.
        DocumentError: another of its leaves, where the document is none that could be signed.
    """
    appearance = placement.appearance
    if appearance is None or appearance.anchor is None:
        return placement
    return replace(placement, appearance=replace(appearance, anchor=None, rectangle=_find(document, appearance.anchor)))


def as_compared(text: str) -> str:
    """How an anchor's text is compared."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


@dataclass(frozen=True, slots=True)
class _Corner:
    """Of a text, in points; page from 1."""

    page: int
    left: float
    bottom: float


def _find(document: bytes, anchor: TextAnchor) -> PageRectangle:
    text = as_compared(anchor.text)
    with _opened(document) as pdf:
        corner = _last(pdf, text) if anchor.occurrence == 0 else _nth(pdf, text, anchor.occurrence)
    x, y = round(corner.left + anchor.dx, 3), round(corner.bottom + anchor.dy, 3)
    return PageRectangle(corner.page, x, y, anchor.width, anchor.height)


@contextmanager
def _opened(document: bytes) -> Iterator[PdfDocument]:
    from pypdfium2 import PdfDocument, PdfiumError  # noqa: PLC0415  # 8 MiB that a worker without anchors spares

    try:
        with PdfDocument(document) as pdf:
            yield pdf
    except PdfiumError as error:
        with refusals():
            open_to_sign(document)
        raise DocumentUnsupported(
            "the document's pages can't be read for the text beside which the signature is to stand; give a rectangle"
        ) from error


def _nth(pdf: PdfDocument, text: str, occurrence: int) -> _Corner:
    found = 0
    for index in range(len(pdf)):
        for corner in _on_page(pdf, index, text):
            found += 1
            if found == occurrence:
                return corner
    raise _not_found(found)


def _last(pdf: PdfDocument, text: str) -> _Corner:
    for index in reversed(range(len(pdf))):
        corners = _on_page(pdf, index, text)
        if corners:
            return corners[-1]
    raise _not_found(0)


def _not_found(times: int) -> DocumentUnsupported:
    there = "is not in the document" if times == 0 else f"stands in the document {times} times only"
    return DocumentUnsupported(f"the text beside which the signature is to stand {there}; compare it with the page, or give a rectangle")


def _on_page(pdf: PdfDocument, index: int, text: str) -> list[_Corner]:
    """Every occurrence on a page, in the order of its text."""
    with _text_of(pdf, index) as page:
        if text not in as_compared(page.get_text_range()):
            return []
        letters = _Letters.read(page)
        return [_Corner(index + 1, *_corner(page, run)) for run in letters.occurrences(text)]


@contextmanager
def _text_of(pdf: PdfDocument, index: int) -> Iterator[PdfTextPage]:
    page = pdf[index]
    try:
        text = page.get_textpage()
        try:
            yield text
        finally:
            text.close()
    finally:
        page.close()


@dataclass(frozen=True, slots=True)
class _Letters:
    """text: a page's, as it is compared. origins: for each of its characters the first of PDFium's that it came from. raw: those."""

    text: str
    origins: tuple[int, ...]
    raw: str

    @classmethod
    def read(cls, page: PdfTextPage) -> _Letters:
        """Composes letters and runs of white space, and remembers where they came from."""
        raw = _raw_text(page)
        starts = [at for at, letter in enumerate(raw) if at == 0 or not (unicodedata.combining(letter) or _in_one_space(raw, at))]
        pieces = [_composed(raw[start:end]) for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]
        origins = tuple(start for start, piece in zip(starts, pieces, strict=True) for _ in piece)
        return cls("".join(pieces), origins, raw)

    def occurrences(self, text: str) -> Iterator[range]:
        """PDFium's characters of each occurrence, up to the end of the line it begins on."""
        at = self.text.find(text)
        while at >= 0:
            end = at + len(text)
            first, after = self.origins[at], self.origins[end] if end < len(self.origins) else len(self.raw)
            line_end = next((index for index in range(first, after) if self.raw[index] in _LINE_ENDS), after)
            yield range(first, line_end)
            at = self.text.find(text, end)


def _composed(piece: str) -> str:
    """A letter with its combining marks, or a run of white space."""
    return " " if piece.isspace() else unicodedata.normalize("NFC", piece)


def _in_one_space(raw: str, at: int) -> bool:
    return raw[at].isspace() and raw[at - 1].isspace()


def _raw_text(page: PdfTextPage) -> str:
    from pypdfium2 import raw as pdfium  # noqa: PLC0415  # as above

    return "".join(_character(pdfium.FPDFText_GetUnicode(page, at)) for at in range(pdfium.FPDFText_CountChars(page)))


def _character(code: int) -> str:
    """What PDFium knows no letter for is no letter here."""
    return chr(code) if 0 < code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"  # noqa: PLR2004  # the last code point


def _corner(page: PdfTextPage, run: range) -> tuple[float, float]:
    """Left and lower edge of these characters; those without extent, such as spaces, say nothing."""
    boxes = [box for box in (_box(page, at) for at in run) if box[0] < box[1]]
    if not boxes:
        raise DocumentUnsupported("the text beside which the signature is to stand has no place on its page; give a rectangle")
    return min(left for left, _, _ in boxes), min(bottom for _, _, bottom in boxes)


def _box(page: PdfTextPage, at: int) -> tuple[float, float, float]:
    """Left, right and lower edge."""
    from pypdfium2 import raw as pdfium  # noqa: PLC0415  # as above

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(page, at, left, right, bottom, top)
    return left.value, right.value, bottom.value
