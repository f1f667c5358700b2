"""Opening a stranger's PDF: header, end and cross-reference are looked at before anything else (ISO 32000-2 7.5).

Rules:
- strict reading, with one exception: hybrid-reference files (7.5.8.4; word processors write them), which pyHanko reads in its lenient
  mode only. They are opened leniently after their cross-reference passed the strict reading;
- the header stands at byte 0. Readers disagree about offsets when something precedes it, so such a file is not signed;
- junk after the last %%EOF is let through and signed over, unless it looks like the beginning of another update: then the file was
  truncated, and signing it would sign an older revision than its sender meant.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

from pyhanko.pdf_utils.reader import PdfFileReader

from signer.errors import DocumentDamaged, DocumentEmpty, DocumentEncrypted, DocumentNotPdf, DocumentUnsupported
from signer.formats.pades import hexstrings
from signer.formats.pades.refusal import ENCRYPTED

_HEADER: Final = b"%PDF-"
_HEADER_WINDOW_BYTES: Final = 1024  # where readers look for a header that something precedes
_END: Final = b"%%EOF"
_UNFINISHED_UPDATE: Final = re.compile(rb"\bobj\b|\bxref\b|\btrailer\b|<<|\bstream\b")

hexstrings.install()


def open_to_sign(document: bytes) -> PdfFileReader:
    """A reader for a document that is to be signed; the rules of the room apply.

    Raises:
        DocumentError: one of its leaves; run inside `refusal.refusals()`, which types what pyHanko raises.
    """
    check_header(document)
    if not document.startswith(_HEADER):
        raise DocumentUnsupported("bytes precede the PDF's header, so readers disagree about its offsets; export it again from its source")
    _check_end(document)
    reader = PdfFileReader(BytesIO(document), strict=True)
    check_not_encrypted(reader)
    if reader.xrefs.hybrid_xrefs_present:
        return PdfFileReader(BytesIO(document), strict=False)
    return reader


def open_to_verify(document: bytes) -> PdfFileReader:
    """A lenient reader: what others signed is judged as far as it can be read."""
    check_header(document)
    reader = PdfFileReader(BytesIO(document), strict=False)
    check_not_encrypted(reader)
    return reader


def check_header(document: bytes) -> None:
    """Tell nothing, something else, and a PDF apart by the first bytes.

    Raises:
        DocumentEmpty: zero bytes.
        DocumentNotPdf: no header where readers look for one.
    """
    if not document:
        raise DocumentEmpty("the document has no bytes; send the PDF itself")
    if document.find(_HEADER, 0, _HEADER_WINDOW_BYTES) < 0:
        raise DocumentNotPdf("the document is not a PDF (no %PDF header); send the PDF itself")


def check_not_encrypted(reader: PdfFileReader) -> None:
    """Raise DocumentEncrypted when the trailer names an encryption dictionary, empty user password or not."""
    if "/Encrypt" in reader.trailer:
        raise DocumentEncrypted(ENCRYPTED)


def _check_end(document: bytes) -> None:
    end = document.rfind(_END)
    if end < 0 or _UNFINISHED_UPDATE.search(document, end + len(_END)):
        raise DocumentDamaged("the PDF is truncated: it does not end with %%EOF; send all of it")
