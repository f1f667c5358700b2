"""What kind of signed document some bytes are, by their beginning: a CMS may hold a PDF, an XML document may quote one."""

from __future__ import annotations

from enum import Enum
from typing import Final

from signer.errors import DocumentEmpty, DocumentUnsupported

_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
"""id-signedData (RFC 5652 5.1), encoded."""
_PDF: Final = b"%PDF-"
_WINDOW_BYTES: Final = 1024
_CMS_WINDOW_BYTES: Final = 32
_BYTE_ORDER_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class DocumentKind(Enum):
    """A format of signed documents."""

    PDF = "pdf"
    CMS = "cms"
    XML = "xml"


def recognise(document: bytes) -> DocumentKind:
    """Raises DocumentEmpty, or DocumentUnsupported for another kind."""
    if not document:
        raise DocumentEmpty("the document has no bytes; send the signed document itself")
    start = document[:_WINDOW_BYTES].lstrip()
    if start.startswith(b"-----BEGIN ") or _SIGNED_DATA in document[:_CMS_WINDOW_BYTES]:
        return DocumentKind.CMS
    if start.startswith((b"<", *_BYTE_ORDER_MARKS)):
        return DocumentKind.XML
    if _PDF in document[:_WINDOW_BYTES]:
        return DocumentKind.PDF
    raise DocumentUnsupported("neither a PDF, nor XML, nor a CMS signature; send the signed document itself")
